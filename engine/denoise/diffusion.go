package denoise

import "context"

// diffusion decides block after block, each in parallel (method.md, section 6).
func (d *decoder) diffusion(ctx context.Context) error {
	for ; ; d.blocks++ {
		n := len(d.out)
		size := min(d.opt.BlockSize, d.room-n, d.widest())
		if size <= 0 {
			d.keep, d.reason = n, Budget
			return nil
		}
		c := newCanvas(&d.opt, size, min(2*size, d.room-n, d.widest()))
		d.deciding, d.ahead.passes = c, nil
		decided, before := d.out, d.forwards
		for finished := false; !finished; {
			forbid := d.bounded
			if c.revise {
				forbid = d.revising
			}
			_, tops, err := d.look(ctx, c.ask(), forbid)
			if err != nil {
				return d.late(err, decided)
			}
			var revised, ended bool
			revised, finished = c.step(tops)
			d.watch(PhaseDenoise, d.out[:n], c.cells, 0)
			if revised {
				d.looked = n // the beginning may have changed
			}
			decided, ended = c.prefix(d.out[:n:n])
			// With the end decided but a later step to come the answer is not over: the end
			// may yet be revised. The stop rule's word is final.
			if d.settle(decided, ended && finished) {
				d.blocks++
				return nil
			}
		}
		d.out, d.deciding = decided, nil
		d.ahead.next = d.forwards - before
		if err := d.commit(n, decided[n:]); err != nil {
			return err
		}
	}
}
