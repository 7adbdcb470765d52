package cpu

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
)

// line makes want-all rows of one kind from pos on.
func line(seq backend.Sequence, kind backend.Kind, pos int, tokens ...backend.TokenID) []backend.Row {
	var rows []backend.Row
	for i, tok := range tokens {
		rows = append(rows, backend.Row{Seq: seq, Token: tok, Pos: int32(pos + i), Kind: kind, Want: backend.WantTop | backend.WantTarget, Target: 33})
	}
	return rows
}

func some(r *rand.Rand, n int) []backend.TokenID {
	out := make([]backend.TokenID, n)
	for i := range out {
		out[i] = 9 + backend.TokenID(r.IntN(300))
	}
	return out
}

// forward runs a pass whose rows all ask, and strips the rows' numbers off the answers.
func forward(t testing.TB, be *Backend, rows ...[]backend.Row) []backend.Top {
	t.Helper()
	tops, err := be.Forward(context.Background(), backend.Batch{Rows: slices.Concat(rows...), Forbid: []backend.TokenID{0}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range tops {
		tops[i].Row = 0
	}
	return tops
}

// TestMixed: a commit and the next block's first step in one pass, several sequences side
// by side, give to the last bit what passes one by one give. Without it the decoder's
// commit-with-next would read another context than it thinks.
func TestMixed(t *testing.T) {
	for _, s := range []dims{{40, 72, 3, 2, 1, 24, 320}, {64, 96, 2, 6, 1, 16, 320}, {48, 80, 2, 3, 3, 8, 320}} {
		w := random(t, s)
		for _, isa := range allSets() {
			be, err := New(w, Options{ISA: isa, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, uint64(s.d)))
			for round := range 6 {
				var seqs []backend.Sequence
				for range 4 {
					seq, err := be.Fork(backend.Root)
					if err != nil {
						t.Fatal(err)
					}
					seqs = append(seqs, seq)
				}
				n, m := 1+r.IntN(20), 1+r.IntN(20)
				before, block, canvas, other := some(r, n), some(r, m), some(r, 1+r.IntN(17)), some(r, 1+r.IntN(9))
				canvas[0] = 0
				// One by one on sequence 0 and 1 ...
				forward(t, be, line(seqs[0], backend.Context, 0, before...))
				want := forward(t, be, line(seqs[0], backend.Context, n, block...))
				want = append(want, forward(t, be, line(seqs[0], backend.Canvas, n+m, canvas...))...)
				want = append(want, forward(t, be, line(seqs[1], backend.Context, 0, other...))...)
				want = append(want, forward(t, be, line(backend.Root, backend.Canvas, 0, canvas...))...)
				// ... and at once on 2 and 3.
				forward(t, be, line(seqs[2], backend.Context, 0, before...))
				got := forward(t, be, line(seqs[2], backend.Context, n, block...), line(seqs[2], backend.Canvas, n+m, canvas...),
					line(seqs[3], backend.Context, 0, other...), line(backend.Root, backend.Canvas, 0, canvas...))
				if !slices.Equal(got, want) {
					t.Fatalf("%s %+v round %d: together %+v, one by one %+v", isa, s, round, got, want)
				}
				for i, q := range seqs {
					if be.Len(q) != []int{n + m, len(other), n + m, len(other)}[i] {
						t.Fatalf("sequence %d holds %d tokens", i, be.Len(q))
					}
					if err := be.Release(q); err != nil {
						t.Fatal(err)
					}
				}
			}
			be.Close()
		}
	}
}

// TestForkIsolates: what a fork reads never shows in its origin, whatever becomes of
// either, and a released sequence's memory starts anew.
func TestForkIsolates(t *testing.T) {
	w := golden(t)
	for _, isa := range allSets() {
		be, err := New(w, Options{ISA: isa, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(5, 5))
		probe := some(r, 5)
		a, _ := be.Fork(backend.Root)
		tokens := some(r, 20)
		forward(t, be, line(a, backend.Context, 0, tokens...))
		want := forward(t, be, line(a, backend.Canvas, 20, probe...))
		short := forward(t, be, line(backend.Root, backend.Canvas, 0, probe...))
		for range 5 {
			b, err := be.Fork(a)
			if err != nil {
				t.Fatal(err)
			}
			if err := be.Truncate(b, 10); err != nil {
				t.Fatal(err)
			}
			forward(t, be, line(b, backend.Context, 10, some(r, 15)...))
			if got := forward(t, be, line(a, backend.Canvas, 20, probe...)); !slices.Equal(got, want) {
				t.Fatalf("%s: the fork changed its origin", isa)
			}
			if err := be.Release(b); err != nil {
				t.Fatal(err)
			}
			c, _ := be.Fork(backend.Root) // gets the memory of b
			if be.Len(c) != 0 {
				t.Fatalf("%s: a new sequence holds %d tokens", isa, be.Len(c))
			}
			if got := forward(t, be, line(c, backend.Canvas, 0, probe...)); !slices.Equal(got, short) {
				t.Fatalf("%s: a new sequence sees an old one's tokens", isa)
			}
			if err := be.Release(c); err != nil {
				t.Fatal(err)
			}
		}
		be.Close()
	}
}

// TestCancelLeavesCache: passes cancelled at any moment give the context's error or the
// whole answer, and later answers are those of a cache that was never disturbed. Run
// with -race it also shows that the flag is shared with C rightly.
func TestCancelLeavesCache(t *testing.T) {
	w := random(t, dims{64, 160, 12, 4, 2, 16, 320})
	for _, isa := range []string{nativeSets()[0], Reference} {
		be, err := New(w, Options{ISA: isa, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(7, 7))
		seq, _ := be.Fork(backend.Root)
		tokens, next, probe := some(r, 12), some(r, 30), some(r, 6)
		forward(t, be, line(seq, backend.Context, 0, tokens...))
		want := forward(t, be, line(seq, backend.Canvas, 12, probe...))
		stopped := 0
		for range 150 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(1500))*time.Microsecond)
			_, err := be.Forward(ctx, backend.Batch{Rows: line(seq, backend.Context, 12, next...)})
			cancel()
			switch {
			case err == nil:
				if err := be.Truncate(seq, 12); err != nil {
					t.Fatal(err)
				}
			case errors.Is(err, context.DeadlineExceeded):
				stopped++
			default:
				t.Fatal(err)
			}
			if got := forward(t, be, line(seq, backend.Canvas, 12, probe...)); !slices.Equal(got, want) {
				t.Fatalf("%s: a cancelled pass left a trace", isa)
			}
		}
		if stopped == 0 {
			t.Errorf("%s: no pass was cancelled, nothing was tested", isa)
		}
		be.Close()
	}
}

// TestForbidden: forbidden tokens take no part in any answer, and asking for one's
// likelihood gives minus infinity.
func TestForbidden(t *testing.T) {
	for _, isa := range allSets() {
		be, err := New(golden(t), Options{ISA: isa, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		row := []backend.Row{{Seq: backend.Root, Token: 0, Kind: backend.Canvas, Want: backend.WantTop | backend.WantTarget}}
		var forbid []backend.TokenID
		for range 10 { // each best token in turn
			tops, err := be.Forward(context.Background(), backend.Batch{Rows: row, Forbid: forbid})
			if err != nil {
				t.Fatal(err)
			}
			top := tops[0]
			if slices.Contains(forbid, top.Best) || slices.Contains(forbid, top.Second) {
				t.Fatalf("%s: %+v in spite of %v", isa, top, forbid)
			}
			if len(forbid) > 0 && !math.IsInf(float64(top.TargetLog), -1) {
				t.Fatalf("%s: the forbidden %d has log-probability %g", isa, row[0].Target, top.TargetLog)
			}
			forbid = append(forbid, top.Best)
			row[0].Target = top.Best
		}
		forbid = forbid[:0] // all but one: as while the beginning of an answer is given
		for id := range backend.TokenID(golden(t).Config.VocabSize) {
			if id != 7 {
				forbid = append(forbid, id)
			}
		}
		row[0].Target = 7
		tops, err := be.Forward(context.Background(), backend.Batch{Rows: row, Forbid: forbid})
		if err != nil {
			t.Fatal(err)
		}
		if top := tops[0]; top.Best != 7 || top.Second != backend.NoToken || math.Abs(float64(top.Prob)-1) > 1e-6 || top.SecondProb != 0 || math.Abs(float64(top.TargetLog)) > 1e-6 {
			t.Errorf("%s: %+v where only 7 is left", isa, top)
		}
		be.Close()
	}
}

// TestBadWeights: weights that are not what their config says are refused before C reads
// one of them.
func TestBadWeights(t *testing.T) {
	for name, harm := range map[string]func(w *model.Weights){
		"short matrix": func(w *model.Weights) { w.Layers[1].Down.F32 = w.Layers[1].Down.F32[:10] },
		"wrong shape": func(w *model.Weights) {
			w.Layers[0].Q.Rows, w.Layers[0].Q.Cols = w.Layers[0].Q.Cols, w.Layers[0].Q.Rows
		},
		"no scales":     func(w *model.Weights) { q := w.Quantize(); w.Embed = q.Embed; w.Embed.Scale = nil },
		"short norm":    func(w *model.Weights) { w.Layers[1].KNorm = w.Layers[1].KNorm[1:] },
		"a layer less":  func(w *model.Weights) { w.Layers = w.Layers[1:] },
		"another vocab": func(w *model.Weights) { w.Config.VocabSize *= 2 },
		"own head":      func(w *model.Weights) { w.Head = w.Embed },
		"config":        func(w *model.Weights) { w.Config.NumKVHeads = 3 },
	} {
		for _, isa := range []string{nativeSets()[0], Reference} {
			w := golden(t)
			harm(w)
			if be, err := New(w, Options{ISA: isa}); err == nil {
				be.Close()
				t.Errorf("%s: accepted on %s", name, isa)
			}
		}
	}
	if _, err := New(golden(t), Options{ISA: "altivec"}); err == nil {
		t.Error("an unknown instruction set was accepted")
	}
}

// TestClosed: a closed backend refuses work instead of touching freed memory.
func TestClosed(t *testing.T) {
	be, err := New(golden(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	seq, _ := be.Fork(backend.Root)
	for range 2 {
		if err := be.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, forward := be.Forward(context.Background(), backend.Batch{Rows: line(seq, backend.Context, 0, 9)})
	_, fork := be.Fork(seq)
	for _, err := range []error{forward, fork, be.Truncate(seq, 0), be.Release(seq)} {
		if !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}
