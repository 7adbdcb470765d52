package cuda

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine/backend"
)

// workspace is what a pass works in. r is shape.rows.
type workspace struct {
	batch                           driver.Ptr // header, rows, items, pages: program says where
	forbid                          driver.Ptr // [2][vocab/32] sets of tokens, header says which holds
	y                               driver.Ptr // [r][d] fp32, the residual stream
	copy, mixed, h                  xArg       // what products read: the stream, attention's output, the feed-forward
	squares                         driver.Ptr // [d/64][r]
	q, canvasK, canvasV             driver.Ptr // [r][heads][padded] bf16
	parts, downParts, attendedParts driver.Ptr
	counts                          driver.Ptr // all counters, zero between passes
	downCounts, attended            driver.Ptr
	ticket, ready                   driver.Ptr
	best, ids, target, out          driver.Ptr
	ahead                           decision
}

func (s *shape) workspace(r *region) workspace {
	n := s.rows
	take := func(n int) driver.Ptr { return driver.Ptr(r.take(max(n, 4))) }
	// Parts and counters of the products that share theirs, since one follows the other,
	// and of the feed-forward's second, which runs beside its first.
	var parts, counts, downParts, downCounts int
	for rows := 16; ; rows *= 2 {
		height := block(rows)
		y := up(min(rows, n), height)
		need := func(tiles, steps, group int) (int, int) {
			z := s.split(y, tiles, steps)
			if z*group == 1 {
				return 0, 0
			}
			return y * tiles * z * height * 256, y * tiles / group
		}
		for _, p := range [][3]int{{s.qkvTiles, s.dSteps, s.group}, {s.d, s.qSteps, 1}, {s.gateTiles, s.dSteps, s.gateGroup}} {
			a, c := need(p[0], p[1], p[2])
			parts, counts = max(parts, a), max(counts, c)
		}
		a, c := need(s.d, s.hSteps, 1)
		downParts, downCounts = max(downParts, a), max(downCounts, c)
		if rows >= n {
			break
		}
	}
	items, cut := s.mostItems()
	x := func(width int) xArg {
		a := xArg{Data: take(up(width, unit(s.fp8)) * n * 128), Stride: int32(n)}
		if s.fp8 {
			a.Scale = take(2 * up(width, 128) * n * 4)
		}
		return a
	}
	kv := n * s.NumKVHeads * s.padded * 2
	ws := workspace{
		batch: take(16 + 48*n + 48*items + 4*(s.pages+s.slots)), forbid: take(8 * up(s.VocabSize, 32)),
		y: take(4 * n * s.HiddenSize), copy: x(s.HiddenSize), mixed: x(s.NumHeads * s.hstride), h: x(s.h * 64), squares: take(4 * s.d * n),
		q: take(n * s.NumHeads * s.padded * 2), canvasK: take(kv), canvasV: take(kv),
		parts: take(parts), downParts: take(downParts), attendedParts: take(cut * s.NumKVHeads * 64 * (s.padded + 2) * 4),
	}
	ws.counts = take(4 * counts)
	ws.downCounts = take(4 * downCounts)
	ws.attended = take(4 * cut * s.NumKVHeads)
	ws.ticket = take(8)
	ws.ready = take(4 * up(n, 16))
	ws.best = take(12 * n * s.vocabTiles)
	ws.ids, ws.target, ws.out = take(8*n*s.vocabTiles), take(4*n), take(32*n)
	ws.ahead = decision{canvas: take(canvasBytes), cells: take(4 * mostCells), tried: take(8 * mostTried), plan: take(48 * items), own: take(4 * up(s.positions, pageSize)),
		log: take(4 * mostPasses * logStride(mostCells+1, n))}
	return ws
}

// counters is the size of the counters, in words, as workspace took it.
func (ws *workspace) counters() uint64 { return uint64(ws.best-ws.counts) / 4 }

// Forward implements backend.Backend. It looks at ctx before it starts the pass, and waits
// for the card once.
func (b *Backend) Forward(ctx context.Context, batch backend.Batch) ([]backend.Top, error) {
	if b.dev == nil {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var tops []backend.Top
	err := driver.Do(b.dev, func() error {
		k, err := b.translate(batch)
		if err != nil || len(k.rows) == 0 {
			return err
		}
		if tops, err = b.run(k, batch); err != nil {
			b.disorder = true
			return fmt.Errorf("cuda: forward: %w", err)
		}
		for _, g := range k.groups {
			b.held.SetLen(g.Seq, g.After)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if tops == nil {
		tops = []backend.Top{}
	}
	return tops, nil
}

func (b *Backend) run(k *work, batch backend.Batch) ([]backend.Top, error) {
	p := b.program(len(k.rows), len(k.items))
	if err := b.clean(); err != nil {
		return nil, err
	}
	if err := b.bring(p, k, 0); err != nil {
		return nil, err
	}
	if err := b.start(p); err != nil {
		return nil, err
	}
	n := len(k.from)
	if n == 0 {
		return nil, b.dev.Sync()
	}
	answers := b.host[:32*n]
	if err := b.dev.Read(b.ws.out, answers); err != nil { // waits
		return nil, err
	}
	tops := make([]backend.Top, n)
	for i := range tops {
		tops[i] = top(answers[32*i:], k.from[i], batch.Rows[k.from[i]], k.forbid[0])
	}
	return tops, nil
}

// clean sets the counters to zero after a failed pass, which may have left them anyhow.
func (b *Backend) clean() error {
	if b.disorder {
		if err := b.dev.Fill(b.ws.counts, 0, b.ws.counters()); err != nil {
			return err
		}
		b.disorder, b.forbidden = false, [2][]uint32{}
	}
	return nil
}

// bring writes a batch to where a program reads it. set is which of its sets of tokens is
// forbidden.
func (b *Backend) bring(p *program, k *work, set int32) error {
	h := headerArg{Rows: int32(len(k.rows)), Asked: int32(len(k.from)), Set: set}
	b.stage = append(b.stage[:0], raw([]headerArg{h})...)
	b.stage = append(b.stage, raw(k.rows)...)
	b.stage = append(b.stage, make([]byte, 48*(p.rows-len(k.rows)))...)
	b.stage = append(b.stage, raw(k.items)...)
	b.stage = append(b.stage, make([]byte, 48*(p.items-len(k.items)))...) // of no pairs: their blocks end at once
	b.stage = append(b.stage, raw(k.pages)...)
	if err := b.dev.Write(b.ws.batch, b.stage); err != nil {
		return err
	}
	for i, set := range k.forbid {
		if b.forbidden[i] != nil && slices.Equal(b.forbidden[i], set) {
			continue
		}
		b.forbidden[i] = nil
		if err := b.dev.Write(b.ws.forbid+driver.Ptr(4*i*len(set)), raw(set)); err != nil {
			return err
		}
		b.forbidden[i] = set
	}
	return nil
}

// top reads the 32 bytes that the kernel `answer` leaves of a row.
func top(raw []byte, i int, r backend.Row, forbid []uint32) backend.Top {
	word := func(j int) uint32 { return binary.LittleEndian.Uint32(raw[4*j:]) }
	float := func(j int) float64 { return float64(math.Float32frombits(word(j))) }
	first, z := float(0), float(0)+math.Log(float(2))
	t := backend.Top{Row: i, Best: backend.TokenID(int32(word(4))), Second: backend.TokenID(int32(word(5))), LogZ: float32(z)}
	t.Prob = float32(math.Exp(first - z))
	if t.Second >= 0 {
		t.SecondProb = float32(math.Exp(float(1) - z))
	}
	if r.Want&backend.WantTarget != 0 {
		t.TargetLog = float32(math.Inf(-1))
		if forbid[r.Target/32]>>(r.Target%32)&1 == 0 {
			t.TargetLog = float32(float(3) - z)
		}
	}
	return t
}
