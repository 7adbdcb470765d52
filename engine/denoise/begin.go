package denoise

import (
	"context"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// bound is what may not come next while the beginning of the answer is given; free: the
// answer is bound by nothing any more.
func (d *decoder) bound() (forbid []backend.TokenID, free bool) {
	free = true
	if d.opt.Begin != nil {
		forbid, free = d.opt.Begin(d.out)
	}
	if len(d.opt.Not) > 0 && len(d.out) == len(d.opt.Given) {
		if free {
			forbid = d.bounded
		}
		return append(slices.Clip(forbid), d.opt.Not...), false
	}
	return forbid, free
}

// begin decides the tokens that Options.Begin and Options.Not constrain, one a forward. It
// reports whether the run is over with them.
func (d *decoder) begin(ctx context.Context) (over bool, err error) {
	for {
		forbid, free := d.bound()
		if free {
			return false, nil
		}
		n := len(d.out)
		if n >= d.room {
			d.keep, d.reason = n, Budget
			return true, nil
		}
		g := d.guess(d.out, forbid)
		d.pending[len(d.pending)-1].said(g)
		known, _, err := d.forward(ctx, nil, forbid)
		if err != nil {
			return true, d.late(err, d.out)
		}
		next := mixed(known[0], g)
		d.reads(next)
		if next.Best == d.opt.Tokens.End { // Not may leave it
			return d.settle(d.out, true), nil
		}
		d.out = append(d.out, next.Best)
		d.pending = append(d.pending[:0], contextRow{token: next.Best, target: backend.NoToken})
		d.cells = append(d.cells[:0], Cell{Token: next.Best, Changed: true, Prob: next.Prob})
		d.watch(PhaseDenoise, d.out[:n], d.cells, 0)
		d.blocks++
		if d.settle(d.out, false) {
			return true, nil
		}
	}
}
