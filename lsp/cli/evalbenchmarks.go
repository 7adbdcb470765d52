package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/eval/benchmarks"
)

// benchmarkFlags are those of the public benchmarks, whose files the user brings.
type benchmarkFlags struct {
	Cases int    `default:"0" help:"Problems drawn; 0: all."`
	Seed  uint64 `default:"1" help:"Seed of the draw."`
	Kept  string `type:"path" placeholder:"FILE" help:"Keep results there, and go on from those that are there: of this model's name and these problems."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// decodeFlag is of the benchmarks with gaps.
type decodeFlag struct {
	Decode string `enum:"diffusion,verify,causal" default:"verify" help:"Way of decoding."`
}

// mode is the way of decoding by its name.
func (d decodeFlag) mode() eval.Named {
	return eval.Modes[slices.IndexFunc(eval.Modes, func(x eval.Named) bool { return x.Name == d.Decode })]
}

// report is what a benchmark gives.
type report interface{ Table() string }

// run asks some problems and prints what comes of it. A run that ends early says how to go on.
func (f benchmarkFlags) run(c *Commands, problems int, ask func(run benchmarks.Run, e *running) (report, error)) error {
	var kept *benchmarks.Kept
	if f.Kept != "" {
		var err error
		if kept, err = benchmarks.OpenKept(f.Kept); err != nil {
			return err
		}
		defer kept.Close()
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	bar := progress(problems, "problems")
	rep, err := ask(benchmarks.Run{Generator: e, Model: m.name, Seed: f.Seed, Kept: kept, Progress: func(n int) { bar.Set(n) }}, &running{e, m})
	bar.Finish()
	if err != nil {
		if f.Kept != "" {
			fmt.Fprintf(os.Stderr, "seedling: the same command goes on from what is in %s\n", f.Kept)
		}
		return err
	}
	if f.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

type evalHumanEvalCmd struct {
	File string `arg:"" type:"existingfile" help:"A file of the benchmark: HumanEval-SingleLineInfilling.jsonl.gz or another (github.com/openai/human-eval-infilling)."`
	benchmarkFlags
	decodeFlag
}

func (v *evalHumanEvalCmd) Run(ctx context.Context, c *Commands) error {
	all, err := benchmarks.HumanEvalFile(v.File)
	if err != nil {
		return err
	}
	problems := benchmarks.Draw(all, v.Cases, v.Seed)
	return v.run(c, len(problems), func(r benchmarks.Run, _ *running) (report, error) {
		r.Decode = v.mode()
		return benchmarks.HumanEval(ctx, r, problems)
	})
}

type evalSafimCmd struct {
	File  string `arg:"" type:"existingfile" help:"A split of the benchmark as JSON lines: block.jsonl.gz, block_v2, control or api (data set gonglinyuan/safim)."`
	Split string `enum:"auto,block,control,api" default:"auto" help:"Which split it is: block, control or api; auto: as the file's name says."`

	Description bool `default:"true" negatable:"" help:"Show the model what is to be programmed, as a comment above the program."`
	benchmarkFlags
	decodeFlag
}

func (v *evalSafimCmd) Run(ctx context.Context, c *Commands) error {
	split := benchmarks.Split(v.Split)
	if v.Split == "auto" {
		var err error
		if split, err = benchmarks.SplitOf(v.File); err != nil {
			return usageError{err}
		}
	}
	all, err := benchmarks.SafimFile(v.File)
	if err != nil {
		return err
	}
	problems := benchmarks.Draw(all, v.Cases, v.Seed)
	return v.run(c, len(problems), func(r benchmarks.Run, _ *running) (report, error) {
		r.Decode = v.mode()
		return benchmarks.SAFIM(ctx, r, split, v.Description, problems)
	})
}

type evalCanItEditCmd struct {
	File string `arg:"" type:"existingfile" help:"The benchmark as JSON lines (data set nuprl/CanItEdit). An instruction stands as a comment above its program, and the edits that are suggested are made one after another."`
	benchmarkFlags
}

func (v *evalCanItEditCmd) Run(ctx context.Context, c *Commands) error {
	all, err := benchmarks.CanItEditFile(v.File)
	if err != nil {
		return err
	}
	problems := benchmarks.Draw(all, v.Cases, v.Seed)
	return v.run(c, len(problems), func(r benchmarks.Run, e *running) (report, error) {
		return benchmarks.CanItEdit(ctx, r, e, problems)
	})
}
