package eval

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// typist answers every request alike and counts them.
type typist struct {
	asked int
	err   error
}

func (g *typist) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	g.asked++
	res := engine.Result{Text: "answer()", Stop: "line", Tokens: 4, Forwards: 3, ContextTokens: 100, CachedTokens: 98, Denoise: 2 * time.Millisecond}
	if r.Decode == denoise.Causal {
		res.Denoise = 4 * time.Millisecond
	}
	return res, g.err
}

// TestBenchLines: 24 lines are completed in each mode behind a context that is read, and rates
// are tokens over the time of denoising. Without it an edit of the bundled file (this package's
// own source) would silently end the bench.
func TestBenchLines(t *testing.T) {
	var rep BenchReport
	g := &typist{}
	if err := BenchLines(t.Context(), g, &rep); err != nil {
		t.Fatal(err)
	}
	if s := rep.TokensPerSecond; math.Abs(s.Diffusion-2000) > 1 || math.Abs(s.Verify-2000) > 1 || math.Abs(s.Causal-1000) > 1 {
		t.Errorf("tokens a second %+v, want 2000, 2000, 1000", s)
	}
	if l := rep.Line; !(l.Diffusion > 0 && l.Verify > 0 && l.Causal > 0) {
		t.Errorf("lines %+v", l)
	}
	if want := 3 * 24 * 2; g.asked != want {
		t.Errorf("%d requests, want %d: 24 lines in three modes, each with a warm one", g.asked, want)
	}
	lost := errors.New("device lost")
	if err := BenchLines(t.Context(), &typist{err: lost}, &rep); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
}
