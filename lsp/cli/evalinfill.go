package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval"
)

type evalInfillCmd struct {
	evalFlags
	Kinds      []string `help:"Only these kinds: single_line, line_end, statement, block, function." sep:","`
	Decode     []string `enum:"diffusion,verify,causal" help:"Only these ways of decoding: diffusion, verify, causal." sep:","`
	Candidates int      `default:"1" help:"Different answers asked for of each case: how often the truth is among them."`
	Threshold  float32  `help:"Probability at which diffusion decides a position; 0: the default."`
	Memory     string   `help:"What is remembered: the file and its repository's others (the first two folders of its path), its folder's, the file alone, or nothing." enum:"workspace,folder,file,none" default:"folder"`
	Context    string   `help:"What stands of the repository's other files in the prompt: none, definitions, similar or all; and how likely the truths are then." enum:"none,definitions,similar,all" default:"none"`
	Likelihood bool     `help:"How likely the truths are, too."`
	Peer       []string `placeholder:"MODEL" help:"Answer the same cases with another model directory, too, or with an n-gram baseline over a folder of sources (ngram:DIR). May be repeated."`
}

func (v *evalInfillCmd) Run(ctx context.Context, c *Commands) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	all, err := eval.Draw(files, v.Cases, v.Seed)
	if err != nil {
		return err
	}
	var cases []eval.Case
	for _, x := range all {
		if len(v.Kinds) == 0 || strings.Contains(","+strings.Join(v.Kinds, ",")+",", ","+string(x.Kind)+",") {
			cases = append(cases, x)
		}
	}
	m, err := c.load()
	if err != nil {
		return err
	}
	e := v.engine(m)
	defer e.Close()
	set := eval.Setup{Candidates: v.Candidates, Packages: files}
	if v.Memory == "folder" || v.Memory == "workspace" {
		set.Remembered, set.Workspace = files, v.Memory == "workspace"
	}
	if v.Likelihood || v.Context != "none" {
		set.Indexed, set.Context = files, v.Context
	}
	bar := progress(len(cases), "cases")
	if len(v.Decode) == 0 && m.config.Seedling.Plain {
		v.Decode = []string{"causal"} // a plain model has no other
	}
	set.Decode = v.Decode
	rep, err := eval.Infill(ctx, e, m.name, cases, set, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	for _, name := range v.Peer {
		p, err := v.peer(ctx, c, name, cases, set)
		if err != nil {
			return fmt.Errorf("--peer %s: %w", name, err)
		}
		rep.Peers = append(rep.Peers, p)
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

// engine is one that remembers as the flags say.
func (v *evalInfillCmd) engine(m *loaded) *engine.Engine {
	return engine.New(engine.Model{Name: m.name, Config: m.config, Tokenizer: m.tok}, m.device,
		engine.Options{Settings: denoise.Settings{Threshold: v.Threshold}, MemoryTokens: map[string]int{"none": -1}[v.Memory]})
}

// peer answers the cases with another model, or with none.
func (v *evalInfillCmd) peer(ctx context.Context, c *Commands, name string, cases []eval.Case, set eval.Setup) (eval.InfillReport, error) {
	bar := progress(len(cases), "cases of "+name)
	defer bar.Finish()
	done := func(n int) { bar.Set(n) }
	if dir, ok := strings.CutPrefix(name, "ngram:"); ok {
		texts, err := eval.Files(ctx, dir)
		if err != nil {
			return eval.InfillReport{}, err
		}
		g, err := eval.NewNgram(texts)
		if err != nil {
			return eval.InfillReport{}, err
		}
		set.Decode, set.Candidates = []string{"causal"}, 0
		return eval.Infill(ctx, g, "ngram", cases, set, v.Seed, done)
	}
	other := *c
	other.Model = name
	m, err := other.load()
	if err != nil {
		return eval.InfillReport{}, err
	}
	e := v.engine(m)
	defer e.Close()
	if m.config.Seedling.Plain {
		set.Decode = []string{"causal"} // it has no other
	}
	return eval.Infill(ctx, e, m.name, cases, set, v.Seed, done)
}
