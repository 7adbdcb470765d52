package benchmarks

import (
	"context"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// gap is a place in a program that a benchmark leaves open.
type gap struct {
	id, path      string
	language      treesitter.Language
	before, after string
	mode          infill.Mode
}

// fill asks for a gap as an editor would, and gives what belongs in it, with the forwards that
// it took. Where the gap is of whole lines, the file has no line there: an editor does,
// an empty one, indented by the editor as the line before asks, that the cursor stands in.
func (p gap) fill(ctx context.Context, g eval.Generator, parser *treesitter.Parser, mode denoise.Mode) (string, int, error) {
	lines := (p.before == "" || strings.HasSuffix(p.before, "\n")) && p.after != "" && !strings.HasPrefix(p.after, "\n")
	indent, end := "", ""
	if lines {
		indent, end = autoIndent(p.before), "\n"
	}
	before := p.before + indent
	text := before + end + p.after
	tree, _ := parser.Parse(p.language, nil, text) // without a grammar there is no tree, which is a tree like any other
	defer tree.Close()
	plan := infill.NewPlan(infill.Document{Path: p.path, Language: p.language, Text: text, Tree: tree}, infill.ByteOffset(len(before)),
		infill.Options{Mode: p.mode, Priority: engine.Invoked, Document: p.id})
	_, res, err := plan.Answers(1, func(r engine.Request) (engine.Result, error) {
		r.Decode = mode
		return g.Generate(ctx, r)
	})
	if err != nil {
		return "", 0, err
	}
	s := plan.Finish(res)
	wrote := s.Text
	if int(s.End) > len(before) { // it wrote the right of the cursor anew
		wrote = strings.TrimSuffix(wrote, text[len(before):s.End])
	}
	return indent + strings.TrimSuffix(wrote, end) + end, res.Forwards, nil
}

// autoIndent is what editors put at the start of a line after these: the indentation of the
// last line that is not empty, and a level more after a colon.
func autoIndent(before string) string {
	last := ""
	for line := range strings.Lines(before) {
		if strings.TrimSpace(line) != "" {
			last = strings.TrimRight(line, " \t\n")
		}
	}
	indent := last[:len(last)-len(strings.TrimLeft(last, " \t"))]
	if strings.HasSuffix(last, ":") {
		indent += "    "
	}
	return indent
}
