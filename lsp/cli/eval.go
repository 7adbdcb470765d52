package cli

import (
	"context"
	"fmt"

	"github.com/seedling-lsp/seedling/engine/eval"
)

type evalCmd struct {
	Infill    evalInfillCmd    `cmd:"" help:"Fill gaps of real files: exact match, tokens per forward, share that parses."`
	Finish    evalFinishCmd    `cmd:"" help:"Finish answers at places as people type, with every rule on and off: shown, exact, repeated, parses."`
	Edit      evalEditCmd      `cmd:"" help:"Repair plausible faults of functions: exact repairs, false alarms on clean ones."`
	Speed     evalSpeedCmd     `cmd:"" help:"Tokens a forward against exact match, from careful to bold decoding: a table and a plot."`
	HumanEval evalHumanEvalCmd `cmd:"" name:"humaneval" help:"HumanEval-Infilling, which you bring: pass@1, the programs running in a sandbox (Linux)."`
	Safim     evalSafimCmd     `cmd:"" help:"SAFIM, which you bring: pass@1 by language, the programs running in a sandbox (Linux)."`
	CanItEdit evalCanItEditCmd `cmd:"" name:"canitedit" help:"CanItEdit, which you bring: pass@1 and ExcessCode, the programs running in a sandbox (Linux)."`
	Ppl       evalPplCmd       `cmd:"" help:"Likelihood of real files: causal and ELBO, bits per byte."`
	Memory    evalMemoryCmd    `cmd:"" help:"What remembering the code around is worth: likelihood with and without."`
	Nextedit  evalNexteditCmd  `cmd:"" help:"Next edits against what authors did: a git history, of each commit one line first."`
}

type evalFlags struct {
	Data  string `required:"" type:"existingdir" help:"Folder of sources that the model has not seen."`
	Cases int    `default:"1000" help:"Cases of each kind (infill), clean functions and as many faults (edit), files (ppl)."`
	Seed  uint64 `default:"1" help:"Seed of the draw."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

type evalEditCmd struct{ evalFlags }

func (v *evalEditCmd) Run(ctx context.Context, c *Commands) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	clean, broken, err := eval.DrawFaults(files, v.Cases, v.Seed)
	if err != nil {
		return err
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	bar := progress(len(clean)+len(broken), "functions")
	rep, err := eval.Edit(ctx, e, m.name, clean, broken, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}
