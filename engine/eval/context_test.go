package eval

import (
	"context"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/treesitter"
)

// weigher answers nothing, finds every text equally likely, and keeps what it was shown
// and told to remember.
type weigher struct {
	asked   []engine.Request
	weighed []string
	known   map[string]bool
}

func (w *weigher) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	w.asked = append(w.asked, r)
	return engine.Result{Stop: "none"}, nil
}

func (w *weigher) Likelihood(_ context.Context, r engine.Request, text string) (engine.Likelihood, error) {
	w.weighed = append(w.weighed, text)
	return engine.Likelihood{LogProb: -3, Tokens: 2, Bytes: len(text), Room: true}, nil
}

func (w *weigher) Remember(document, _ string) { w.known[document] = true }
func (w *weigher) Forget(document string)      { delete(w.known, document) }

// A case is shown what other files of its repository define, and never what the truth could
// be read off: its own file as it stands on disk. Else every figure would be too good.
func TestInfillContext(t *testing.T) {
	own := "package app\n\nimport \"example.com/x/r/store\"\n\nfunc f() {\n\tstore.Open(first)\n}\n\nfunc onlyHere(n int) {}\n"
	files := []File{
		{"go/r/app/a.go", treesitter.Go, own},
		{"go/r/app/b.go", treesitter.Go, "package app\n\nvar first = 1\n"},
		{"go/r/store/s.go", treesitter.Go, "package store\n\nfunc Open(n int) {}\n"},
		{"go/q/store/s.go", treesitter.Go, "package store\n\nfunc Open(wrong string) {}\n"},
	}
	start := strings.Index(own, "(first)") + 1
	c := Case{Kind: LineEnd, Path: "go/r/app/a.go", Language: treesitter.Go, Text: own, Start: start, End: start + len("first)")}
	gap := Case{Kind: SingleLine, Path: c.Path, Language: c.Language, Text: own, Start: strings.Index(own, "func onlyHere"), End: len(own) - 1}
	w := &weigher{known: map[string]bool{}}
	set := Setup{Indexed: files, Context: "all", Decode: []string{"verify"}, Remembered: files, Workspace: true}
	rep, err := Infill(t.Context(), w, "fake", []Case{c, gap}, set, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.asked) != 2 || w.asked[0].Decode != denoise.Verify || len(w.weighed) != 2 || w.weighed[0] != "first)" {
		t.Fatalf("asked %d, weighed %q", len(w.asked), w.weighed)
	}
	if s := w.asked[0].Snippets; len(s) != 2 || !strings.Contains(s[1].Text, "func Open(n int)") || !strings.Contains(s[0].Text, "var first") {
		t.Errorf("shown %+v", s)
	}
	for _, r := range w.asked {
		for _, s := range r.Snippets {
			if strings.Contains(s.Text, "onlyHere") || strings.Contains(s.Text, "wrong") {
				t.Errorf("shown %+v", s)
			}
		}
	}
	l := rep.Likelihood[LineEnd]
	if l == nil || l.N != 1 || l.Shown != 1 || l.Nats != 3 || l.Bytes != 6 || rep.Context != "all" {
		t.Errorf("%+v", l)
	}
	if table := rep.Table(); !strings.Contains(table, "line_end: the truth 0.7213 bits/byte, 3.000 ± 0.000 nats a case; context all, in 1 of 1") {
		t.Error(table)
	}
	if len(w.known) != 3 || w.known["go/q/store/s.go"] {
		t.Errorf("of the repository %v are remembered", w.known)
	}
	set.Workspace, w.known = false, map[string]bool{}
	if _, err := Infill(t.Context(), w, "fake", []Case{c}, set, 1, nil); err != nil || len(w.known) != 2 {
		t.Errorf("of the folder %v are remembered, %v", w.known, err)
	}
	before := len(w.weighed)
	if rep, err := Infill(t.Context(), w, "fake", []Case{c}, Setup{Decode: []string{"verify"}}, 1, nil); err != nil || len(w.weighed) != before || len(rep.Likelihood) != 0 {
		t.Errorf("unasked, likelihoods are measured: %+v, %v", rep.Likelihood, err)
	}
}
