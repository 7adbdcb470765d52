package eval

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// typist answers every request alike and counts them.
type typist struct {
	asked int
	at    []string // prefixes of the document that is typed in
	err   error
}

func (g *typist) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	g.asked++
	if r.Document == "typing" {
		g.at = append(g.at, r.Prefix)
	}
	res := engine.Result{Text: "answer()", Stop: "line", Tokens: 4, Forwards: 3, ContextTokens: 100, CachedTokens: 98, Denoise: 2 * time.Millisecond}
	if r.Decode == denoise.Causal {
		res.Denoise = 4 * time.Millisecond
	}
	return res, g.err
}

// TestBenchReplay: the replay types its characters one by one into the bundled file, the
// means are over keystrokes, and rates are tokens over the time of denoising. Without it
// an edit of the bundled file (this package's own source) would silently end the bench.
func TestBenchReplay(t *testing.T) {
	var rep BenchReport
	g := &typist{}
	if err := BenchReplay(t.Context(), g, &rep); err != nil {
		t.Fatal(err)
	}
	if len(g.at) != 161 {
		t.Fatalf("%d keystrokes", len(g.at))
	}
	for i := 1; i < len(g.at); i++ {
		if a, b := g.at[i-1], g.at[i]; !strings.HasSuffix(benchSource[:strings.Index(benchSource, "drawn := 0")+i], last(b, 40)) || a == b {
			t.Fatalf("keystroke %d: %q after %q", i, last(b, 40), last(a, 40))
		}
	}
	k := rep.Keystroke
	if k.Forwards != 3 || k.ContextTokens != 2 || !(k.P50 > 0 && k.P50 <= k.P95 && k.P95 <= k.P99) {
		t.Errorf("keystrokes %+v", k)
	}
	if s := rep.TokensPerSecond; math.Abs(s.Diffusion-2000) > 1 || math.Abs(s.Verify-2000) > 1 || math.Abs(s.Causal-1000) > 1 {
		t.Errorf("tokens a second %+v, want 2000, 2000, 1000", s)
	}
	if l := rep.Line; !(l.Diffusion > 0 && l.Verify > 0 && l.Causal > 0) {
		t.Errorf("lines %+v", l)
	}
	if want := 161 + 3*24*2; g.asked != want {
		t.Errorf("%d requests, want %d: 24 lines in three modes, each with a warm one", g.asked, want)
	}
	lost := errors.New("device lost")
	if err := BenchReplay(t.Context(), &typist{err: lost}, &rep); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
}
