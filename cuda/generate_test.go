package cuda

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// clear is the reference, with an eye on how near its decisions were: the smallest distance,
// in nats, of a best token from the next, and of a probability from the threshold.
type clear struct {
	backend.Backend
	least float64
}

func (c *clear) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	tops, err := c.Backend.Forward(ctx, b)
	for _, t := range tops {
		if b.Rows[t.Row].Want&backend.WantTop != 0 && t.SecondProb > 0 {
			c.least = min(c.least, math.Log(float64(t.Prob/t.SecondProb)), math.Abs(float64(t.Prob)-denoise.DefaultThreshold))
		}
	}
	return tops, err
}

// TestGenerates writes whole answers, by every mode, on the embedded PTX and on the CPU: the
// same tokens in the same forwards. The network is the first of a row of random ones in whose
// answers no decision is nearer than bf16 can tell. Diffusion decides on the device: it waits
// less often than it makes passes.
func TestGenerates(t *testing.T) {
	generates(t, func() driver.Driver { return interpreter(ptx.Options{}) })
}

func generates(t *testing.T, open func() driver.Driver) {
	s := dims{72, 100, 2, 3, 1, 24, 131, false, true}
	opt := denoise.Options{BlockSize: 8, MaxTokens: 21, Tokens: denoise.Tokens{Mask: 0, End: 1, Delete: backend.NoToken, Insert: backend.NoToken, Never: []backend.TokenID{2, 3, 4, 5, 6, 7, 8}}}
	for _, c := range []struct {
		name           string
		mode           denoise.Mode
		shift, revises bool
		seed           uint64 // where looking from 0 found one
	}{
		{"diffusion", denoise.Diffusion, false, false, 189},
		{"diffusion_shifted_and_revised", denoise.Diffusion, true, true, 259},
		{"verify", denoise.Verify, false, false, 86},
		{"causal", denoise.Causal, false, false, 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			opt := opt
			opt.Mode, opt.Shift, opt.Revises = c.mode, c.shift, c.revises
			for seed := c.seed; seed < c.seed+400; seed++ {
				w := randomSeed(s, seed)
				for i := range w.Norm {
					w.Norm[i] *= 4 // sure of itself
				}
				r := rand.New(rand.NewPCG(seed, 1))
				var pending []backend.TokenID
				for range 13 {
					pending = append(pending, backend.TokenID(9+r.IntN(s.vocab-9)))
				}
				plain, err := cpu.New(w, cpu.Options{ISA: cpu.Reference})
				if err != nil {
					t.Fatal(err)
				}
				ref := &clear{plain, math.Inf(1)}
				write := func(b backend.Backend) denoise.Result {
					seq, err := b.Fork(backend.Root)
					if err != nil {
						t.Fatal(err)
					}
					res, err := denoise.Run(context.Background(), b, seq, slices.Clone(pending), opt)
					if err != nil {
						t.Fatal(err)
					}
					return res
				}
				want := write(ref)
				if ref.least < 0.04 || len(want.Tokens) < opt.MaxTokens {
					continue
				}
				rec := driver.Record(open())
				card, err := New(w, rec, Options{Rows: 64, Positions: 64, Sequences: 2})
				if err != nil {
					t.Fatal(err)
				}
				defer card.Close()
				got := write(card)
				if !slices.Equal(got.Decided, want.Decided) || got.Forwards != want.Forwards || got.Reason != want.Reason {
					t.Errorf("seed %d: %v in %d forwards, the CPU writes %v in %d", seed, got.Decided, got.Forwards, want.Decided, want.Forwards)
				}
				waits := rec.Count["Read"]
				if c.mode == denoise.Diffusion && got.Forwards > got.Blocks && waits >= got.Forwards {
					t.Errorf("seed %d: %d passes were waited for %d times", seed, got.Forwards, waits)
				}
				t.Logf("seed %d: %d tokens in %d forwards, waited for %d times, nearest decision %.3f", seed, len(got.Tokens), got.Forwards, waits, ref.least)
				return
			}
			t.Error("no network whose answer is clear")
		})
	}
}
