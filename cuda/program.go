package cuda

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/seedling-lsp/seedling/cuda/driver"
)

// launch is a kernel with everything it needs, made once.
type launch struct {
	fn          driver.Function
	grid, block [3]int
	params      []byte
}

// program is a pass of a shape: its launches, whose arguments never change, and after the
// second pass the graph of them. What changes from pass to pass stands in memory, see
// kernels/rows.cuh.
type program struct {
	rows, items int // room for them
	height, y   int // of the products' blocks, and how many
	launches    []launch
	decide      launch // what makes a batch for the program of the answers to another
	graph       driver.Graph
	runs        int
}

// shapeKey names programs.
type shapeKey struct{ rows, items int }

// room is the shape of a pass for so many rows and items: powers of two, so that there are
// few.
func (s *shape) room(rows, items int) shapeKey {
	pow := func(n, least int) int { return max(least, 1<<bits.Len(uint(n-1))) }
	most, _ := s.mostItems()
	return shapeKey{min(pow(rows, 16), max(s.rows, 16)), min(pow(items, 4), most)}
}

// program finds or makes the program for so many rows and items.
func (b *Backend) program(rows, items int) *program {
	key := b.shape.room(rows, items)
	p := b.programs[key]
	if p == nil {
		p = b.build(key)
		b.programs[key] = p
	}
	return p
}

// start starts a pass. Its first run is launch by launch, later ones are a graph where the
// driver can.
func (b *Backend) start(p *program) error {
	g, ok := b.dev.(driver.Grapher)
	if !ok || b.plain || p.runs == 0 {
		p.runs++
		return b.each(p.launches)
	}
	if p.graph == 0 {
		taken, err := g.Capture(func() error { return b.each(p.launches) })
		if err != nil {
			return fmt.Errorf("capturing a pass of %d rows: %w", p.rows, err)
		}
		p.graph = taken
	}
	p.runs++
	return g.Start(p.graph)
}

func (b *Backend) each(list []launch) error {
	for i := range list {
		l := &list[i]
		if err := b.dev.Launch(l.fn, l.grid, l.block, l.params); err != nil {
			return err
		}
	}
	return nil
}

// build makes the launches of a pass.
func (b *Backend) build(key shapeKey) *program {
	s, ws := &b.shape, &b.ws
	p := &program{rows: key.rows, items: key.items, height: block(key.rows)}
	p.y = up(p.rows, p.height)
	add := func(name string, grid [3]int, threads int, args any) {
		p.launches = append(p.launches, launch{b.kernel[name], grid, [3]int{threads, 1, 1}, encode(args)})
	}
	header := ws.batch
	rows := header + 16
	items := rows + driver.Ptr(48*p.rows)
	pages := items + driver.Ptr(48*p.items)
	gemm := func(x xArg, w matrix, tiles, steps, group, splits int) gemmArg {
		return gemmArg{X: x, W: w.w, Scale: w.scale, Parts: ws.parts, Counts: ws.counts, Squares: ws.squares, Info: rows, Head: header,
			Steps: int32(steps), Tiles: int32(tiles), Group: int32(group), Splits: int32(splits),
			Stride: int32(s.rows), Width: int32(s.HiddenSize), Eps: float32(s.RMSNormEps)}
	}
	stream := streamArg{Y: ws.y, Copy: ws.copy, Squares: ws.squares, N: int32(s.HiddenSize)}
	kind := s.kind()
	high := fmt.Sprintf("_%s_%d", kind, p.height)
	mark := int32(-1)
	if s.Seedling.CanvasMark {
		mark = int32(s.Seedling.Tokens.Mask)
	}
	add("embed_"+kind, [3]int{p.rows, 1, 1}, 128, embedArg{Table: b.w.table, Info: rows, Head: header, To: stream,
		Width: int32(s.d * 64), Stride: int32(s.rows), Mark: mark})
	for l := range b.w.layers {
		w := &b.w.layers[l]
		z := s.split(p.y, s.qkvTiles, s.dSteps)
		add("qkv"+high, [3]int{s.qkvTiles, p.y, z}, 128, qkvArg{G: gemm(ws.copy, w.qkv, s.qkvTiles, s.dSteps, s.group, z),
			Q: ws.q, K: b.keys(l), V: b.values(l), CanvasK: ws.canvasK, CanvasV: ws.canvasV, QNorm: w.qnorm, KNorm: w.knorm, Rope: b.w.rope,
			Page: int64(s.pageElements()), Heads: int32(s.NumHeads), KV: int32(s.NumKVHeads), HD: int32(s.HeadDim), Padded: int32(s.padded)})
		add(fmt.Sprintf("attention_%s_%d", kind, s.padded), [3]int{p.items, s.NumKVHeads, 1}, 128, attentionArg{
			Q: ws.q, K: b.keys(l), V: b.values(l), CanvasK: ws.canvasK, CanvasV: ws.canvasV, Info: rows, Items: items, Pages: pages, Out: ws.mixed,
			Parts: ws.attendedParts, Counts: ws.attended, Page: int64(s.pageElements()), Heads: int32(s.NumHeads), KV: int32(s.NumKVHeads),
			HD: int32(s.HeadDim), HStride: int32(s.hstride), Scale: float32(math.Log2E / math.Sqrt(float64(s.HeadDim)))})
		z = s.split(p.y, s.d, s.qSteps)
		add("residual"+high, [3]int{s.d, p.y, z}, 128, residualArg{gemm(ws.mixed, w.out, s.d, s.qSteps, 1, z), stream})
		z = s.split(p.y, s.gateTiles, s.dSteps)
		up := gemm(ws.copy, w.gate, s.gateTiles, s.dSteps, s.gateGroup, z)
		blocks := s.gateTiles * z
		z = s.split(p.y, s.d, s.hSteps)
		down := gemm(ws.h, w.down, s.d, s.hSteps, 1, z)
		down.Parts, down.Counts = ws.downParts, ws.downCounts
		add("mlp"+high, [3]int{(blocks + s.d*z) * p.y, 1, 1}, 128, mlpArg{Up: up, Down: down, H: ws.h, To: stream,
			Ticket: ws.ticket, Ready: ws.ready, Blocks: int32(p.y)})
	}
	add("head"+high, [3]int{s.vocabTiles, p.y, 1}, 128, headArg{G: gemm(ws.copy, b.w.head, s.vocabTiles, s.dSteps, 1, 1),
		Forbid: ws.forbid, Best: ws.best, IDs: ws.ids, Target: ws.target, Vocab: int32(s.VocabSize), Words: int32(up(s.VocabSize, 32))})
	add("answer", [3]int{p.rows, 1, 1}, 32, answerArg{Best: ws.best, IDs: ws.ids, Target: ws.target, Out: ws.out, Head: header, Tiles: int32(s.vocabTiles)})
	p.decide = launch{b.kernel["decide"], [3]int{1, 1, 1}, [3]int{32, 1, 1}, encode(decideArg{Canvas: ws.ahead.canvas, Cells: ws.ahead.cells,
		Tried: ws.ahead.tried, Out: ws.out, Log: ws.ahead.log, Head: header, Info: rows, Items: items, Pages: pages,
		Plan: ws.ahead.plan, Own: ws.ahead.own, Count: int32(p.items), Share: int32(s.NumHeads / s.NumKVHeads)})}
	return p
}

// kind is the type of weights and activations in the kernels' names.
func (s *shape) kind() string {
	if s.fp8 {
		return "fp8"
	}
	return "bf16"
}

// kernels lists those that a network needs.
func (s *shape) kernels() []string {
	names := []string{"embed_" + s.kind(), "answer", "decide", fmt.Sprintf("attention_%s_%d", s.kind(), s.padded)}
	for _, n := range []string{"qkv", "residual", "mlp", "head"} {
		for _, height := range []int{16, 32} {
			names = append(names, fmt.Sprintf("%s_%s_%d", n, s.kind(), height))
		}
	}
	return names
}
