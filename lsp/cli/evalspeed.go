package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/eval"
)

type evalSpeedCmd struct {
	evalFlags
	Kinds  []string `help:"Kinds of cases: single_line, line_end, statement, block, function." sep:"," default:"single_line,block"`
	Blocks []int    `help:"Sizes of a block, beside the model's own." sep:"," default:"4,16"`
	Memory string   `help:"What is remembered: the file's folder, the file alone, or nothing." enum:"folder,file,none" default:"folder"`
	Plot   string   `type:"path" placeholder:"FILE" help:"Draw the points there (.png, .svg or .pdf)."`
}

func (v *evalSpeedCmd) Run(ctx context.Context, c *Commands) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	cases, err := eval.Draw(files, v.Cases, v.Seed)
	if err != nil {
		return err
	}
	cases = slices.DeleteFunc(cases, func(x eval.Case) bool { return !slices.Contains(v.Kinds, string(x.Kind)) })
	if len(cases) == 0 {
		return fmt.Errorf("no cases of %s: --kinds takes single_line, line_end, statement, block and function", strings.Join(v.Kinds, ","))
	}
	m, err := c.load()
	if err != nil {
		return err
	}
	if m.config.Seedling.Plain {
		return errors.New("this model knows only causal decoding, which has one speed: train it first (seedling train --stage tsc)")
	}
	e := engine.New(engine.Model{Name: m.name, Config: m.config, Tokenizer: m.tok}, m.device, engine.Options{MemoryTokens: map[string]int{"none": -1}[v.Memory]})
	defer e.Close()
	set := eval.Setup{}
	if v.Memory == "folder" {
		set.Remembered = files
	}
	points := eval.Boldnesses(v.Blocks)
	bar := progress(len(points)*len(cases), "answers")
	rep, err := eval.Speed(ctx, e, m.name, cases, set, points, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.Plot != "" {
		if err := rep.Plot(v.Plot); err != nil {
			return err
		}
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}
