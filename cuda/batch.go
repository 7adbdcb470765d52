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
	after  map[backend.Sequence]int // lengths after the pass
}

// part is what one sequence has in a batch.
type part struct {
	seq             backend.Sequence
	context, canvas []int // indices into the batch
	after, last     int
}

// translate holds a batch to the rules of backend.Batch and prepares it.
func (b *Backend) translate(batch backend.Batch) (*work, error) {
	bad := func(i int, format string, a ...any) (*work, error) {
		return nil, fmt.Errorf("cuda: row %d: %s: %w", i, fmt.Sprintf(format, a...), backend.ErrBatch)
	}
	s := &b.shape
	if len(batch.Rows) > b.limits.Rows {
		return nil, fmt.Errorf("cuda: %d rows for at most %d a pass: %w", len(batch.Rows), b.limits.Rows, backend.ErrBatch)
	}
	if len(batch.Forbid) >= s.VocabSize {
		return nil, fmt.Errorf("cuda: %d forbidden tokens of %d: %w", len(batch.Forbid), s.VocabSize, backend.ErrBatch)
	}
	k := &work{forbid: make([]uint32, up(s.VocabSize, 32)), after: map[backend.Sequence]int{}}
	for _, f := range batch.Forbid {
		if f < 0 || int(f) >= s.VocabSize {
			return nil, fmt.Errorf("cuda: forbidden token %d is not in the vocabulary: %w", f, backend.ErrBatch)
		}
		k.forbid[f/32] |= 1 << (f % 32)
	}
	var parts []*part
	for i, r := range batch.Rows {
		var p *part
		for _, q := range parts {
			if q.seq == r.Seq {
				p = q
			}
		}
		if p == nil {
			n, ok := b.length[r.Seq]
			if !ok {
				return nil, fmt.Errorf("cuda: row %d: sequence %d: %w", i, r.Seq, backend.ErrSequence)
			}
			p = &part{seq: r.Seq, after: n, last: -1}
			parts = append(parts, p)
		}
		if r.Token < 0 || int(r.Token) >= s.VocabSize {
			return bad(i, "token %d is not in the vocabulary", r.Token)
		}
		if r.Pos < 0 || int(r.Pos) >= b.limits.Positions {
			return nil, fmt.Errorf("cuda: row %d: position %d of %d: %w", i, r.Pos, b.limits.Positions, backend.ErrFull)
		}
		switch r.Kind {
		case backend.Context:
			if r.Seq == backend.Root {
				return bad(i, "the root sequence takes no context")
			}
			if p.last >= 0 {
				return bad(i, "context after canvas")
			}
			if int(r.Pos) != p.after {
				return bad(i, "context at %d, the sequence ends at %d", r.Pos, p.after)
			}
			p.after++
			p.context = append(p.context, i)
		case backend.Canvas:
			if int(r.Pos) < p.after || int(r.Pos) <= p.last {
				return bad(i, "canvas at %d, behind %d", r.Pos, max(p.after-1, p.last))
			}
			p.last = int(r.Pos)
			p.canvas = append(p.canvas, i)
		default:
			return bad(i, "kind %d", r.Kind)
		}
		if r.Want&backend.WantTarget != 0 && (r.Target < 0 || int(r.Target) >= s.VocabSize) {
			return bad(i, "target %d is not in the vocabulary", r.Target)
		}
	}
	asked := make([]int32, len(batch.Rows)) // the place of each batch row
	share := s.NumHeads / s.NumKVHeads
	for _, p := range parts {
		k.after[p.seq] = p.after
		row0 := len(k.rows)
		canvas0 := row0 + len(p.context)
		canvas1 := canvas0 + len(p.canvas)
		for j, i := range append(p.context, p.canvas...) {
			r := batch.Rows[i]
			a := rowArg{Token: int32(r.Token), Pos: r.Pos, Slot: int32(slot(r.Seq)), Context: r.Pos + 1, Canvas0: int32(canvas0), Canvas1: int32(canvas1), Target: -1}
			if j >= len(p.context) {
				a.Canvas, a.Context = 1, int32(p.after)
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
				it := itemArg{Row0: int32(row0), P0: int32(first), P1: int32(min(first+64, span[1]*share)), Slot: int32(slot(p.seq))}
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
