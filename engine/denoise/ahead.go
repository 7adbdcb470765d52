package denoise

import (
	"cmp"
	"errors"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// ahead is what a device that decides by itself (backend.Ahead) has made of a block so far:
// passes that the decoder has not asked for yet. Each is taken only if the decoder asks for
// exactly it, so that the rules of this package are the only ones.
type ahead struct {
	passes []backend.Pass
	next   int // passes worth starting together: what the last block took; 0: there was none
}

// firstAhead is how many passes of a first block are started together. One too few is another
// wait; one too many does nothing, but its launches take longer than a wait (cuda.PlanTable).
const firstAhead = 2

var errAhead = errors.New("denoise: the backend made no pass")

// answers runs a pass of the canvas c, or takes it from those that were made ahead. nil: the
// pass has no canvas that a device could decide.
func (d *decoder) answers(rows []backend.Row, c *canvas, forbid []backend.TokenID) ([]backend.Top, error) {
	device, ok := d.b.(backend.Ahead)
	if !ok || c == nil {
		return d.b.Forward(d.until, backend.Batch{Rows: rows, Forbid: forbid})
	}
	if made := d.ahead.passes; len(made) > 0 {
		d.ahead.passes = made[1:]
		if made[0].Revising == c.revise && slices.Equal(made[0].Rows, rows) {
			return made[0].Tops, nil
		}
		d.ahead.passes = nil // it decided otherwise
	}
	n, asked := c.passes, 0
	for _, cell := range c.cells {
		if cell.Masked {
			n++
		}
		if cell.Masked || c.revise {
			asked++
		}
	}
	for _, r := range rows {
		if r.Want != 0 {
			asked--
		}
	}
	if asked > 0 { // the first cell's answer came with a pass before, which read the context
		return d.b.Forward(d.until, backend.Batch{Rows: rows, Forbid: forbid})
	}
	made, err := device.ForwardAhead(d.until, backend.Batch{Rows: rows, Forbid: forbid}, d.rule(c), min(n, cmp.Or(d.ahead.next, firstAhead)))
	if err != nil {
		return nil, err
	}
	if len(made) == 0 {
		return nil, errAhead
	}
	d.ahead.passes = made[1:]
	return made[0].Tops, nil
}

// rule is the canvas as a device has to know it.
func (d *decoder) rule(c *canvas) backend.Rule {
	r := backend.Rule{Limit: c.limit, Revising: c.revise, Passes: c.passes,
		Threshold: d.opt.Threshold, Factor: d.opt.Factor, Revise: d.opt.Revise,
		Mask: d.opt.Tokens.Mask, End: d.opt.Tokens.End, Delete: d.opt.Tokens.Delete, Insert: d.opt.Tokens.Insert,
		Bounded: d.bounded, Full: d.revising, Lead: backend.NoToken, Context: d.start + len(d.out)}
	for _, cell := range c.cells {
		r.Cells = append(r.Cells, cell.Token)
	}
	for t := range c.tried {
		r.Tried = append(r.Tried, backend.Tried{Cell: t.at, Token: t.token})
	}
	if d.opt.Shift {
		r.Context--
		if r.Lead = d.last; len(d.out) > 0 {
			r.Lead = d.out[len(d.out)-1]
		}
	}
	return r
}
