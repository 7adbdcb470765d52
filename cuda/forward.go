package cuda

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine/backend"
)

// workspace is what a pass works in. r is Limits.Rows.
type workspace struct {
	rows, items, pick, forbid driver.Ptr // the batch
	y                         driver.Ptr // [r][d] fp32, the residual stream
	copy                      driver.Ptr // [r][d padded] bf16
	squares                   driver.Ptr // [d/64][r]
	q, canvasK, canvasV       driver.Ptr // [r][heads][padded] bf16
	mixed                     driver.Ptr // [r][heads*hd padded] bf16, attention's output
	h                         driver.Ptr // [r][ff padded] bf16
	parts, counts             driver.Ptr
	best, ids, target, out    driver.Ptr
}

func (s *shape) workspace(r *region) workspace {
	n := s.rows
	take := func(n int) driver.Ptr { return driver.Ptr(r.take(n)) }
	var parts, counts int
	for rows := 16; ; rows += 16 { // the split depends on the rows, and not in one direction
		rows = min(rows, up(n, 16)*16)
		for _, p := range [3][3]int{{s.qkvTiles, s.d, s.group}, {s.d, s.q, 1}, {s.d, s.ff, 1}} {
			y := up(rows, block(rows))
			counts = max(counts, y*p[0]/p[2])
			if z := s.split(rows, p[0], p[1]); z*p[2] > 1 {
				parts = max(parts, y*p[0]*z*block(rows)*256)
			}
		}
		if y := up(rows, block(rows)); s.split(rows, s.gateTiles, s.d) > 1 {
			parts = max(parts, y*s.gateTiles*s.split(rows, s.gateTiles, s.d)*block(rows)*256)
			counts = max(counts, y*s.gateTiles)
		}
		if rows >= n {
			break
		}
	}
	share := s.NumHeads / s.NumKVHeads
	kv := n * s.NumKVHeads * s.padded * 2
	return workspace{
		rows: take(32 * n), items: take(32 * (up(n*share, 64) + 2*n)), pick: take(4 * n), forbid: take(4 * up(s.VocabSize, 32)),
		y: take(4 * n * s.HiddenSize), copy: take(n * s.d * 128), squares: take(4 * s.d * n),
		q: take(n * s.NumHeads * s.padded * 2), canvasK: take(kv), canvasV: take(kv),
		mixed: take(n * s.q * 128), h: take(n * s.ff * 128),
		parts: take(parts), counts: take(4 * counts),
		best: take(12 * n * s.vocabTiles), ids: take(8 * n * s.vocabTiles), target: take(4 * n), out: take(32 * n),
	}
}

// counters is the size of the counters, in words, as workspace took it.
func (s *shape) counters(ws *workspace) uint64 { return uint64(ws.best-ws.counts) / 4 }

// Forward implements backend.Backend. It looks at ctx before every layer's launches, and
// waits for the card once.
func (b *Backend) Forward(ctx context.Context, batch backend.Batch) ([]backend.Top, error) {
	if b.dev == nil {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k, err := b.translate(batch)
	if err != nil {
		return nil, err
	}
	if len(k.rows) == 0 {
		return []backend.Top{}, nil
	}
	tops, err := b.run(ctx, k, batch)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		b.disorder = true
		return nil, fmt.Errorf("cuda: forward: %w", err)
	}
	for _, g := range k.groups {
		b.held.SetLen(g.Seq, g.After)
	}
	return tops, nil
}

func (b *Backend) run(ctx context.Context, k *work, batch backend.Batch) ([]backend.Top, error) {
	s, ws := &b.shape, &b.ws
	if b.disorder {
		if err := b.dev.Fill(ws.counts, 0, s.counters(ws)); err != nil {
			return nil, err
		}
		b.disorder = false
	}
	for _, in := range []struct {
		to driver.Ptr
		v  any
	}{{ws.rows, k.rows}, {ws.items, k.items}, {ws.pick, k.pick}, {ws.forbid, k.forbid}} {
		if data := encode(in.v); len(data) > 0 {
			if err := b.dev.Write(in.to, data); err != nil {
				return nil, err
			}
		}
	}
	mark := int32(-1)
	if s.Seedling.CanvasMark {
		mark = int32(s.Seedling.Tokens.Mask)
	}
	if err := b.launch("embed", [3]int{len(k.rows), 1, 1}, 128, embedArg{b.w.table, ws.rows, ws.y, ws.copy, ws.squares,
		int32(s.HiddenSize), int32(s.d * 64), int32(s.rows), mark}); err != nil {
		return nil, err
	}
	for l := range b.w.layers {
		if err := ctx.Err(); err != nil {
			// What was launched runs on; the next pass comes after it.
			return nil, err
		}
		if err := b.layer(l, k); err != nil {
			return nil, fmt.Errorf("layer %d: %w", l, err)
		}
	}
	if len(k.pick) == 0 {
		return []backend.Top{}, b.dev.Sync()
	}
	return b.head(k, batch)
}

func (b *Backend) launch(name string, grid [3]int, threads int, args any) error {
	if err := b.dev.Launch(b.kernel[name], grid, [3]int{threads, 1, 1}, encode(args)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// product fills in a product of all rows, and the grid and name suffix it runs with.
func (b *Backend) product(x, w driver.Ptr, rows, tiles, ktiles, group, splits int) (gemmArg, [3]int, string) {
	s, ws := &b.shape, &b.ws
	g := gemmArg{X: x, W: w, Parts: ws.parts, Counts: ws.counts, Info: ws.rows, Rows: int32(rows), KTiles: int32(ktiles),
		Tiles: int32(tiles), Group: int32(group), Splits: int32(splits), Stride: int32(s.rows), Width: int32(s.HiddenSize), Eps: float32(s.RMSNormEps)}
	m := block(rows)
	return g, [3]int{tiles, up(rows, m), splits}, fmt.Sprintf("_%d", m)
}

// layer launches layer l.
func (b *Backend) layer(l int, k *work) error {
	s, ws, w, n := &b.shape, &b.ws, &b.w.layers[l], len(k.rows)
	g, grid, m := b.product(ws.copy, w.qkv, n, s.qkvTiles, s.d, s.group, s.split(n, s.qkvTiles, s.d))
	g.Squares = ws.squares
	if err := b.launch("qkv"+m, grid, 128, qkvArg{G: g, Q: ws.q, K: b.keys(l), V: b.values(l), CanvasK: ws.canvasK, CanvasV: ws.canvasV,
		QNorm: w.qnorm, KNorm: w.knorm, Rope: b.w.rope, Heads: int32(s.NumHeads), KV: int32(s.NumKVHeads), HD: int32(s.HeadDim),
		Padded: int32(s.padded), Positions: int32(s.positions)}); err != nil {
		return err
	}
	if err := b.launch(fmt.Sprintf("attention_%d", s.padded), [3]int{len(k.items), s.NumKVHeads, 1}, 128, attentionArg{
		ws.q, b.keys(l), b.values(l), ws.canvasK, ws.canvasV, ws.rows, ws.items, ws.mixed,
		int32(s.NumHeads), int32(s.NumKVHeads), int32(s.HeadDim), int32(s.positions), int32(s.q * 64),
		float32(math.Log2E / math.Sqrt(float64(s.HeadDim)))}); err != nil {
		return err
	}
	g, grid, m = b.product(ws.mixed, w.out, n, s.d, s.q, 1, s.split(n, s.d, s.q))
	if err := b.launch("residual"+m, grid, 128, residualArg{G: g, Y: ws.y, Copy: ws.copy, Squares: ws.squares, N: int32(s.HiddenSize)}); err != nil {
		return err
	}
	g, grid, m = b.product(ws.copy, w.gate, n, s.gateTiles, s.d, 1, s.split(n, s.gateTiles, s.d))
	g.Squares = ws.squares
	if err := b.launch("swiglu"+m, grid, 128, swigluArg{G: g, H: ws.h, HStride: int32(s.ff * 64)}); err != nil {
		return err
	}
	g, grid, m = b.product(ws.h, w.down, n, s.d, s.ff, 1, s.split(n, s.d, s.ff))
	return b.launch("residual"+m, grid, 128, residualArg{G: g, Y: ws.y, Copy: ws.copy, Squares: ws.squares, N: int32(s.HiddenSize)})
}

// head launches the head for the rows that ask, waits, and reads the answers.
func (b *Backend) head(k *work, batch backend.Batch) ([]backend.Top, error) {
	s, ws, n := &b.shape, &b.ws, len(k.pick)
	g, grid, m := b.product(ws.copy, b.w.head, n, s.vocabTiles, s.d, 1, 1)
	g.Squares, g.Pick = ws.squares, ws.pick
	if err := b.launch("head"+m, grid, 128, headArg{G: g, Forbid: ws.forbid, Best: ws.best, IDs: ws.ids, Target: ws.target, Vocab: int32(s.VocabSize)}); err != nil {
		return nil, err
	}
	if err := b.launch("answer", [3]int{n, 1, 1}, 32, answerArg{ws.best, ws.ids, ws.target, ws.out, int32(s.vocabTiles), int32(n)}); err != nil {
		return nil, err
	}
	if err := b.dev.Sync(); err != nil {
		return nil, err
	}
	raw := make([]byte, 32*n)
	if err := b.dev.Read(ws.out, raw); err != nil {
		return nil, err
	}
	tops := make([]backend.Top, n)
	for i := range tops {
		word := func(j int) uint32 { return binary.LittleEndian.Uint32(raw[32*i+4*j:]) }
		float := func(j int) float64 { return float64(math.Float32frombits(word(j))) }
		first, z := float(0), float(0)+math.Log(float(2))
		t := backend.Top{Row: k.from[i], Best: backend.TokenID(int32(word(4))), Second: backend.TokenID(int32(word(5))), LogZ: float32(z)}
		t.Prob = float32(math.Exp(first - z))
		if t.Second >= 0 {
			t.SecondProb = float32(math.Exp(float(1) - z))
		}
		if r := batch.Rows[t.Row]; r.Want&backend.WantTarget != 0 {
			t.TargetLog = float32(math.Inf(-1))
			if k.forbid[r.Target/32]>>(r.Target%32)&1 == 0 {
				t.TargetLog = float32(float(3) - z)
			}
		}
		tops[i] = t
	}
	return tops, nil
}
