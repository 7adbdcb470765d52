package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// causalOnly is a script that counts what a plain model cannot take: canvas rows.
type causalOnly struct {
	*script
	canvas int
}

func (c *causalOnly) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	for _, r := range b.Rows {
		if r.Kind == backend.Canvas {
			c.canvas++
		}
	}
	return c.script.Forward(ctx, b)
}

// A plain model must be shown neither a marker nor a canvas, whatever is asked: it would
// answer noise, and a peer be measured as worse than it is.
func TestPlain(t *testing.T) {
	for _, mode := range []denoise.Mode{denoise.Diffusion, denoise.Verify, denoise.Causal} {
		s := &causalOnly{script: newScript("package a\n\nfunc add(a, b int) int {\n\treturn a + b\n}\n")}
		m := s.model(false)
		m.Config.Seedling.Plain = true
		e := New(m, s, Options{})
		res, err := e.Generate(context.Background(), Request{Path: "a.go", Snippets: []Snippet{{Path: "b.go", Text: "package b\n"}},
			Prefix: "package a\n\nfunc add(a, b int) int {\n\tret", Suffix: "\n}\n", Decode: mode, MaxTokens: 12, Priority: Invoked,
			Stop: func(text string) (int, string) {
				if i := strings.IndexByte(text, '\n'); i >= 0 {
					return i, "line"
				}
				return 0, ""
			}})
		if err != nil {
			t.Fatal(err)
		}
		if res.Text != "urn a + b" {
			t.Errorf("%v: %q", mode, res.Text)
		}
		if s.canvas > 0 {
			t.Errorf("%v: %d canvas rows", mode, s.canvas)
		}
		for seq, tokens := range s.seqs {
			if seq == backend.Root {
				continue
			}
			if len(tokens) == 0 || tokens[0] != m.Config.Seedling.Tokens.End || slices.ContainsFunc(tokens[1:], func(id backend.TokenID) bool { return id < 9 }) {
				t.Errorf("%v: read %v", mode, tokens)
			}
		}
		e.Close()
	}
}
