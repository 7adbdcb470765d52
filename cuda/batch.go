package cuda

import (
	"fmt"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// work is a batch as the kernels take it: rows sorted by sequence, context before canvas.
type work struct {
	rows   []rowArg
	items  []itemArg
	pick   []int32 // the rows that ask
	from   []int   // for each of them, its index in the batch
	forbid []uint32
	groups []backend.Group
}

// part is what one sequence has in a batch.
type part struct {
	context, canvas []int // indices into the batch
}

// translate holds a batch to the rules of backend.Batch and prepares it.
func (b *Backend) translate(batch backend.Batch) (*work, error) {
	groups, of, err := b.held.Check(batch)
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	s := &b.shape
	k := &work{forbid: make([]uint32, up(s.VocabSize, 32)), groups: groups}
	for _, f := range batch.Forbid {
		k.forbid[f/32] |= 1 << (f % 32)
	}
	parts := make([]part, len(groups))
	for i, r := range batch.Rows {
		p := &parts[of[i]]
		if r.Kind == backend.Canvas {
			p.canvas = append(p.canvas, i)
		} else {
			p.context = append(p.context, i)
		}
	}
	asked := make([]int32, len(batch.Rows)) // the place of each batch row
	share := s.NumHeads / s.NumKVHeads
	for n, p := range parts {
		seq, after := groups[n].Seq, groups[n].After
		row0 := len(k.rows)
		canvas0 := row0 + len(p.context)
		canvas1 := canvas0 + len(p.canvas)
		for j, i := range append(p.context, p.canvas...) {
			r := batch.Rows[i]
			a := rowArg{Token: int32(r.Token), Pos: r.Pos, Slot: int32(slot(r.Seq)), Context: r.Pos + 1, Canvas0: int32(canvas0), Canvas1: int32(canvas1), Target: -1}
			if j >= len(p.context) {
				a.Canvas, a.Context = 1, int32(after)
			}
			if r.Want&backend.WantTarget != 0 {
				a.Target = int32(r.Target)
			}
			asked[i] = int32(len(k.rows))
			k.rows = append(k.rows, a)
		}
		// Context rows and canvas rows in items of their own: the former need no canvas.
		for _, span := range [2][2]int{{0, len(p.context)}, {len(p.context), len(p.context) + len(p.canvas)}} {
			for first := span[0] * share; first < span[1]*share; first += 64 {
				it := itemArg{Row0: int32(row0), P0: int32(first), P1: int32(min(first+64, span[1]*share)), Slot: int32(slot(seq))}
				it.Context = k.rows[row0+(int(it.P1)-1)/share].Context
				if span[0] > 0 || len(p.context) == 0 {
					it.Canvas0, it.Canvas1 = int32(canvas0), int32(canvas1)
				}
				k.items = append(k.items, it)
			}
		}
	}
	for i, r := range batch.Rows {
		if r.Want&(backend.WantTop|backend.WantTarget) != 0 {
			k.pick, k.from = append(k.pick, asked[i]), append(k.from, i)
		}
	}
	return k, nil
}
