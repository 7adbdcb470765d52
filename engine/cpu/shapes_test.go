package cpu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels/emulated"
	"github.com/seedling-lsp/seedling/engine/model"
)

// dims are what a random network varies in.
type dims struct{ d, ff, layers, heads, kv, hd, vocab int }

// random makes a float network of the golden model's scheme with other dimensions.
func random(t testing.TB, s dims) *model.Weights {
	t.Helper()
	c := golden(t).Config
	c.HiddenSize, c.IntermediateSize, c.NumLayers = s.d, s.ff, s.layers
	c.NumHeads, c.NumKVHeads, c.HeadDim, c.VocabSize = s.heads, s.kv, s.hd, s.vocab
	c.MaxPositions = 1024
	r := rand.New(rand.NewPCG(uint64(s.d), uint64(s.ff)))
	mat := func(rows, cols int) model.Matrix {
		m := model.Matrix{Rows: rows, Cols: cols, F32: make([]float32, rows*cols)}
		for i := range m.F32 {
			m.F32[i] = float32(r.NormFloat64()) * 0.1
		}
		return m
	}
	vec := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = 0.5 + r.Float32()
		}
		return v
	}
	w := &model.Weights{Config: c, Embed: mat(s.vocab, s.d), Norm: vec(s.d)}
	q, kv := s.heads*s.hd, s.kv*s.hd
	for range s.layers {
		w.Layers = append(w.Layers, model.Layer{
			InputNorm: vec(s.d), PostNorm: vec(s.d), QNorm: vec(s.hd), KNorm: vec(s.hd),
			Q: mat(q, s.d), K: mat(kv, s.d), V: mat(kv, s.d), O: mat(s.d, q),
			Gate: mat(s.ff, s.d), Up: mat(s.ff, s.d), Down: mat(s.d, s.ff),
		})
	}
	return w
}

// TestThreadsAgree: the number of threads changes no bit of an answer, in networks whose widths
// are whole panels and in those whose are not. Without it a phase may read rows that
// another worker is writing (the rows of h once had two strides: with d = 40 a third
// of all passes on two threads were wrong, with panels of 48 any d of 256 would be).
func TestThreadsAgree(t *testing.T) {
	ctx := context.Background()
	for _, s := range []dims{{40, 72, 4, 2, 1, 24, 300}, {56, 40, 4, 4, 2, 8, 333}, {64, 96, 4, 3, 3, 16, 320}} {
		w := random(t, s)
		for _, isa := range nativeSets() {
			t.Run(fmt.Sprintf("%s/d%d", isa, s.d), func(t *testing.T) {
				var want []backend.Top
				for _, threads := range []int{1, 2, 3} {
					be, err := New(w, Options{ISA: isa, Threads: threads})
					if err != nil {
						t.Fatal(err)
					}
					seq, err := be.Fork(backend.Root)
					if err != nil {
						t.Fatal(err)
					}
					var rows []backend.Row
					for i := range 33 {
						rows = append(rows, backend.Row{Seq: seq, Token: backend.TokenID(9 + i), Pos: int32(i), Want: backend.WantTop})
					}
					rounds := 30
					if slices.Contains(emulated.Sets, isa) {
						rounds = 4
					}
					for range rounds {
						got, err := be.Forward(ctx, backend.Batch{Rows: rows})
						if err != nil {
							t.Fatal(err)
						}
						if want == nil {
							want = got
						}
						for i := range got {
							if want[i] != got[i] {
								t.Fatalf("%d threads, row %d: %+v, first %+v", threads, i, got[i], want[i])
							}
						}
						if err := be.Truncate(seq, 0); err != nil {
							t.Fatal(err)
						}
					}
					be.Close()
				}
			})
		}
	}
}
