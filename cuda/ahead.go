package cuda

import (
	"context"
	"fmt"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine/backend"
)

const (
	mostCells  = 128  // of a canvas (kernels/decide.cu)
	mostTried  = 2048 // entries
	mostPasses = 32   // that are started together
)

var _ backend.Ahead = (*Backend)(nil)

// decision is where the kernel decide finds what it needs.
type decision struct {
	canvas, cells, tried driver.Ptr
	plan, own            driver.Ptr // items of the largest canvas; the sequence's pages
	log                  driver.Ptr
}

// ForwardAhead implements backend.Ahead. All passes are started at once, with the kernel decide
// between them, and waited for once; those after the end of the block have no rows.
func (b *Backend) ForwardAhead(ctx context.Context, batch backend.Batch, r backend.Rule, n int) ([]backend.Pass, error) {
	if b.dev == nil {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows := r.Limit // of a pass after the first, at the most
	if r.Lead >= 0 {
		rows++
	}
	n = min(n, mostPasses)
	entries := len(r.Tried) + r.Limit*(1+2*r.Passes)
	if n < 2 || r.Limit > mostCells || rows > b.limits.Rows || r.Context+rows > b.limits.Positions || entries > mostTried || len(batch.Rows) == 0 {
		tops, err := b.Forward(ctx, batch)
		if err != nil {
			return nil, err
		}
		return []backend.Pass{{Rows: batch.Rows, Revising: r.Revising, Tops: tops}}, nil
	}
	var passes []backend.Pass
	err := driver.Do(b.dev, func() error {
		batch.Forbid = r.Bounded
		k, err := b.translate(batch)
		if err != nil {
			return err
		}
		if err := b.holds(k, r); err != nil {
			return fmt.Errorf("cuda: %w", err)
		}
		k.forbid = append(k.forbid, b.shape.bits(r.Full))
		if passes, err = b.runAhead(k, batch.Rows, r, rows, n); err != nil {
			b.disorder = true
			return fmt.Errorf("cuda: forward: %w", err)
		}
		b.held.SetLen(k.groups[0].Seq, k.groups[0].After)
		return nil
	})
	return passes, err
}

// holds says what is wrong with a rule for a batch.
func (b *Backend) holds(k *work, r backend.Rule) error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("a canvas to decide: %s: %w", fmt.Sprintf(format, a...), backend.ErrBatch)
	}
	if len(k.groups) != 1 {
		return bad("%d sequences", len(k.groups))
	}
	if len(r.Cells) == 0 || len(r.Cells) > r.Limit {
		return bad("%d cells of at most %d", len(r.Cells), r.Limit)
	}
	if r.Context < 0 || r.Context > k.groups[0].After {
		return bad("%d tokens before it, the sequence has %d", r.Context, k.groups[0].After)
	}
	if len(r.Full) >= b.shape.VocabSize {
		return bad("%d forbidden tokens of %d", len(r.Full), b.shape.VocabSize)
	}
	for _, list := range [][]backend.TokenID{r.Cells, r.Full} {
		for _, t := range list {
			if t < 0 || int(t) >= b.shape.VocabSize {
				return bad("token %d is not in the vocabulary", t)
			}
		}
	}
	if int(r.Lead) >= b.shape.VocabSize {
		return bad("token %d is not in the vocabulary", r.Lead)
	}
	asked := 0
	for _, t := range r.Cells {
		if r.Revising || t == r.Mask {
			asked++
		}
	}
	if asked > len(k.from) {
		return bad("%d cells are asked, the batch asks %d rows", asked, len(k.from))
	}
	return nil
}

// logStride is the words of the log for a pass (kernels/decide.cu).
func logStride(most, answers int) int { return 4 + 2*most + 8*max(most, answers) }

func (b *Backend) runAhead(k *work, asked []backend.Row, r backend.Rule, most, n int) ([]backend.Pass, error) {
	s, at := &b.shape, b.ws.ahead
	group := k.groups[0]
	plan := s.canvasItems(most, r.Context)
	first, next := b.program(len(k.rows), len(k.items)), b.program(most, len(plan))
	if err := b.clean(); err != nil {
		return nil, err
	}
	set := int32(b2i(r.Revising))
	if err := b.bring(first, k, set); err != nil {
		return nil, err
	}
	own := b.pages.table[group.Seq]
	stride := logStride(most, len(k.from))
	c := canvasArg{Cells: int32(len(r.Cells)), Limit: int32(r.Limit), Revise: set, Passes: int32(r.Passes), Tried: int32(len(r.Tried)), Stride: int32(stride),
		Cap: int32(most), Lead: int32(r.Lead), Pos: int32(r.Context), Context: int32(r.Context), Pages: int32(len(own)),
		Mask: int32(r.Mask), End: int32(r.End), Erase: int32(r.Delete), Insert: int32(r.Insert), Threshold: r.Threshold, Factor: r.Factor, Change: r.Revise}
	tried := make([]int32, 0, 2*len(r.Tried))
	for _, t := range r.Tried {
		tried = append(tried, int32(t.Cell), int32(t.Token))
	}
	plan = append(plan, make([]itemArg, next.items-len(plan))...) // of no pairs
	for _, w := range []struct {
		to   driver.Ptr
		data []byte
	}{{at.canvas, raw([]canvasArg{c})}, {at.cells, raw(r.Cells)}, {at.tried, raw(tried)}, {at.plan, raw(plan)}, {at.own, raw(own)}} {
		if len(w.data) == 0 {
			continue
		}
		if err := b.dev.Write(w.to, w.data); err != nil {
			return nil, err
		}
	}
	for i := range n {
		p := next
		if i == 0 {
			p = first
		}
		if err := b.start(p); err != nil {
			return nil, err
		}
		d := &next.decide
		if err := b.dev.Launch(d.fn, d.grid, d.block, d.params); err != nil {
			return nil, err
		}
	}
	log := make([]int32, n*stride)
	if err := b.dev.Read(at.log, raw(log)); err != nil { // waits
		return nil, err
	}
	var passes []backend.Pass
	for i := range n {
		l := log[i*stride:][:stride]
		rows, answers := int(l[0]), int(l[1])
		if rows == 0 {
			break
		}
		p := backend.Pass{Rows: asked, Revising: l[2] != 0}
		from := k.from
		if i > 0 {
			if rows > most || answers > rows {
				return nil, fmt.Errorf("the device decided a pass of %d rows with %d answers, of at most %d", rows, answers, most)
			}
			p.Rows, from = make([]backend.Row, rows), nil
			for j := range p.Rows {
				row := backend.Row{Seq: group.Seq, Token: backend.TokenID(l[4+j]), Pos: int32(r.Context + j), Kind: backend.Canvas, Target: backend.NoToken}
				if l[4+most+j] >= 0 {
					row.Want = backend.WantTop
					from = append(from, j)
				}
				p.Rows[j] = row
			}
		}
		if len(from) != answers {
			return nil, fmt.Errorf("the device gave %d answers for %d rows", answers, len(from))
		}
		out := raw(l[4+2*most:])
		for j, row := range from {
			p.Tops = append(p.Tops, top(out[32*j:], row, p.Rows[row], k.forbid[b2i(p.Revising)]))
		}
		passes = append(passes, p)
	}
	return passes, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
