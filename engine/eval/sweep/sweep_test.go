package sweep

import (
	"context"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// typist keeps what it was asked.
type typist struct {
	asked []engine.Request
	err   error
}

func (g *typist) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	g.asked = append(g.asked, r)
	return engine.Result{Text: "f(sum)", Stop: "line", Tokens: 4, Forwards: 3, ContextTokens: len(r.Prefix)}, g.err
}

// TestFiles: the same keys are pressed in each file, and asked about where they stand. Without
// it a cursor that drifts would have the longer files answered from somewhere else.
func TestFiles(t *testing.T) {
	g := &typist{}
	done := 0
	lines := []int{200, 1000, 3000}
	files, err := Files(t.Context(), g, lines, denoise.Causal, -4, func(n int) { done = n })
	if err != nil {
		t.Fatal(err)
	}
	if done != Keys(len(lines)) || len(files) != 3 || len(g.asked)%3 != 0 || len(g.asked) < done/2 {
		t.Fatalf("%d keys of %d, %d asked, %+v", done, Keys(len(lines)), len(g.asked), files)
	}
	last := func(s string) string { return s[strings.LastIndexByte(s, '\n'):] }
	of := map[string][]string{}
	for _, a := range g.asked {
		if a.Decode != denoise.Causal || a.MinLogProb != -4 || !strings.HasPrefix(a.Suffix, "\n\treturn sum") {
			t.Fatalf("asked %+v", a)
		}
		of[a.Document] = append(of[a.Document], last(a.Prefix))
	}
	for id, keys := range of {
		if !slices.Equal(keys, of["sweep 200"]) || len(of) != 3 {
			t.Errorf("in %q asked behind %q, in the first behind %q", id, keys, of["sweep 200"])
		}
	}
	for i, f := range files {
		if f.Lines != lines[i] || !(f.P50 > 0 && f.P50 <= f.P95) || f.Ratio != f.P50/files[0].P50 || f.Context < 1000 {
			t.Errorf("%+v", f)
		}
	}
	lost := errors.New("device lost")
	if _, err := Files(t.Context(), &typist{err: lost}, lines, denoise.Causal, 0, nil); !errors.Is(err, lost) {
		t.Error(err)
	}
}

// TestPlot: a picture comes out of a report, and a format that is none is an error.
func TestPlot(t *testing.T) {
	r := Report{Model: "m", Files: []File{{200, 5, 20, 1, 700}, {100_000, 6, 22, 1.2, 900}}, Passes: []Pass{{1, 384, 0.3}, {8, 384, 0.9}}}
	to := filepath.Join(t.TempDir(), "bench.png")
	if err := r.Plot(to); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
	if err := r.Plot(filepath.Join(t.TempDir(), "bench.nothing")); err == nil || !strings.Contains(err.Error(), "writing the plot") {
		t.Errorf("a format that is none: %v", err)
	}
	if table := r.Table(); !strings.Contains(table, "100000") || !strings.Contains(table, "1.20") {
		t.Error(table)
	}
}
