package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/seedling-lsp/seedling/engine/eval"
)

type evalHumanEvalCmd struct {
	File   string `arg:"" type:"existingfile" help:"A file of the benchmark: HumanEval-SingleLineInfilling.jsonl.gz or another (github.com/openai/human-eval-infilling)."`
	Cases  int    `default:"0" help:"Problems drawn; 0: all."`
	Seed   uint64 `default:"1" help:"Seed of the draw."`
	Decode string `enum:"diffusion,verify,causal" default:"verify" help:"Way of decoding."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (v *evalHumanEvalCmd) Run(ctx context.Context, c *Commands) error {
	all, err := eval.Problems(v.File)
	if err != nil {
		return err
	}
	problems := eval.DrawProblems(all, v.Cases, v.Seed)
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	bar := progress(len(problems), "problems")
	mode := eval.Modes[slices.IndexFunc(eval.Modes, func(x eval.Named) bool { return x.Name == v.Decode })]
	rep, err := eval.HumanEval(ctx, e, m.name, problems, mode, v.Seed, func(n int) { bar.Set(n) })
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
