package denoise

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/memory"
)

// drawn is a random case: a fake, a context and options.
type drawn struct {
	f       *fake
	context []backend.TokenID
	begin   [][]backend.TokenID // of which the answer's first tokens are
	opt     Options
	repeats bool              // what stands in the context is remembered
	given   []backend.TokenID // Options.Given
	not     []backend.TokenID // Options.Not
}

// memory is what a run may remember; nil: nothing.
func (d drawn) memory() *memory.Recollection {
	if !d.repeats {
		return nil
	}
	return memory.Recall(d.context, nil)
}

// causal is the reading of the fake with what is remembered, by its definition, after
// decided tokens; and the log-probability that it gives to t.
func (d drawn) causal(decided []backend.TokenID, t backend.TokenID) (best backend.TokenID, logProb float32) {
	never := append([]backend.TokenID{mask, marker, del, ins}, d.forbid(len(decided))...)
	if len(decided) == len(d.given) {
		never = append(never, d.not...)
	}
	logits := d.f.causal(append(slices.Clone(d.context), decided...))
	g := memory.Guess{}
	if d.repeats {
		g = d.memory().Guess(decided)
		g = g.Only(func(t backend.TokenID) bool { return !slices.Contains(never, t) })
	}
	model := top(logits, never, 0, backend.Row{}).Best
	p := func(t backend.TokenID) float64 {
		l := top(logits, never, 0, backend.Row{Target: t}).TargetLog
		return float64(1-g.Weight())*math.Exp(float64(l)) + float64(g.Weight()*g.Share(t))
	}
	best = model
	if len(g.Said) > 0 && p(g.Said[0].Token) > p(model) {
		best = g.Said[0].Token
	}
	return best, float32(math.Log(p(t)))
}

// forbid is what may not stand at position i of an answer; nil: it is free.
func (d drawn) forbid(i int) (forbid []backend.TokenID) {
	for t := backend.TokenID(0); i < len(d.begin) && t < vocab; t++ {
		if !slices.Contains(d.begin[i], t) {
			forbid = append(forbid, t)
		}
	}
	return forbid
}

func draw(t *rapid.T) drawn {
	f := newFake(rapid.Uint64().Draw(t, "seed"))
	f.agree = rapid.Uint64Range(0, 10).Draw(t, "agree")
	f.revise = rapid.Uint64Range(0, 8).Draw(t, "revise")
	f.enders = rapid.Float64Range(0, 6).Draw(t, "enders")
	f.shift = rapid.Bool().Draw(t, "shift")
	f.limits.Rows = rapid.IntRange(2, 40).Draw(t, "rows")
	f.limits.Positions = rapid.IntRange(20, 90).Draw(t, "positions")
	d := drawn{f: f, opt: Options{
		Settings: Settings{
			Threshold:      rapid.SampledFrom([]float32{0, 0.2, 0.5, 0.9, 2}).Draw(t, "threshold"),
			Revise:         rapid.SampledFrom([]float32{0, 0.3, 0.5, 0.9}).Draw(t, "revise threshold"),
			DraftThreshold: rapid.SampledFrom([]float32{0, 0.05, 0.6}).Draw(t, "draft threshold"),
			Factor:         rapid.SampledFrom([]float32{0, 0, 1, 3}).Draw(t, "factor"),
		},
		BlockSize: rapid.IntRange(1, 12).Draw(t, "block"),
		MaxTokens: rapid.IntRange(1, 40).Draw(t, "max"),
		Revises:   rapid.Bool().Draw(t, "revises"),
		Score:     rapid.Bool().Draw(t, "score"),
		Tokens:    fakeTokens,
	}}
	for _, x := range rapid.SliceOfN(rapid.IntRange(int(firstText), vocab-1), 1, 15).Draw(t, "context") {
		d.context = append(d.context, backend.TokenID(x))
	}
	d.repeats = rapid.Bool().Draw(t, "repeats")
	if said := rapid.IntRange(0, 20).Draw(t, "said before"); d.repeats && 2*len(d.context)+said < min(f.limits.Positions-1, 18) {
		// What the model would write stands in the context already, and then its beginning.
		begun := slices.Clone(d.context)
		for range said {
			d.context = append(d.context, f.greedy(d.context, end))
		}
		d.context = append(d.context, begun...)
	}
	for range rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "begin") {
		some := rapid.SliceOfN(rapid.IntRange(int(firstText), vocab-1), 1, 4).Draw(t, "one of")
		d.begin = append(d.begin, nil)
		for _, x := range some {
			d.begin[len(d.begin)-1] = append(d.begin[len(d.begin)-1], backend.TokenID(x))
		}
	}
	if rapid.Bool().Draw(t, "stops") {
		// Stops at the first token of a kind, and keeps all but so many.
		at, less := rapid.IntRange(0, vocab).Draw(t, "stop at"), rapid.IntRange(0, 3).Draw(t, "less")
		d.opt.Stop = func(decided []backend.TokenID) (int, bool) {
			i := slices.IndexFunc(decided, func(x backend.TokenID) bool { return int(x) >= at })
			return i + 1 - less, i >= 0
		}
	}
	return d
}

// run decodes in a sequence of its own that holds the context but for so many tokens.
func (d drawn) run(t interface{ Fatalf(string, ...any) }, m Mode, pending int) (Result, backend.Sequence) {
	seq, _ := d.f.Fork(backend.Root)
	whole := append(slices.Clone(d.context), d.given...)
	n := len(whole) - pending
	d.f.seqs[seq] = slices.Clone(whole[:n])
	opt := d.opt
	opt.Given, opt.Not = d.given, d.not
	for i := range d.given {
		_, l := d.causal(d.given[:i], d.given[i])
		opt.GivenLogs = append(opt.GivenLogs, l)
	}
	opt.Mode, opt.Shift = m, d.f.shift
	opt.Memory = d.memory()
	if d.begin != nil {
		opt.Begin = func(decided []backend.TokenID) ([]backend.TokenID, bool) {
			return d.forbid(len(decided)), len(decided) >= len(d.begin)
		}
	}
	res, err := Run(context.Background(), d.f, seq, whole[n:], opt)
	if err != nil {
		t.Fatalf("mode %d: %v", m, err)
	}
	return res, seq
}

// greedy is causal decoding by its definition, without any of the code under test.
func (d drawn) greedy() (tokens []backend.TokenID, reason Reason) {
	for _, t := range d.given {
		tokens = append(tokens, t)
		if d.opt.Stop != nil {
			if keep, stop := d.opt.Stop(tokens); stop {
				return tokens[:max(0, min(keep, len(tokens)))], Stopped
			}
		}
	}
	for len(tokens) < min(d.opt.MaxTokens, d.f.limits.Positions-len(d.context)) {
		next, _ := d.causal(tokens, end)
		if next == end {
			return tokens, Ended
		}
		tokens = append(tokens, next)
		if d.opt.Stop != nil {
			if keep, stop := d.opt.Stop(tokens); stop {
				return tokens[:max(0, min(keep, len(tokens)))], Stopped
			}
		}
	}
	return tokens, Budget
}

// A draft costs rows: while drafts fail they must become rare, while they hold as wide as
// the block. Without this verify would cost several times causal decoding for nothing.
func TestAppetite(t *testing.T) {
	eachShift(t, func(t *testing.T, shift bool) {
		for _, tt := range []struct {
			agree          uint64
			forwards, rows int // at the most
		}{{0, 40, 40 + 24}, {10, 12, 90}} {
			d := drawn{f: newFake(5), context: []backend.TokenID{7, 8, 9}, opt: Options{
				Settings: Settings{DraftThreshold: 0.01}, BlockSize: 8, MaxTokens: 40, Tokens: fakeTokens}}
			d.f.agree, d.f.shift, d.f.enders = tt.agree, shift, -20
			r, _ := d.run(t, Verify, 1)
			if len(r.Tokens) != 40 || r.Forwards > tt.forwards || d.f.asked > tt.rows {
				t.Errorf("of 10 drafts %d agree: %d tokens in %d forwards, %d rows asked; want at most %d and %d", tt.agree, len(r.Tokens), r.Forwards, d.f.asked, tt.forwards, tt.rows)
			}
		}
	})
}

// If drafts could change what is written, verify would not be worth its name: it must
// give the very tokens, the reason and the likelihoods of greedy causal decoding, whatever
// the drafts are worth, in no more forwards.
func TestVerifyIsGreedyCausalDecoding(t *testing.T) {
	saved := 0
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		want, why := d.greedy()
		causal, _ := d.run(t, Causal, 1)
		if !slices.Equal(causal.Tokens, want) || causal.Reason != why {
			t.Fatalf("causal wrote %v (%v), greedy decoding %v (%v)", causal.Tokens, causal.Reason, want, why)
		}
		verify, _ := d.run(t, Verify, rapid.IntRange(1, min(len(d.context), d.f.limits.Rows)).Draw(t, "pending"))
		if !slices.Equal(verify.Tokens, want) || verify.Reason != why {
			t.Fatalf("verify wrote %v (%v), greedy decoding %v (%v)", verify.Tokens, verify.Reason, want, why)
		}
		if verify.Forwards > causal.Forwards {
			t.Fatalf("verify took %d forwards, causal %d", verify.Forwards, causal.Forwards)
		}
		saved += causal.Forwards - verify.Forwards
		for _, r := range []Result{causal, verify} {
			checkLogs(t, d, r, len(want), false)
		}
	})
	if saved == 0 {
		t.Error("no draft was ever accepted: the property was not tested")
	}
}

// checkLogs compares likelihoods with those of the text read at once.
func checkLogs(t *rapid.T, d drawn, r Result, atLeast int, scored bool) {
	if len(r.LogProbs) < atLeast || len(r.LogProbs) > len(r.Decided) {
		t.Fatalf("%d log-probabilities for %d tokens, %d decided", len(r.LogProbs), len(r.Tokens), len(r.Decided))
	}
	for i, got := range r.LogProbs {
		if scored && i >= len(d.begin) {
			d.repeats = false // Score of Diffusion is the model's alone
		}
		_, want := d.causal(r.Decided[:i], r.Decided[i])
		if math.Abs(float64(got-want)) > 1e-4 {
			t.Fatalf("log-probability of token %d is %g, read at once %g", i, got, want)
		}
	}
}

// What every answer must be, in every mode: within its bounds, of tokens of text, ended
// for the reason given, with the cache holding what it is said to hold. The fake refuses
// batches that break the contract of the seam.
func TestEveryAnswer(t *testing.T) {
	reasons := map[Reason]int{}
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		mode := rapid.SampledFrom([]Mode{Diffusion, Verify, Causal}).Draw(t, "mode")
		pending := rapid.IntRange(1, len(d.context)).Draw(t, "pending")
		var last State
		steps := 0
		d.opt.Watch = func(s State) {
			if s.Phase == PhaseDenoise && s.Forward <= last.Forward {
				t.Fatalf("forward %d is shown after %d", s.Forward, last.Forward)
			}
			checkState(t, d, s)
			last = State{Forward: s.Forward, Block: s.Block, Done: slices.Clone(s.Done)}
			steps++
		}
		r, seq := d.run(t, mode, pending)
		reasons[r.Reason]++
		if len(r.Decided) > d.opt.MaxTokens || len(d.context)+len(r.Decided) > max(d.f.limits.Positions, len(d.context)) {
			t.Fatalf("%d tokens after %d, of at most %d, %d positions", len(r.Decided), len(d.context), d.opt.MaxTokens, d.f.limits.Positions)
		}
		if !slices.Equal(r.Tokens, r.Decided[:len(r.Tokens)]) {
			t.Fatalf("%v does not begin %v", r.Tokens, r.Decided)
		}
		for i, x := range r.Decided {
			if x < firstText || slices.Contains(d.forbid(i), x) {
				t.Fatalf("token %d of %v, which has to begin with one each of %v", x, r.Decided, d.begin)
			}
		}
		if r.Forwards != d.f.forwards || steps == 0 {
			t.Fatalf("%d forwards and %d steps are told of %d", r.Forwards, steps, d.f.forwards)
		}
		switch {
		case r.Reason == Stopped:
			if keep, stop := d.opt.Stop(r.Decided); !stop || max(0, keep) != len(r.Tokens) {
				t.Fatalf("stopped with %d tokens, the rule says %d, %v", len(r.Tokens), keep, stop)
			}
		case d.opt.Stop != nil:
			if _, stop := d.opt.Stop(r.Decided); stop {
				t.Fatalf("the rule stops %v, the reason is %v", r.Decided, r.Reason)
			}
		case len(r.Tokens) != len(r.Decided):
			t.Fatalf("%v kept of %v without a rule", r.Tokens, r.Decided)
		}
		if d.opt.Score || mode != Diffusion {
			checkLogs(t, d, r, len(r.Tokens), mode == Diffusion)
		} else {
			checkLogs(t, d, r, 0, true)
		}
		held := d.f.seqs[seq]
		if whole := append(slices.Clone(d.context), r.Decided...); len(held) < len(d.context)-1 || len(held) > len(whole) || !slices.Equal(held, whole[:len(held)]) {
			t.Fatalf("the sequence holds %v after %v and %v", held, d.context, r.Decided)
		}
		// Read in another way, the context gives the same answer.
		d.opt.Watch = nil
		again, _ := d.run(t, mode, len(d.context))
		if !slices.Equal(again.Decided, r.Decided) || again.Reason != r.Reason {
			t.Fatalf("first %v (%v), then %v (%v)", r.Decided, r.Reason, again.Decided, again.Reason)
		}
	})
	for _, r := range []Reason{Ended, Stopped, Budget} {
		if reasons[r] == 0 {
			t.Errorf("no case ended by %v", r)
		}
	}
}

func checkState(t *rapid.T, d drawn, s State) {
	for i, c := range s.Cells {
		if c.Masked != (c.Token == mask) {
			t.Fatalf("cell %d: %+v", i, c)
		}
		found := d.repeats && !c.Changed && c.Prob == 0 // of a draft that nobody foretold
		if !c.Masked && !found && !(c.Prob > 0 && c.Prob <= 1) {
			t.Fatalf("cell %d was decided with probability %g", i, c.Prob)
		}
		if c.Token == end && i != len(s.Cells)-1 {
			t.Fatalf("cells after the end: %+v", s.Cells)
		}
	}
}

// eachShift tests canvases that foretell their own tokens and such that foretell the next.
func eachShift(t *testing.T, f func(t *testing.T, shift bool)) {
	for name, shift := range map[string]bool{"own": false, "shifted": true} {
		t.Run(name, func(t *testing.T) { f(t, shift) })
	}
}

// An all-sure canvas takes one forward a block, an unsure one a forward a token: else the
// threshold is not looked at.
func TestThreshold(t *testing.T) {
	eachShift(t, func(t *testing.T, shift bool) {
		for _, tt := range []struct {
			threshold, factor float32
			forwards          int
		}{{0.9, 0, 16}, {0.1, 0, 2}, {2, 0, 16}, {0.9, 5, 2 * 2}} {
			d := drawn{f: newFake(1), context: []backend.TokenID{7, 8}, opt: Options{
				Settings: Settings{Threshold: tt.threshold, Factor: tt.factor}, BlockSize: 8, MaxTokens: 16, Tokens: fakeTokens}}
			d.f.shift = shift
			d.f.logits = func(canvas []backend.TokenID, i int) []float64 { // the best has 0.4
				l := make([]float64, vocab)
				l[10+i] = math.Log(0.4 / 0.6 * float64(vocab-len(canvas)+len(canvas)-5))
				return l
			}
			r, _ := d.run(t, Diffusion, 1)
			want := []backend.TokenID{10, 11, 12, 13, 14, 15, 16, 17, 10, 11, 12, 13, 14, 15, 16, 17}
			if !slices.Equal(r.Tokens, want) || r.Forwards != tt.forwards {
				t.Errorf("threshold %g, factor %g: %v in %d forwards, want %d", tt.threshold, tt.factor, r.Tokens, r.Forwards, tt.forwards)
			}
		}
	})
}

// prefer gives logits of which token has nearly all.
func prefer(token backend.TokenID) []float64 {
	l := make([]float64, vocab)
	l[token] = 20
	return l
}

// The three revisions, by hand: were one not made, or made at the wrong place, the text
// would show it.
func TestRevise(t *testing.T) {
	eachShift(t, func(t *testing.T, shift bool) {
		run := func(revises bool, logits func([]backend.TokenID, int) []float64) Result {
			d := drawn{f: newFake(1), context: []backend.TokenID{7}, opt: Options{BlockSize: 4, MaxTokens: 8, Tokens: fakeTokens, Revises: revises}}
			d.f.logits, d.f.shift = logits, shift
			r, _ := d.run(t, Diffusion, 1)
			return r
		}
		// First everything is 20, 21, 22, end. Then the model thinks again.
		first := func(canvas []backend.TokenID, i int) []float64 {
			if i == 3 {
				return prefer(end)
			}
			return prefer(backend.TokenID(20 + i))
		}
		then := func(again func(canvas []backend.TokenID, i int) backend.TokenID) func([]backend.TokenID, int) []float64 {
			return func(canvas []backend.TokenID, i int) []float64 {
				if !slices.Contains(canvas, 20) || canvas[i] == mask && i == len(canvas)-1 {
					return first(canvas, 3-(len(canvas)-1-i))
				}
				if t := again(canvas, i); t != 0 {
					return prefer(t)
				}
				return prefer(canvas[i])
			}
		}
		replaced := then(func(c []backend.TokenID, i int) backend.TokenID {
			if c[i] == 21 {
				return 30
			}
			return 0
		})
		deleted := then(func(c []backend.TokenID, i int) backend.TokenID {
			if c[i] == 21 {
				return del
			}
			return 0
		})
		opened := then(func(c []backend.TokenID, i int) backend.TokenID {
			switch {
			case c[i] == mask:
				return 31
			case c[i] == 21 && c[i-1] == 20:
				return ins
			}
			return 0
		})
		swinging := then(func(c []backend.TokenID, i int) backend.TokenID {
			switch c[i] {
			case 21:
				return 30
			case 30:
				return 21
			}
			return 0
		})
		for _, tt := range []struct {
			name    string
			revises bool
			logits  func([]backend.TokenID, int) []float64
			want    []backend.TokenID
		}{
			{"untrained", false, replaced, []backend.TokenID{20, 21, 22}},
			{"replaced", true, replaced, []backend.TokenID{20, 30, 22}},
			{"deleted", true, deleted, []backend.TokenID{20, 22}},
			{"opened", true, opened, []backend.TokenID{20, 31, 21, 22}},
			{"no cycle", true, swinging, []backend.TokenID{20, 30, 22}},
		} {
			// Were everything decided at once in the first step, there would be no later step
			// that could revise: the last position is unsure until the second one.
			logits := tt.logits
			wait := func(canvas []backend.TokenID, i int) []float64 {
				if i == 3 && canvas[0] == mask {
					l := prefer(end)
					l[end] = 1
					return l
				}
				return logits(canvas, i)
			}
			r := run(tt.revises, wait)
			if !slices.Equal(r.Tokens, tt.want) || r.Reason != Ended {
				t.Errorf("%s: %v (%v), want %v", tt.name, r.Tokens, r.Reason, tt.want)
			}
		}
	})
}

// Delete and insert are no answers of a masked position, even where the batch must allow
// them for the visible ones; and a canvas of nothing else must still end.
func TestMaskedRowsNeverDelete(t *testing.T) {
	eachShift(t, func(t *testing.T, shift bool) {
		d := drawn{f: newFake(1), context: []backend.TokenID{7}, opt: Options{BlockSize: 6, MaxTokens: 6, Tokens: fakeTokens, Revises: true}}
		d.f.shift = shift
		d.f.logits = func(canvas []backend.TokenID, i int) []float64 {
			l := make([]float64, vocab)
			if canvas[i] != mask {
				l[canvas[i]] = 20
				return l
			}
			l[del], l[ins], l[20+i] = 9, 8, 3
			return l
		}
		r, _ := d.run(t, Diffusion, 1)
		if want := []backend.TokenID{20, 21, 22, 23, 24, 25}; !slices.Equal(r.Tokens, want) {
			t.Errorf("wrote %v, want %v", r.Tokens, want)
		}
		if r.Forwards > 12 {
			t.Errorf("%d forwards for 6 tokens: more than every second one decided nothing", r.Forwards)
		}
	})
}

// A finished block is read by the forward that begins the next one, and only one row of
// context is read twice a block: else commits would cost forwards or the cache nothing.
func TestCommitWithNext(t *testing.T) {
	eachShift(t, func(t *testing.T, shift bool) {
		d := drawn{f: newFake(1), context: []backend.TokenID{7, 8, 9}, opt: Options{
			Settings: Settings{Threshold: 0.1}, BlockSize: 4, MaxTokens: 12, Tokens: fakeTokens, Score: true}}
		d.f.shift = shift
		d.f.logits = func(canvas []backend.TokenID, i int) []float64 { return prefer(backend.TokenID(20 + i)) }
		r, _ := d.run(t, Diffusion, 1)
		if len(r.Tokens) != 12 || r.Forwards != 4 || r.Blocks != 3 || len(r.LogProbs) != 12 {
			t.Fatalf("%d tokens in %d forwards and %d blocks, %d scored; want 12 in 3 and a last to score", len(r.Tokens), r.Forwards, r.Blocks, len(r.LogProbs))
		}
		for i, want := range []struct{ context, canvas int }{{1, 4}, {5, 4}, {5, 4}, {4, 0}} {
			var got struct{ context, canvas int }
			for _, row := range d.f.batches[i].Rows {
				if row.Kind == backend.Context {
					got.context++
				} else {
					got.canvas++
				}
			}
			if shift && want.canvas > 0 {
				want.canvas-- // a context row answers for the first position
			}
			if got != want {
				t.Errorf("forward %d has %+v rows, want %+v", i+1, got, want)
			}
		}
	})
}

// After the context ends no forward may begin; at the deadline what is decided is the
// answer, and no error.
func TestCancelAndDeadline(t *testing.T) {
	for _, m := range []Mode{Diffusion, Verify, Causal} {
		d := drawn{f: newFake(3), context: []backend.TokenID{7, 8}, opt: Options{
			Settings: Settings{Threshold: 2, DraftThreshold: 2}, Mode: m, BlockSize: 4, MaxTokens: 30, Tokens: fakeTokens}}
		d.f.enders = -20 // a text without an end
		cause := errors.New("out of date")
		ctx, cancel := context.WithCancelCause(context.Background())
		d.f.before = func(n int) {
			if n == 3 {
				cancel(cause)
			}
		}
		if _, err := Run(ctx, d.f, 1, d.context, d.opt); err != cause || d.f.forwards != 2 {
			t.Errorf("mode %d: %v after %d forwards, want the cause after two", m, err, d.f.forwards)
		}
		synctest.Test(t, func(t *testing.T) {
			d.f = newFake(3)
			d.f.enders = -20
			d.f.before = func(n int) { time.Sleep(10 * time.Millisecond) }
			d.opt.Deadline = time.Now().Add(35 * time.Millisecond)
			r, err := Run(context.Background(), d.f, 1, d.context, d.opt)
			if err != nil || r.Reason != Deadline || d.f.forwards != 3 {
				t.Errorf("mode %d: %v, %v after %d forwards, want the deadline in the fourth", m, err, r.Reason, d.f.forwards)
			}
			if m != Diffusion && len(r.Tokens) != 3 {
				t.Errorf("mode %d: %d tokens in three forwards", m, len(r.Tokens))
			}
		})
	}
}

// A block that is not finished at the deadline gives its decided beginning only: what
// stands behind a gap is no text.
func TestDeadlineGivesPrefix(t *testing.T) {
	eachShift(t, func(t *testing.T, shift bool) {
		synctest.Test(t, func(t *testing.T) {
			d := drawn{f: newFake(3), context: []backend.TokenID{7}, opt: Options{BlockSize: 5, MaxTokens: 5, Tokens: fakeTokens}}
			d.f.shift = shift
			d.f.logits = func(canvas []backend.TokenID, i int) []float64 {
				if i == 2 { // never sure
					l := make([]float64, vocab)
					l[22] = 0.1
					return l
				}
				return prefer(backend.TokenID(20 + i))
			}
			d.f.before = func(n int) { time.Sleep(10 * time.Millisecond) }
			d.opt.Deadline = time.Now().Add(15 * time.Millisecond)
			r, _ := d.run(t, Diffusion, 1)
			if want := []backend.TokenID{20, 21}; !slices.Equal(r.Tokens, want) || r.Reason != Deadline {
				t.Errorf("%v (%v), want %v", r.Tokens, r.Reason, want)
			}
		})
	})
}

// A backend that answers nonsense must give an error, not a panic or an endless loop.
func TestNonsenseFromTheBackend(t *testing.T) {
	for name, spoil := range map[string]func([]backend.Top) []backend.Top{
		"too few":   func(t []backend.Top) []backend.Top { return t[:len(t)-1] },
		"too many":  func(t []backend.Top) []backend.Top { return append(t, t[0]) },
		"no token":  func(t []backend.Top) []backend.Top { t[0].Best = backend.NoToken; return t },
		"no row":    func(t []backend.Top) []backend.Top { t[0].Row = 99; return t },
		"same rows": func(t []backend.Top) []backend.Top { t[len(t)-1].Row = t[0].Row; return t },
	} {
		for _, m := range []Mode{Diffusion, Verify} {
			_, err := Run(context.Background(), spoiled{newFake(1), spoil}, 1, []backend.TokenID{7},
				Options{Mode: m, BlockSize: 4, MaxTokens: 8, Tokens: fakeTokens})
			if err == nil {
				t.Errorf("%s, mode %d: no error", name, m)
			}
		}
	}
}

type spoiled struct {
	*fake
	spoil func([]backend.Top) []backend.Top
}

func (s spoiled) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	t, err := s.fake.Forward(ctx, b)
	if len(t) > 1 {
		t = s.spoil(t)
	}
	return t, err
}
