// Seedling is a language server that completes and repairs code with a local
// block-diffusion language model. This file is the command line: wiring only.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seedling-lsp/seedling/engine/train"
	"github.com/seedling-lsp/seedling/engine/weights"
)

type cli struct {
	Threads int      `help:"Threads to compute with; 0: one a core." default:"0"`
	Train   trainCmd `cmd:"" help:"Train a model, on your sources or on a whole corpus."`
}

type trainCmd struct {
	Stage     string `required:"" enum:"ar,tsc" help:"Stage of the recipe: ar (causal) or tsc (masks, then edits)."`
	Config    string `type:"existingfile" help:"Settings file (JSON); default: those of the built-in model."`
	Data      string `type:"existingdir" help:"Folder of sources: a repository, or train/LANGUAGE/SOURCE and heldout/LANGUAGE/SOURCE."`
	Init      string `help:"Model directory or run folder to start from."`
	Out       string `required:"" help:"Folder of the run: checkpoint, curve, model."`
	Resume    bool   `help:"Go on from the checkpoint in --out."`
	NewCorpus bool   `help:"With --resume: go on although the corpus changed."`
	Decay     int    `help:"Cut a decayed branch of that many steps, with --init a run's folder."`
}

func (c *trainCmd) Run(ctx context.Context, g *cli) error {
	return train.Job{Stage: c.Stage, Config: c.Config, Data: c.Data, Init: c.Init, Out: c.Out, Resume: c.Resume, NewCorpus: c.NewCorpus,
		Decay: c.Decay, Tokenizer: weights.TokenizerJSON, Threads: g.threads(), Log: os.Stderr}.Run(ctx)
}

func (c *cli) threads() int {
	if c.Threads > 0 {
		return c.Threads
	}
	return runtime.NumCPU()
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("seedling"), kong.Description("Code completion with a local block-diffusion model."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(&c); err != nil {
		fmt.Fprintln(os.Stderr, "seedling:", err)
		os.Exit(1)
	}
}
