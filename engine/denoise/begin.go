package denoise

import (
	"context"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// begin decides the tokens that Options.Begin constrains, one a forward. It reports
// whether the run is over with them.
func (d *decoder) begin(ctx context.Context) (over bool, err error) {
	if d.opt.Begin == nil {
		return false, nil
	}
	for {
		forbid, free := d.opt.Begin(d.out)
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
		d.out = append(d.out, next.Best)
		d.logs = append(d.logs, log(next.Prob))
		d.pending = append(d.pending[:0], contextRow{token: next.Best, target: backend.NoToken})
		d.cells = append(d.cells[:0], Cell{Token: next.Best, Changed: true, Prob: next.Prob})
		d.watch(PhaseDenoise, d.out[:n], d.cells, 0)
		d.blocks++
		if d.settle(d.out, false) {
			return true, nil
		}
	}
}
