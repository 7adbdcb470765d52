package denoise

import (
	"context"
	"math"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// rideAlong is how likely a draft must be for the canvas behind it to be looked at in
// the forward that reads the draft: the look is in vain unless all of the draft holds.
const rideAlong = 0.5

// causal writes what greedy causal decoding writes. In Verify, each forward reads the
// token that is known to come next and a draft after it. What the causal reading agrees
// with is accepted, and at the first disagreement its own token: at least one token a
// forward, as without any draft. A draft is what followed the newest tokens elsewhere
// (memory); where none is known, the forward looks at a canvas of masks behind its rows,
// and one denoising step gives the next draft.
//
// (More steps a draft would be better drafts, but forwards that may bring nothing.)
func (d *decoder) causal(ctx context.Context) error {
	draft := d.remembered(len(d.pending)) // read with the pending rows, not accepted yet
	d.expect(draft)
	// ride: a canvas may go behind the draft; denoised: the draft comes from one.
	ride, denoised, hope := len(draft) == 0, false, appetite{width: firstDraft}
	for ; ; d.blocks++ {
		if d.room == 0 {
			d.reason = Budget
			return nil
		}
		var canvas []canvasRow
		if size := min(d.draftSize(len(draft)), hope.next()); ride && size > 1 {
			for range size {
				canvas = append(canvas, canvasRow{token: d.opt.Tokens.Mask, ask: true})
			}
		}
		tops, guesses, err := d.look(ctx, canvas, d.bounded)
		if err != nil {
			return d.late(err, d.out)
		}
		for i := range tops {
			tops[i] = mixed(tops[i], d.guesses[i])
		}
		n := len(d.out)
		over, held, err := d.accept(tops, draft)
		if err != nil {
			return err
		}
		if denoised {
			hope.learn(len(d.out)-n-1, d.opt.BlockSize)
		}
		draft, ride, denoised = nil, true, false
		if !over {
			draft = d.remembered(1)
		}
		switch {
		case len(draft) > 0:
			ride = false
		case !over && held:
			draft, ride = d.draft(guesses)
			if denoised = len(draft) > 0; !denoised && len(canvas) > 0 {
				hope.learn(0, d.opt.BlockSize)
			}
		}
		d.show(n, tops, draft, over)
		if over {
			d.blocks++
			return nil
		}
		d.pending = d.pending[:0]
		d.pending = append(d.pending, contextRow{token: d.out[len(d.out)-1], target: backend.NoToken})
		d.expect(draft)
	}
}

// appetite is how wide a canvas is worth its rows, learned from the drafts of the run: on a
// processor every row costs, and a draft that fails brings nothing.
type appetite struct {
	width int // positions of the next canvas
	vain  int // drafts in a row of which nothing was accepted, up to 3
	rest  int // forwards to go without a canvas
}

const firstDraft = 4

// next is the width for the next forward; 0: none.
func (a *appetite) next() int {
	if a.rest > 0 {
		a.rest--
		return 0
	}
	return a.width
}

// learn takes how many tokens of a draft were accepted: canvases grow to the block's size
// while drafts hold, and become small and rare (every second, fourth, eighth forward)
// while they do not.
func (a *appetite) learn(accepted, size int) {
	if accepted > 0 {
		a.width, a.vain, a.rest = min(2*a.width, size), 0, 0
		return
	}
	a.vain = min(a.vain+1, 3)
	a.width, a.rest = 2, 1<<a.vain-1
}

// draftSize is how large a canvas may be behind a draft of n tokens.
func (d *decoder) draftSize(n int) int {
	if d.opt.Mode != Verify {
		return 0
	}
	return min(d.opt.BlockSize, d.room-len(d.out)-n, d.limits.Rows-len(d.pending))
}

// accept compares a draft with the causal predictions (memory mixed in), tops[i] being that of draft[i] and
// the last one that of the token behind it. It forgets what was read of a wrong draft, and
// reports whether the run is over and whether all of the draft held.
func (d *decoder) accept(tops, draft []backend.Top) (over, held bool, err error) {
	right := 0
	for right < len(draft) && tops[right].Best == draft[right].Best {
		right++
	}
	if err := d.truncate(d.read - (len(draft) - right)); err != nil {
		return false, false, err
	}
	for _, t := range tops[:right+1] {
		d.reads(t)
		if t.Best == d.opt.Tokens.End {
			return d.settle(d.out, true), false, nil
		}
		d.out = append(d.out, t.Best)
		if d.settle(d.out, false) {
			return true, false, nil
		}
	}
	return false, right == len(draft), nil
}

// draft takes the guesses for the positions from the newest token on: they are of use if
// the first of them is that token. It reports whether a canvas behind the draft is worth
// its rows.
func (d *decoder) draft(guesses []backend.Top) (draft []backend.Top, ride bool) {
	if len(guesses) == 0 || guesses[0].Best != d.out[len(d.out)-1] {
		return nil, true
	}
	likely := float32(1)
	for _, g := range guesses[1:] {
		if g.Best == d.opt.Tokens.End {
			return draft, false // the row before it will tell
		}
		if !(g.Prob >= d.opt.DraftThreshold) || len(d.out)+len(draft)+1 >= d.room {
			break
		}
		draft = append(draft, g)
		likely *= g.Prob
	}
	return draft, likely >= rideAlong
}

// show lets people watch: what the forward accepted after n tokens, the end if the run is
// over with it, and else the next draft.
func (d *decoder) show(n int, tops, draft []backend.Top, over bool) {
	if d.opt.Watch == nil {
		return
	}
	d.cells = d.cells[:0]
	for i, t := range d.out[n:] {
		d.cells = append(d.cells, Cell{Token: t, Changed: true, Prob: tops[i].Prob})
	}
	if over && d.reason == Ended && len(d.out)-n < len(tops) && tops[len(d.out)-n].Best == d.opt.Tokens.End {
		d.cells = append(d.cells, Cell{Token: d.opt.Tokens.End, Changed: true, Prob: tops[len(d.out)-n].Prob})
	}
	for _, t := range draft {
		d.cells = append(d.cells, Cell{Token: t.Best, Prob: t.Prob})
	}
	d.watch(PhaseDenoise, d.out[:n], d.cells, 0)
}

// log is the logarithm of a probability; of zero, that of the least above it, so that no
// mean is infinite.
func log(p float32) float32 {
	return float32(math.Log(max(float64(p), math.SmallestNonzeroFloat32)))
}
