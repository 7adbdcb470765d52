package cuda

import (
	"fmt"
	"math"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// work is a batch as the kernels take it: rows sorted by sequence, context before canvas.
type work struct {
	rows   []rowArg
	items  []itemArg
	pages  []int32
	from   []int      // for each row that asks, in the order of the batch, its index in it
	forbid [][]uint32 // sets of tokens, a bit each: one, or two where a canvas is decided ahead
	groups []backend.Group
}

// part is what one sequence has in a batch.
type part struct {
	context, canvas []int // indices into the batch
}

// translate holds a batch to the rules of backend.Batch and prepares it. Pages for its
// context are taken; what it says of them holds until the next call.
func (b *Backend) translate(batch backend.Batch) (*work, error) {
	groups, of, err := b.held.Check(batch)
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	s := &b.shape
	k := &work{forbid: [][]uint32{s.bits(batch.Forbid)}, groups: groups}
	parts := make([]part, len(groups))
	ask := make([]int32, len(batch.Rows)) // the place of each row's answer
	for i, r := range batch.Rows {
		p := &parts[of[i]]
		if r.Kind == backend.Canvas {
			p.canvas = append(p.canvas, i)
		} else {
			p.context = append(p.context, i)
		}
		ask[i] = -1
		if r.Want&(backend.WantTop|backend.WantTarget) != 0 {
			ask[i] = int32(len(k.from))
			k.from = append(k.from, i)
		}
	}
	share := s.NumHeads / s.NumKVHeads
	for n, p := range parts {
		seq, after := groups[n].Seq, groups[n].After
		if len(p.context) > 0 {
			if err := b.pages.extend(seq, after-len(p.context), after, b.copyPage); err != nil {
				return nil, fmt.Errorf("cuda: %w", err)
			}
		}
		own := b.pages.table[seq]
		at := int32(len(k.pages))
		k.pages = append(k.pages, own...)
		row0 := len(k.rows)
		canvas0 := row0 + len(p.context)
		canvas1 := canvas0 + len(p.canvas)
		for j, i := range append(p.context, p.canvas...) {
			r := batch.Rows[i]
			a := rowArg{Token: int32(r.Token), Pos: r.Pos, Context: r.Pos + 1, Canvas0: int32(canvas0), Canvas1: int32(canvas1), Target: -1, Ask: ask[i]}
			if j >= len(p.context) {
				a.Canvas, a.Context = 1, int32(after)
			} else {
				a.Page = own[r.Pos/pageSize]
			}
			if r.Want&backend.WantTarget != 0 {
				a.Target = int32(r.Target)
			}
			k.rows = append(k.rows, a)
		}
		// Context rows and canvas rows in items of their own: the former need no canvas.
		for i, span := range [2][2]int{{0, len(p.context)}, {len(p.context), len(p.context) + len(p.canvas)}} {
			for first := span[0] * share; first < span[1]*share; first += 64 {
				it := itemArg{Row0: int32(row0), P0: int32(first), P1: int32(min(first+64, span[1]*share)), Table: at}
				it.Context = k.rows[row0+(int(it.P1)-1)/share].Context
				if i > 0 {
					it.Canvas0, it.Canvas1 = int32(canvas0), int32(canvas1)
				}
				k.items = append(k.items, it)
			}
		}
	}
	k.items = s.cutItems(k.items)
	return k, nil
}

// canvasItems are those of a canvas that is a batch by itself, of at most so many rows.
func (s *shape) canvasItems(rows, context int) []itemArg {
	var whole []itemArg
	pairs := rows * (s.NumHeads / s.NumKVHeads)
	for first := 0; first < pairs; first += 64 {
		whole = append(whole, itemArg{P0: int32(first), P1: int32(min(first+64, pairs)), Context: int32(context), Canvas1: int32(rows)})
	}
	return s.cutItems(whole)
}

// bits is a set of tokens, which are in the vocabulary.
func (s *shape) bits(tokens []backend.TokenID) []uint32 {
	set := make([]uint32, up(s.VocabSize, 32))
	for _, t := range tokens {
		set[t/32] |= 1 << (t % 32)
	}
	return set
}

// cutItems makes items of the parts into which the keys of each are cut.
func (s *shape) cutItems(whole []itemArg) []itemArg {
	out := make([]itemArg, 0, len(whole))
	for _, it := range whole {
		tiles := up(int(it.Context), 32) + up(int(it.Canvas1-it.Canvas0), 32)
		it.First, it.Parts = int32(len(out)), int32(s.cut(len(whole), tiles))
		for p := range it.Parts {
			it.Part, it.T0, it.T1 = p, int32(tiles)*p/it.Parts, int32(tiles)*(p+1)/it.Parts
			if p == it.Parts-1 {
				it.T1 = math.MaxInt32 // the end, wherever the canvas has it by then
			}
			out = append(out, it)
		}
	}
	return out
}

// mostItems is how many items a batch can have, and mostParts the most of them where keys
// are cut: these have room for what a part leaves.
func (s *shape) mostItems() (items, parts int) {
	whole := up(s.rows*(s.NumHeads/s.NumKVHeads), 64) + 2*s.rows
	if s.parts > 0 {
		return whole * s.parts, whole * s.parts
	}
	// cut is above 1 only where whole·kv is below 2·sms, and is at most 2·sms/(whole·kv) + 1.
	parts = up(4*s.sms, s.NumKVHeads)
	return whole + parts, parts
}
