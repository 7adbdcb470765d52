package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/lsp"
	"github.com/seedling-lsp/seedling/treesitter"
)

type fillCmd struct {
	File       string `arg:"" help:"File to complete."`
	At         string `required:"" placeholder:"LINE:COLUMN" help:"Position, from 1:1, columns in characters."`
	Mode       string `enum:"auto,line,statement,arguments,block,function,docstring" default:"auto" help:"How far: auto, line, statement, arguments, block, function or docstring."`
	Decode     string `enum:"diffusion,verify,causal" default:"verify" help:"How: diffusion, verify or causal (see the README)."`
	ShowSteps  bool   `help:"Print each state of the canvas."`
	Remember   string `enum:"folder,nothing" default:"folder" help:"Whose ways to follow besides the file's own: those of its folder, or nobody's."`
	Candidates int    `default:"1" help:"How many different answers at the most, the likeliest first."`
	Context    string `enum:"none,definitions,similar,all" default:"none" help:"What of the project's other files stands in the prompt: none, definitions, similar or all."`
	Explain    bool   `help:"Say what was chosen and why."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// fillAlternative is an answer besides the first.
type fillAlternative struct {
	Text  string `json:"text"`
	Range struct {
		Start position `json:"start"`
		End   position `json:"end"`
	} `json:"range"`
	Stop string `json:"stop"`
}

type fillAnswer struct {
	Text  string `json:"text"`
	Range struct {
		Start position `json:"start"`
		End   position `json:"end"`
	} `json:"range"`
	Stop          string             `json:"stop"`
	Tokens        int                `json:"tokens"`
	Forwards      int                `json:"forwards"`
	ContextTokens int                `json:"context_tokens"`
	CachedTokens  int                `json:"cached_tokens"`
	LogProb       float64            `json:"logprob"`
	Alternatives  []fillAlternative  `json:"alternatives,omitempty"`
	Ms            map[string]float64 `json:"ms"`
	Model         string             `json:"model"`
	Backend       string             `json:"backend"`
}

func (f *fillCmd) Run(ctx context.Context, c *Commands) error {
	b, err := os.ReadFile(f.File)
	if err != nil {
		return err
	}
	text := string(b)
	at, err := offsetAt(text, f.At)
	if err != nil {
		return usageError{err}
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	if f.Remember == "folder" {
		for _, other := range infill.Beside(f.File) {
			e.Remember(other.Path, infill.HideSecrets(other.Text))
		}
	}
	start := time.Now()
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	lang := treesitter.Detect(f.File, "")
	tree, _ := parser.Parse(lang, nil, text) // without a grammar there is no tree, which is a tree like any other
	defer tree.Close()
	mode, err := infill.ParseMode(f.Mode)
	if err != nil {
		return usageError{err}
	}
	plan := infill.NewPlan(infill.Document{Path: f.File, Language: lang, Text: text, Tree: tree, Parser: parser}, infill.ByteOffset(at), infill.Options{Mode: mode, Priority: engine.Invoked})
	others, note := infill.Context{}, ""
	if opt := infill.Contexts[f.Context]; opt.Bytes > 0 {
		var src infill.Sources
		src, note = lsp.Around(ctx, f.File)
		others = plan.Context(src, opt)
	}
	planned := time.Now()
	all, res, err := plan.Answers(max(1, f.Candidates), func(r engine.Request) (engine.Result, error) {
		r.Score = true
		r.Snippets = others.Snippets
		for _, m := range eval.Modes {
			if m.Name == f.Decode {
				r.Decode = m.Mode
			}
		}
		if f.ShowSteps {
			color := terminal(os.Stderr)
			r.Watch = func(s engine.Step) { fmt.Fprintf(os.Stderr, "%3d  %s\n", s.Forward, s.Render(color)) }
		}
		return e.Generate(ctx, r)
	})
	if err != nil {
		return err
	}
	if f.Explain {
		for _, line := range append(append(plan.Explain(), others.Explain()...), note) {
			if line != "" {
				fmt.Fprintln(os.Stderr, line)
			}
		}
	}
	if len(all) == 0 {
		all = append(all, plan.Finish(res)) // nothing, and why
	}
	if !f.JSON {
		for _, s := range all {
			fmt.Println(s.Text)
		}
		return nil
	}
	s := all[0]
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	a := fillAnswer{Text: s.Text, Stop: s.Stop, Tokens: res.Tokens, Forwards: res.Forwards, ContextTokens: res.ContextTokens, CachedTokens: res.CachedTokens, LogProb: res.LogProb,
		Model: m.name, Backend: e.Backend().Name + "/" + e.Backend().Kernels,
		Ms: map[string]float64{"plan": ms(planned.Sub(start)), "prefill": ms(res.Prefill), "denoise": ms(res.Denoise), "finish": ms(max(0, time.Since(planned)-res.Prefill-res.Denoise)), "total": ms(time.Since(start))}}
	a.Range.Start, a.Range.End = positionOf(text, int(s.Start)), positionOf(text, int(s.End))
	for _, s := range all[1:] {
		more := fillAlternative{Text: s.Text, Stop: s.Stop}
		more.Range.Start, more.Range.End = positionOf(text, int(s.Start)), positionOf(text, int(s.End))
		a.Alternatives = append(a.Alternatives, more)
	}
	return printJSON(a)
}
