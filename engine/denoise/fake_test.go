package denoise

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// Tokens of the fake's vocabulary.
const (
	mask backend.TokenID = iota
	end
	marker
	del
	ins
	firstText
	vocab = 40
)

var fakeTokens = Tokens{Mask: mask, End: end, Delete: del, Insert: ins, Never: []backend.TokenID{marker}}

// fake is a small deterministic language model: its logits are hashes of what a row may
// see. A canvas row predicts, depending on hashes too, what greedy causal decoding would
// write there or something else; a visible one sometimes wants to be revised. It holds
// its caller to the rules of backend.Batch.
type fake struct {
	seed   uint64
	agree  uint64 // of 10 canvas rows, how many predict as the causal reading does
	revise uint64 // of 10 visible rows, how many want another token
	enders float64
	shift  bool // canvas rows predict the next position's token
	limits backend.Limits
	endNot bool // the end may be forbidden anywhere

	seqs map[backend.Sequence][]backend.TokenID
	next backend.Sequence

	forwards int
	asked    int // rows
	// before is called before each forward, counted from 1.
	before func(n int)
	// logits, if set, replaces those of a canvas row.
	logits func(canvas []backend.TokenID, i int) []float64
	// batches are what Forward got.
	batches []backend.Batch
}

func newFake(seed uint64) *fake {
	return &fake{seed: seed, agree: 7, limits: backend.Limits{Positions: 200, Sequences: 4, Rows: 64},
		seqs: map[backend.Sequence][]backend.TokenID{backend.Root: nil}}
}

func (f *fake) Limits() backend.Limits           { return f.limits }
func (f *fake) Len(s backend.Sequence) int       { return len(f.seqs[s]) }
func (f *fake) Release(s backend.Sequence) error { delete(f.seqs, s); return nil }
func (f *fake) Close() error                     { return nil }

func (f *fake) Fork(s backend.Sequence) (backend.Sequence, error) {
	f.next++
	f.seqs[f.next] = slices.Clone(f.seqs[s])
	return f.next, nil
}

func (f *fake) Truncate(s backend.Sequence, n int) error {
	if n < 0 || n > len(f.seqs[s]) {
		return fmt.Errorf("truncate to %d of %d", n, len(f.seqs[s]))
	}
	f.seqs[s] = f.seqs[s][:n:n]
	return nil
}

func (f *fake) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	if f.before != nil {
		f.before(f.forwards + 1)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(b.Rows) == 0 || len(b.Rows) > f.limits.Rows {
		return nil, fmt.Errorf("%w: %d rows", backend.ErrBatch, len(b.Rows))
	}
	if !slices.Contains(b.Forbid, mask) || !slices.Contains(b.Forbid, marker) || !f.endNot && slices.Contains(b.Forbid, end) != (len(b.Forbid) > vocab/2) {
		return nil, fmt.Errorf("%w: forbids %v", backend.ErrBatch, b.Forbid)
	}
	seq := b.Rows[0].Seq
	tokens := slices.Clone(f.seqs[seq])
	n := 0
	for ; n < len(b.Rows) && b.Rows[n].Kind == backend.Context; n++ {
		if b.Rows[n].Token == mask || b.Rows[n].Token < 0 {
			return nil, fmt.Errorf("%w: context of token %d", backend.ErrBatch, b.Rows[n].Token)
		}
		tokens = append(tokens, b.Rows[n].Token)
	}
	var canvas []backend.TokenID
	for _, r := range b.Rows[n:] {
		canvas = append(canvas, r.Token)
	}
	if f.shift && len(canvas) > 0 {
		lead, visible := canvas[0] != mask, 0
		for _, c := range canvas {
			if c != mask {
				visible++
			}
		}
		if lead && visible == 1 || !lead && visible > 0 || !lead && n == 0 && f.limits.Rows > 30 {
			return nil, fmt.Errorf("%w: a shifted canvas of %v after %d rows of context", backend.ErrBatch, canvas, n)
		}
	}
	for i, r := range b.Rows {
		if r.Seq != seq || int(r.Pos) != len(f.seqs[seq])+i || i >= n && r.Kind != backend.Canvas || int(r.Pos) >= f.limits.Positions {
			return nil, fmt.Errorf("%w: row %d is %+v after %d tokens", backend.ErrBatch, i, r, len(f.seqs[seq]))
		}
	}
	var tops []backend.Top
	for i, r := range b.Rows {
		if r.Want == 0 {
			continue
		}
		f.asked++
		// The canvas as positions that are asked for, and which of them this row answers.
		seen, cells, at := tokens, canvas, i-n
		if f.shift && len(canvas) > 0 {
			if canvas[0] == mask {
				cells, at = append(slices.Clone(canvas), mask), i-n+1
			} else if seen, cells = append(slices.Clone(tokens), canvas[0]), canvas[1:]; b.Rows[len(b.Rows)-1].Want != 0 {
				cells = append(slices.Clone(cells), mask)
			}
		}
		var logits []float64
		switch {
		case i < n-1 || i < n && !(f.shift && f.logits != nil):
			logits = f.causal(tokens[:len(tokens)-n+i+1])
		case f.logits != nil:
			if i < n && len(canvas) == 0 {
				cells = []backend.TokenID{mask}
			}
			logits = f.logits(cells, at)
		default:
			logits = f.canvas(seen, cells, at)
		}
		tops = append(tops, top(logits, b.Forbid, i, r))
	}
	f.seqs[seq] = tokens
	f.forwards++
	b.Rows = slices.Clone(b.Rows)
	f.batches = append(f.batches, b)
	return tops, nil
}

// random gives logits that depend on parts alone.
func (f *fake) random(parts ...[]backend.TokenID) []float64 {
	h := fnv.New64a()
	fmt.Fprint(h, f.seed, parts)
	r := rand.New(rand.NewPCG(h.Sum64(), f.seed))
	logits := make([]float64, vocab)
	for i := range logits {
		logits[i] = r.Float64() * 6
	}
	logits[r.IntN(vocab)] += r.Float64() * 12 // some rows are sure
	logits[end] += f.enders
	return logits
}

// causal sees the last tokens, so that texts repeat.
func (f *fake) causal(tokens []backend.TokenID) []float64 {
	return f.random(tokens[max(0, len(tokens)-3):])
}

func (f *fake) canvas(tokens, canvas []backend.TokenID, i int) []float64 {
	logits := f.random(tokens[max(0, len(tokens)-3):], canvas, []backend.TokenID{backend.TokenID(i)})
	dice := uint64(logits[0]*1e9) % 10
	switch {
	case canvas[i] != mask && dice >= f.revise:
		logits[canvas[i]] += 20
	case canvas[i] == mask && dice < f.agree:
		chain := slices.Clone(tokens)
		for _, t := range canvas[:i] {
			if t == mask {
				t = f.greedy(chain)
			}
			chain = append(chain, t)
		}
		return f.causal(chain)
	}
	return logits
}

// greedy is the token that greedy causal decoding writes after tokens, of those not
// forbidden.
func (f *fake) greedy(tokens []backend.TokenID, forbid ...backend.TokenID) backend.TokenID {
	return top(f.causal(tokens), append([]backend.TokenID{mask, marker, del, ins}, forbid...), 0, backend.Row{}).Best
}

// logProb is the causal log-probability of t after tokens, among those not forbidden.
func (f *fake) logProb(tokens []backend.TokenID, t backend.TokenID, forbid []backend.TokenID) float32 {
	return top(f.causal(tokens), append([]backend.TokenID{mask, marker, del, ins}, forbid...), 0, backend.Row{Target: t}).TargetLog
}

func top(logits []float64, forbid []backend.TokenID, row int, r backend.Row) backend.Top {
	t := backend.Top{Row: row, Best: backend.NoToken, Second: backend.NoToken}
	sum := 0.0
	for i, l := range logits {
		id := backend.TokenID(i)
		if slices.Contains(forbid, id) {
			continue
		}
		sum += math.Exp(l)
		switch {
		case t.Best < 0 || l > logits[t.Best]:
			t.Best, t.Second = id, t.Best
		case t.Second < 0 || l > logits[t.Second]:
			t.Second = id
		}
	}
	t.Prob = float32(math.Exp(logits[t.Best]) / sum)
	if t.Second >= 0 {
		t.SecondProb = float32(math.Exp(logits[t.Second]) / sum)
	}
	t.LogZ = float32(math.Log(sum))
	if r.Target >= 0 {
		t.TargetLog = float32(logits[r.Target] - math.Log(sum))
	}
	return t
}
