package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/seedling-lsp/seedling/engine/train"
	"github.com/seedling-lsp/seedling/engine/weights"
	"github.com/seedling-lsp/seedling/engine/weights/large"
	"github.com/seedling-lsp/seedling/infill"
)

type trainCmd struct {
	Stage     string `default:"adapt" enum:"ar,tsc,order,onpolicy,adapt" help:"Stage: ar (causal) and tsc (masks, then edits) make a model, order (its own likeliest trajectories) and onpolicy (fewer forwards for the same text) refine it; adapt (the default) fits one to your repository in minutes."`
	Config    string `type:"existingfile" help:"Settings file (JSON); default: those of the built-in model."`
	Data      string `type:"existingdir" help:"Folder of sources: a repository, or train/LANGUAGE/SOURCE and heldout/LANGUAGE/SOURCE."`
	Init      string `help:"Model directory or run folder to start from, or builtin (here the small model), small or large."`
	Out       string `type:"path" help:"Folder of the run: checkpoint, curve, model."`
	Resume    bool   `help:"Go on from the checkpoint in --out."`
	NewCorpus bool   `help:"Prepare the corpus anew from --data; with --resume, go on although it changed."`
	Decay     int    `help:"Cut a decayed branch, with --init a run's folder: go on with that run, its settings and all, in --out for so many steps, over which the rate falls to nothing."`
	Show      bool   `name:"show-settings" help:"Print the settings that the stage would run with, as --config takes them, and end."`
}

func (t *trainCmd) Run(ctx context.Context, c *Commands) error {
	if t.Show {
		s, err := train.ReadSettings(t.Config, t.Stage)
		if err != nil {
			return err
		}
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	if t.Out == "" {
		return usageError{errors.New("train wants --out: the folder of the run")}
	}
	// Adapting is to take minutes, so that the small model is the one that builtin means here.
	models := map[string]fs.FS{weights.Builtin: weights.Files(), weights.Small: weights.Files(), weights.Large: large.Files()}
	return train.Job{Stage: t.Stage, Config: t.Config, Data: t.Data, Init: t.Init, Out: t.Out, Resume: t.Resume, NewCorpus: t.NewCorpus,
		Decay: t.Decay, Tokenizer: weights.TokenizerJSON, Models: models, Threads: c.threads(), Hide: infill.HideSecrets, Log: os.Stderr}.Run(ctx)
}
