package cuda

// Cost is what all launches of a kernel in a pass move and compute, modelled from the shape
// alone. TestTraffic holds Asked and Written to what the interpreter counts.
type Cost struct {
	Kernel   string
	Launches int
	// Memory is the bytes that must come from the card's memory, each once: weights with their
	// scales, and cached keys and values. What passes from kernel to kernel stays in L2, which
	// holds it many times over.
	Memory float64
	// Asked and Written are the bytes of the 32-byte sectors that warps ask for and write.
	// Most of Asked beyond Memory is the rows, which every tile of weights reads again from L2.
	Asked, Written float64
	FLOPs          float64
}

const sector = 32

// span is one item of attention: 64 pairs or fewer, the keys it goes through, and its parts.
type span struct{ pairs, rows, context, canvas, parts int }

// costs models a pass of so many rows, of which some ask; context rows among them write keys
// and values into the cache. The seven kernels come in the order of their first launch.
func (s *shape) costs(rows, context, asked int, spans []span) []Cost {
	key := s.room(rows, s.items(spans))
	height := block(key.rows)
	all, active := up(key.rows, height), up(rows, height)
	n, pieces, b := float64(rows), float64(s.d), 2.0
	if s.fp8 {
		b = 1
	}
	cols := 64 * b // bytes of a row's 64 columns
	scale := 0.0   // of a row's 64 columns, where there are any
	if s.fp8 {
		scale = sector
	}
	layers := float64(s.NumLayers)

	// product is the part that all products share: weights and rows come in, parts go through
	// memory where several blocks share a sum.
	product := func(c *Cost, tiles, steps, z, group int) {
		t, k, y, h := float64(tiles), float64(steps), float64(active), float64(height)
		weights := t * k * 8192
		c.Memory += weights
		c.Asked += weights*y + t*k*h*128*y
		if s.fp8 {
			c.Memory += t * 256
			c.Asked += t*k*h*8*y + t*float64(z)*y*256
		}
		if z*group > 1 {
			c.Asked += t * float64(z) * h * 256 * y
			c.Written += t*float64(z)*h*256*y + t/float64(group)*y*sector
		}
		c.FLOPs += 2 * n * t * 64 * k * float64(unit(s.fp8))
	}
	// add is the end of those that write the stream.
	add := func(c *Cost) {
		c.Asked += n * float64(s.HiddenSize) * 4
		c.Written += n * (float64(s.HiddenSize)*4 + pieces*(cols+scale+sector))
	}
	heads, hd := float64(s.NumHeads+2*s.NumKVHeads), float64(s.HeadDim)
	turned := float64(s.NumHeads + s.NumKVHeads)
	z := func(tiles, steps int) int { return s.split(all, tiles, steps) }
	warps := 4.0 // of a block: each asks for what all its lanes need alike

	embed := Cost{Kernel: "embed", Launches: 1}
	embed.Memory = n * pieces * 128
	embed.Asked = n*pieces*128 + float64(key.rows)*warps*sector + n*warps*sector
	if s.Seedling.CanvasMark { // and what the mark adds, for each row that has it
		embed.Asked += n*pieces*128 + n*warps*sector
	}
	embed.Written = n * (float64(s.HiddenSize)*4 + pieces*(cols+scale+sector))

	qkv := Cost{Kernel: "qkv"}
	split := z(s.qkvTiles, s.dSteps)
	product(&qkv, s.qkvTiles, s.dSteps, split, s.group)
	qkv.Asked += float64(s.qkvTiles*split*all)*warps*sector + n*heads*(pieces*sector+2*sector) + n*turned*hd*4
	qkv.Asked += float64(context*2*s.NumKVHeads) * sector
	if s.QKNorm() {
		qkv.Asked += n * turned * hd * 4
	}
	qkv.Written += n * heads * float64(s.padded) * 2

	attention := Cost{Kernel: "attention"}
	width, kv := float64(s.padded), float64(s.NumKVHeads)
	share := s.NumHeads / s.NumKVHeads
	blocks := 0
	for _, p := range spans {
		blocks += p.parts
		attention.Memory += float64(p.context) * kv * width * 4
		// Keys and values, 32 at a time. Past the end the last one is read again: each warp asks
		// for it once for the keys that it copies, 32/(width/8) of them.
		attention.Asked += kv * float64(p.context+p.canvas) * width * 4
		for _, n := range []int{p.context, p.canvas} {
			attention.Asked += kv * float64((up(n, 32)*32-n)*s.padded/256) * width * 4
		}
		attention.Asked += kv * float64(up(p.context, 32)) * 4 * width // where its pages are
		// Queries come in pieces of 16 bytes, eight pairs at a time; lanes without a pair ask
		// for the last one's. Of each one's row two numbers are read.
		queries, numbers := 0, 0
		for first := 0; first < 64; first += 8 {
			pairs := max(1, min(8, p.pairs-first))
			queries += pairs * s.padded / 8
			numbers += 2 * up(pairs, share)
		}
		attention.Asked += kv * float64(p.parts) * (float64(queries+numbers)*sector + warps*12*sector)
		out := float64(p.pairs) * hd * 4 // 16 of a sector's bytes, or in e4m3 8
		if s.fp8 {
			out += float64(up(p.pairs, 8)*min(share, 8)*s.group) * sector
		}
		attention.Written += kv * out
		if p.parts > 1 {
			// The compiler writes the first two columns of a part apart.
			each := 64 * (width + 2) * 4
			attention.Written += kv * (float64(p.parts)*(each+64*sector) + sector)
			attention.Asked += kv * float64(p.parts) * (each + 64*8)
		}
		attention.FLOPs += kv * float64(p.pairs) * float64(p.context+p.canvas) * hd * 4
	}
	attention.Asked += kv * float64(key.items-blocks) * warps * 9 * sector // blocks without work

	residual := Cost{Kernel: "residual"}
	split = z(s.d, s.qSteps)
	product(&residual, s.d, s.qSteps, split, 1)
	residual.Asked += float64(s.d*split*all) * warps * sector
	add(&residual)

	mlp := Cost{Kernel: "mlp"}
	up1, down := z(s.gateTiles, s.dSteps), z(s.d, s.hSteps)
	product(&mlp, s.gateTiles, s.dSteps, up1, s.gateGroup)
	product(&mlp, s.d, s.hSteps, down, 1)
	mlp.Asked += float64((s.gateTiles*up1+s.d*down)*all)*warps*sector + float64(s.d*down*active)*sector
	mlp.Asked += n * float64(s.gateTiles/s.gateGroup) * pieces * sector
	mlp.Written += n * (float64(s.gateTiles)*32*b + float64(s.gateTiles/s.gateGroup)*scale)
	add(&mlp)

	head := Cost{Kernel: "head", Launches: 1}
	product(&head, s.vocabTiles, s.dSteps, 1, 1)
	m, t := float64(asked), float64(s.vocabTiles)
	head.Asked += t*float64(all)*warps*sector + t*float64(active*(height+1))*warps*sector
	head.Asked += t * m * (pieces*sector + 2*sector + 2*sector + sector)
	head.Written += t * m * 5 * sector

	answer := Cost{Kernel: "answer", Launches: 1}
	answer.Asked = t*m*5*sector + float64(key.rows)*sector + m*sector
	answer.Written = m * 8 * sector

	out := []Cost{embed, qkv, attention, residual, mlp, head, answer}
	for i := 1; i < 5; i++ {
		c := &out[i]
		c.Launches = s.NumLayers
		c.Memory, c.Asked, c.Written, c.FLOPs = c.Memory*layers, c.Asked*layers, c.Written*layers, c.FLOPs*layers
	}
	return out
}

func (s *shape) items(spans []span) (n int) {
	for _, p := range spans {
		n += p.parts
	}
	return n
}

// spans are the items of one sequence's canvas of so many rows over so many cached tokens.
func (s *shape) spans(rows, context int) (out []span) {
	share := s.NumHeads / s.NumKVHeads
	whole := up(rows*share, 64)
	for i := range whole {
		pairs := min(64, rows*share-64*i)
		out = append(out, span{pairs, up(pairs, share), context, rows, s.cut(whole, up(context, 32)+up(rows, 32))})
	}
	return out
}
