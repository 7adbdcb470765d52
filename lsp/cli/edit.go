package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

type editCmd struct {
	File  string `arg:"" help:"File to look into."`
	Range string `required:"" placeholder:"LINE:COLUMN-LINE:COLUMN" help:"The lines from the first position to the second may change; both from 1:1, columns in characters."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

type editAnswer struct {
	Edits         []textEdit         `json:"edits"`
	LogProbBefore float64            `json:"logprob_before"`
	LogProbAfter  float64            `json:"logprob_after"`
	Tokens        int                `json:"tokens"`
	Forwards      int                `json:"forwards"`
	Ms            map[string]float64 `json:"ms"`
	Model         string             `json:"model"`
	Backend       string             `json:"backend"`
}

type textEdit struct {
	Range struct {
		Start position `json:"start"`
		End   position `json:"end"`
	} `json:"range"`
	NewText string `json:"newText"`
}

func (v *editCmd) Run(ctx context.Context, c *Commands) error {
	b, err := os.ReadFile(v.File)
	if err != nil {
		return err
	}
	text := string(b)
	first, last, ok := strings.Cut(v.Range, "-")
	if !ok {
		return usageError{fmt.Errorf("range %q is not LINE:COLUMN-LINE:COLUMN", v.Range)}
	}
	from, err := offsetAt(text, first)
	if err != nil {
		return usageError{err}
	}
	to, err := offsetAt(text, last)
	if err != nil {
		return usageError{err}
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	start := time.Now()
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	lang := treesitter.Detect(v.File, "")
	tree, _ := parser.Parse(lang, nil, text)
	defer tree.Close()
	a := editAnswer{Edits: []textEdit{}, Model: m.name, Backend: e.Backend().Name + "/" + e.Backend().Kernels, Ms: map[string]float64{}}
	best, res, err := infill.Repair(infill.Document{Path: v.File, Language: lang, Text: text, Tree: tree}, infill.ByteOffset(from), infill.ByteOffset(to),
		infill.EditOptions{Priority: engine.Invoked, Around: 6}, parser, func(r engine.EditRequest) (engine.EditResult, error) { return e.Edit(ctx, r) })
	if err != nil {
		return err
	}
	a.LogProbBefore, a.LogProbAfter, a.Tokens, a.Forwards = res.LogProb, res.LogProb+best.Gain(), res.Tokens, res.Forwards
	a.Ms["search"] = float64(res.Spent.Microseconds()) / 1000
	a.Ms["total"] = float64(time.Since(start).Microseconds()) / 1000
	for _, e := range best.Edits {
		t := textEdit{NewText: e.Text}
		t.Range.Start, t.Range.End = positionOf(text, int(e.Start)), positionOf(text, int(e.End))
		a.Edits = append(a.Edits, t)
	}
	switch {
	case v.JSON:
		return printJSON(a)
	case len(a.Edits) == 0:
		fmt.Fprintln(os.Stderr, "seedling: the model would leave these lines as they are")
	default:
		at := positionOf(text, int(best.Edits[0].Start))
		fmt.Printf("%s:%d: %s\n", v.File, at.Line+1, best.Title())
	}
	return nil
}
