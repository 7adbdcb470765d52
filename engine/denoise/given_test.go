package denoise

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/memory"
)

// An answer that takes the rival of some token must be what decoding would have written
// had it come so far, with the same likelihoods, whatever the sequence holds already; and
// of tokens that may not come next none must. Otherwise candidates would be ranked by
// likelihoods that are not theirs, or would go on from another text than they show.
func TestGiven(t *testing.T) {
	ends := map[Reason]int{}
	without := 0
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		d.f.endNot = true
		mode := rapid.SampledFrom([]Mode{Diffusion, Verify, Causal}).Draw(t, "mode")
		first, _ := d.run(t, mode, 1)
		if len(first.Decided) == 0 {
			return
		}
		n := rapid.IntRange(0, len(first.Decided)-1).Draw(t, "given")
		d.given = slices.Clone(first.Decided[:n])
		if rapid.Bool().Draw(t, "another") {
			next := backend.TokenID(rapid.IntRange(int(firstText), vocab-1).Draw(t, "other"))
			if n < len(d.begin) {
				next = rapid.SampledFrom(d.begin[n]).Draw(t, "other of the beginning")
			}
			d.given = append(d.given, next)
		}
		if len(d.given) >= len(d.begin) && rapid.Bool().Draw(t, "not") {
			best, _ := d.causal(d.given, end)
			d.not = []backend.TokenID{best, end}
			without++
		}
		want, why := d.greedy()
		got, seq := d.run(t, mode, rapid.IntRange(1, len(d.context)).Draw(t, "pending"))
		ends[got.Reason]++
		switch {
		case mode == Diffusion:
			if !slices.Equal(got.Decided[:len(d.given)], d.given) {
				t.Fatalf("%v does not begin with %v", got.Decided, d.given)
			}
			if len(d.not) > 0 && len(got.Decided) > len(d.given) && slices.Contains(d.not, got.Decided[len(d.given)]) {
				t.Fatalf("%v goes on from %v with one of %v", got.Decided, d.given, d.not)
			}
		case !slices.Equal(got.Tokens, want) || got.Reason != why:
			t.Fatalf("after %v, without %v, mode %d wrote %v (%v), greedy decoding %v (%v)", d.given, d.not, mode, got.Tokens, got.Reason, want, why)
		default:
			checkLogs(t, d, got, len(want), false)
		}
		held := d.f.seqs[seq]
		if whole := append(slices.Clone(d.context), got.Decided...); len(held) > len(whole) || !slices.Equal(held, whole[:len(held)]) {
			t.Fatalf("the sequence holds %v after %v and %v", held, d.context, got.Decided)
		}
	})
	if ends[Ended] == 0 || ends[Stopped] == 0 || ends[Budget] == 0 || without == 0 {
		t.Errorf("ended by %v, %d times without some tokens: not all was tested", ends, without)
	}
}

// The rivals are by definition the best tokens besides those taken, of the model's two best
// and the memory's first, in every mode; and who asks for them gets the same answer in as
// many forwards.
func TestRivals(t *testing.T) {
	seen, endings := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		d.opt.Score = true
		mode := rapid.SampledFrom([]Mode{Diffusion, Verify, Causal}).Draw(t, "mode")
		plain, _ := d.run(t, mode, 1)
		d.opt.Rivals = true
		r, _ := d.run(t, mode, 1)
		if !slices.Equal(plain.Decided, r.Decided) || plain.Forwards != r.Forwards || plain.Rivals != nil {
			t.Fatalf("%v in %d forwards, with rivals %v in %d", plain.Decided, plain.Forwards, r.Decided, r.Forwards)
		}
		more := 0
		if r.EndLogProb != 0 {
			more = 1
			endings++
			if _, want := d.causal(r.Decided, end); math.Abs(float64(r.EndLogProb-want)) > 1e-4 {
				t.Fatalf("the end has %g, read at once %g", r.EndLogProb, want)
			}
		}
		if len(r.Rivals) != len(r.LogProbs)+more || r.Reason == Ended && mode != Diffusion && more == 0 {
			t.Fatalf("%d rivals to %d tokens, %d to the end: %v", len(r.Rivals), len(r.LogProbs), more, r.Reason)
		}
		for i, got := range r.Rivals {
			taken := end
			if i < len(r.Decided) {
				taken = r.Decided[i]
			}
			alone := mode == Diffusion && i >= len(d.begin)
			want := d.rival(r.Decided[:i], taken, alone)
			if got.Token != want.Token || got.Token != backend.NoToken && math.Abs(float64(got.LogProb-want.LogProb)) > 1e-4 {
				t.Fatalf("mode %d, the rival of token %d (%d) is %+v, by definition %+v", mode, i, taken, got, want)
			}
			seen++
		}
	})
	if seen == 0 || endings == 0 {
		t.Errorf("%d rivals, %d endings were looked at", seen, endings)
	}
}

// rival is the best besides the token taken, by definition; alone: by the model.
func (d drawn) rival(decided []backend.TokenID, taken backend.TokenID, alone bool) Rival {
	never := append([]backend.TokenID{mask, marker, del, ins}, d.forbid(len(decided))...)
	logits := d.f.causal(append(slices.Clone(d.context), decided...))
	of := top(logits, never, 0, backend.Row{})
	g := memory.Guess{}
	if d.repeats && !alone {
		g = d.memory().Guess(decided).Only(func(t backend.TokenID) bool { return !slices.Contains(never, t) })
	}
	known := []backend.TokenID{of.Best, of.Second}
	if g.Weight() > 0 {
		known = append(known, g.Said[0].Token)
	}
	best := Rival{Token: backend.NoToken, LogProb: float32(math.Inf(-1))}
	for _, t := range known {
		if t < 0 || t == taken {
			continue
		}
		l := top(logits, never, 0, backend.Row{Target: t}).TargetLog
		p := float64(1-g.Weight())*math.Exp(float64(l)) + float64(g.Weight()*g.Share(t))
		if log := float32(math.Log(p)); log > best.LogProb {
			best = Rival{t, log}
		}
	}
	return best
}
