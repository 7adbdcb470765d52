package train

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// headRows is how many rows the head handles at a time, so that logits stay a few
// megabytes whatever the batch.
const headRows = 1024

// saved are the activations of one layer that the backward pass reads. R rows each;
// d hidden, a = heads·headDim, b = kvHeads·headDim, f intermediate.
type saved struct {
	x           []float32 // [R,d] input of the layer
	inv1, inv2  []float32 // [R]
	h1          []float32 // [R,d] normed input
	qRaw, kRaw  []float32 // [R,a], [R,b] before QK-norm; without one nil
	invQ, invK  []float32 // [R·heads], [R·kvHeads]
	q, k, v     []float32 // after norm (if there is one) and RoPE
	att         []float32 // [R,a]
	lse         []float32 // [R·heads]
	mid         []float32 // [R,d] after attention
	h2          []float32 // [R,d]
	gate, up, h []float32 // [R,f]
}

// Network runs the passes over micro-batches of at most Cap rows. It is not safe for
// concurrent use.
type Network struct {
	P       *Params
	ops     *kernels.Ops
	threads int
	cap     int
	rope    []float32
	layers  []saved
	work    [][]float32 // per thread
	memory  [][]float32

	x, fin, invF                     []float32 // final residual, normed, 1/rms
	dx, dmid, dh, da, dq, dk, dv, df []float32
	lim, from, to, pos               []int32
	headX, headG, logits             []float32
	dwPart                           [][]float32 // per thread, for norms
	invIn                            []float32

	Timing Timing
}

// Timing is where the time of the passes went, summed since it was last cleared. Rows are
// norms, RoPE, activations and copies; Head is the vocabulary's products and the loss; Data is
// what the passes waited for the sampler.
type Timing struct{ GEMM, Attention, Rows, Head, Optimizer, Data time.Duration }

// String gives the shares of the sum, in percent.
func (t Timing) String() string {
	sum := max(t.GEMM+t.Attention+t.Rows+t.Head+t.Optimizer+t.Data, 1)
	share := func(d time.Duration) float64 { return 100 * float64(d) / float64(sum) }
	return fmt.Sprintf("GEMM %.0f %%, head %.0f %%, attention %.0f %%, norms and activations %.0f %%, optimizer %.0f %%, data %.0f %%",
		share(t.GEMM), share(t.Head), share(t.Attention), share(t.Rows), share(t.Optimizer), share(t.Data))
}

// NewNetwork allocates the activations for micro-batches of up to rows rows.
func NewNetwork(p *Params, ops *kernels.Ops, threads, rows int) (*Network, error) {
	c := p.Config
	if c.HeadDim%2 != 0 || c.NumHeads%c.NumKVHeads != 0 {
		return nil, fmt.Errorf("train: %d heads of %d over %d key heads do not divide", c.NumHeads, c.HeadDim, c.NumKVHeads)
	}
	n := &Network{P: p, ops: ops, threads: threads, cap: rows}
	take := func(k int) []float32 {
		s := kernels.Alloc[float32](k)
		n.memory = append(n.memory, s)
		return s
	}
	d, a, b, f := c.HiddenSize, c.NumHeads*c.HeadDim, c.NumKVHeads*c.HeadDim, c.IntermediateSize
	for range c.NumLayers {
		s := saved{
			x: take(rows * d), inv1: take(rows), inv2: take(rows), h1: take(rows * d),
			q: take(rows * a), k: take(rows * b), v: take(rows * b), att: take(rows * a), lse: take(rows * c.NumHeads),
			mid: take(rows * d), h2: take(rows * d), gate: take(rows * f), up: take(rows * f), h: take(rows * f)}
		if c.QKNorm() {
			s.qRaw, s.kRaw, s.invQ, s.invK = take(rows*a), take(rows*b), take(rows*c.NumHeads), take(rows*c.NumKVHeads)
		}
		n.layers = append(n.layers, s)
	}
	n.x, n.fin, n.invF = take(rows*d), take(rows*d), take(rows)
	n.dx, n.dmid, n.dh = take(rows*d), take(rows*d), take(rows*d)
	n.da, n.dq, n.dk, n.dv, n.df = take(rows*a), take(rows*a), take(rows*b), take(rows*b), take(rows*f)
	n.headX, n.headG, n.logits = take(headRows*d), take(headRows*d), take(headRows*c.VocabSize)
	n.lim, n.from, n.to, n.pos = kernels.Alloc[int32](rows), kernels.Alloc[int32](rows), kernels.Alloc[int32](rows), kernels.Alloc[int32](rows)
	size := ops.AttnWork(rows, c.HeadDim)
	for _, s := range [][2]int{{a, d}, {d, a}, {f, d}, {d, f}, {c.VocabSize, d}, {d, c.VocabSize}, {d, rows}, {f, rows}, {a, rows}} {
		size = max(size, ops.GemmWork(s[0], s[1]))
	}
	for range threads {
		n.work = append(n.work, take(size))
		n.dwPart = append(n.dwPart, take(max(d, c.HeadDim)))
	}
	n.rope = c.RopeTable(c.MaxPositions, take(c.MaxPositions*c.HeadDim))
	return n, nil
}

// Close frees the activations. Parameters are the caller's.
func (n *Network) Close() {
	for _, s := range n.memory {
		kernels.Free(s)
	}
	for _, s := range [][]int32{n.lim, n.from, n.to, n.pos} {
		kernels.Free(s)
	}
	n.memory = nil
}

// split runs f on ranges of rows, one a thread.
func (n *Network) split(rows int, f func(w, lo, hi int)) {
	kernels.Each(n.threads, func(w int) {
		lo, hi := rows*w/n.threads, rows*(w+1)/n.threads
		if lo < hi {
			f(w, lo, hi)
		}
	})
}

// gemm is c (+)= a·b over all threads, split by rows of c in whole tiles.
func (n *Network) gemm(m, cols, k int, a, b kernels.Mat, c []float32, acc bool) {
	start := time.Now()
	const tile = 12 // a multiple of every instruction set's tile height but the baseline's
	tiles := (m + tile - 1) / tile
	kernels.Each(n.threads, func(w int) {
		lo, hi := tiles*w/n.threads*tile, min(tiles*(w+1)/n.threads*tile, m)
		n.ops.Gemm(lo, hi, cols, k, a, b, c, cols, acc, n.work[w])
	})
	n.Timing.GEMM += time.Since(start)
}

// linear is y [r,out] = x [r,in] · Wᵀ.
func (n *Network) linear(r int, x []float32, p *Param, y []float32, acc bool) {
	n.gemm(r, p.Rows, p.Cols, kernels.Rows(x, p.Cols), kernels.Rows(p.multiplied(), p.Cols).T(), y, acc)
}

// linearBack is dx [r,in] (+)= dy [r,out]·W and p.G += dyᵀ·x.
func (n *Network) linearBack(r int, x []float32, p *Param, dy, dx []float32, acc bool) {
	n.gemm(r, p.Cols, p.Rows, kernels.Rows(dy, p.Rows), kernels.Rows(p.multiplied(), p.Cols), dx, acc)
	n.gemm(p.Rows, p.Cols, r, kernels.Rows(dy, p.Rows).T(), kernels.Rows(x, p.Cols), p.G, true)
}

func (n *Network) timeRows(start time.Time) { n.Timing.Rows += time.Since(start) }

// rmsBack adds a norm's weight gradient in thread order, so that it is the same on
// every run with the same number of threads.
func (n *Network) rmsBack(rows, d int, x []float32, p *Param, inv, dy, dx []float32, acc bool) {
	n.split(rows, func(w, lo, hi int) {
		part := n.dwPart[w][:d]
		clear(part)
		n.ops.RMSBackward(hi-lo, d, x[lo*d:], d, p.W, inv[lo:], dy[lo*d:], d, dx[lo*d:], d, acc, part)
	})
	for w := range n.threads {
		if rows*w/n.threads < rows*(w+1)/n.threads {
			n.ops.Add(p.G, n.dwPart[w][:d])
		}
	}
}

func (n *Network) attention(s *saved) *kernels.Attention {
	c := n.P.Config
	return &kernels.Attention{Heads: c.NumHeads, KVHeads: c.NumKVHeads, Dim: c.HeadDim,
		Scale: float32(1 / math.Sqrt(float64(c.HeadDim))), Q: s.q, K: s.k, V: s.v, O: s.att, LSE: s.lse,
		DO: n.da, DQ: n.dq, DK: n.dk, DV: n.dv, Lim: n.lim, From: n.from, To: n.to}
}

// eachTask hands out (document, key head) pairs to the threads, largest documents as
// they come; which thread takes a pair does not change its result.
func (n *Network) eachTask(m *Micro, f func(w int, d kernels.Doc, g int)) {
	start := time.Now()
	groups := n.P.Config.NumKVHeads
	var next atomic.Int64
	kernels.Each(n.threads, func(w int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(m.Docs)*groups {
				return
			}
			f(w, m.Docs[i/groups], i%groups)
		}
	})
	n.Timing.Attention += time.Since(start)
}

// embedRows fills n.x with the input embeddings.
func (n *Network) embedRows(m *Micro) {
	d := n.P.Config.HiddenSize
	e, mask := n.P.embed.W, int(n.P.Config.Seedling.Tokens.Mask)
	n.split(m.Rows(), func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			x := n.x[r*d : (r+1)*d]
			copy(x, e[int(m.Token[r])*d:])
			if m.Mark[r] {
				n.ops.Add(x, e[mask*d:(mask+1)*d])
			}
		}
	})
}

// forward runs the network up to the final norm, keeping what backward needs.
func (n *Network) forward(m *Micro) {
	c := n.P.Config
	R, d, hd := m.Rows(), c.HiddenSize, c.HeadDim
	H, G, f := c.NumHeads, c.NumKVHeads, c.IntermediateSize
	eps := float32(c.RMSNormEps)
	copy(n.lim, m.Lim)
	copy(n.from, m.From)
	copy(n.to, m.To)
	copy(n.pos, m.Pos)
	t := time.Now()
	n.embedRows(m)
	n.timeRows(t)
	for i := range n.layers {
		s, p := &n.layers[i], &n.P.layers[i]
		t = time.Now()
		n.split(R, func(_, lo, hi int) {
			copy(s.x[lo*d:hi*d], n.x[lo*d:hi*d])
			n.ops.RMSForward(hi-lo, d, s.x[lo*d:], d, p.inNorm.W, eps, s.h1[lo*d:], d, s.inv1[lo:])
		})
		n.timeRows(t)
		q, k := s.q, s.k
		if c.QKNorm() {
			q, k = s.qRaw, s.kRaw
		}
		n.linear(R, s.h1, p.q, q, false)
		n.linear(R, s.h1, p.k, k, false)
		n.linear(R, s.h1, p.v, s.v, false)
		t = time.Now()
		n.split(R, func(_, lo, hi int) {
			if c.QKNorm() {
				n.ops.RMSForward((hi-lo)*H, hd, s.qRaw[lo*H*hd:], hd, p.qNorm.W, eps, s.q[lo*H*hd:], hd, s.invQ[lo*H:])
				n.ops.RMSForward((hi-lo)*G, hd, s.kRaw[lo*G*hd:], hd, p.kNorm.W, eps, s.k[lo*G*hd:], hd, s.invK[lo*G:])
			}
			n.ops.RoPE(hi-lo, H, hd, s.q[lo*H*hd:], n.pos[lo:hi], n.rope, 1)
			n.ops.RoPE(hi-lo, G, hd, s.k[lo*G*hd:], n.pos[lo:hi], n.rope, 1)
		})
		n.timeRows(t)
		att := n.attention(s)
		n.eachTask(m, func(w int, doc kernels.Doc, g int) { n.ops.AttnForward(att, doc, g, n.work[w]) })
		copy(s.mid[:R*d], n.x[:R*d])
		n.linear(R, s.att, p.o, s.mid, true)
		t = time.Now()
		n.split(R, func(_, lo, hi int) {
			n.ops.RMSForward(hi-lo, d, s.mid[lo*d:], d, p.postNorm.W, eps, s.h2[lo*d:], d, s.inv2[lo:])
		})
		n.timeRows(t)
		n.linear(R, s.h2, p.gate, s.gate, false)
		n.linear(R, s.h2, p.up, s.up, false)
		t = time.Now()
		n.split(R, func(_, lo, hi int) {
			n.ops.SwiGLUForward(s.gate[lo*f:hi*f], s.up[lo*f:hi*f], s.h[lo*f:hi*f])
			copy(n.x[lo*d:hi*d], s.mid[lo*d:hi*d])
		})
		n.timeRows(t)
		n.linear(R, s.h, p.down, n.x, true)
	}
	t = time.Now()
	n.split(R, func(_, lo, hi int) {
		n.ops.RMSForward(hi-lo, d, n.x[lo*d:], d, n.P.norm.W, eps, n.fin[lo*d:], d, n.invF[lo:])
	})
	n.timeRows(t)
}

// backward goes from n.dh, the gradient of the final norm's output, to every
// parameter's gradient.
func (n *Network) backward(m *Micro) {
	c := n.P.Config
	R, d, hd := m.Rows(), c.HiddenSize, c.HeadDim
	H, G, f := c.NumHeads, c.NumKVHeads, c.IntermediateSize
	t := time.Now()
	n.rmsBack(R, d, n.x, n.P.norm, n.invF, n.dh, n.dx, false)
	n.timeRows(t)
	for i := len(n.layers) - 1; i >= 0; i-- {
		s, p := &n.layers[i], &n.P.layers[i]
		// MLP: dx is the gradient of the layer's output.
		n.linearBack(R, s.h, p.down, n.dx, n.df, false)
		t = time.Now()
		n.split(R, func(_, lo, hi int) { n.ops.SwiGLUBackward(s.gate[lo*f:hi*f], s.up[lo*f:hi*f], n.df[lo*f:hi*f]) })
		n.timeRows(t)
		n.linearBack(R, s.h2, p.gate, s.gate, n.dh, false)
		n.linearBack(R, s.h2, p.up, s.up, n.dh, true)
		t = time.Now()
		n.rmsBack(R, d, s.mid, p.postNorm, s.inv2, n.dh, n.dx, true)
		n.timeRows(t)
		// Attention: dx is now the gradient of mid.
		n.linearBack(R, s.att, p.o, n.dx, n.da, false)
		att := n.attention(s)
		n.eachTask(m, func(w int, doc kernels.Doc, g int) { n.ops.AttnBackward(att, doc, g, n.work[w]) })
		t = time.Now()
		n.split(R, func(_, lo, hi int) {
			n.ops.RoPE(hi-lo, H, hd, n.dq[lo*H*hd:], n.pos[lo:hi], n.rope, -1)
			n.ops.RoPE(hi-lo, G, hd, n.dk[lo*G*hd:], n.pos[lo:hi], n.rope, -1)
		})
		if c.QKNorm() { // in place: the gradient before a head's norm replaces the one after it
			n.rmsBack(R*H, hd, s.qRaw, p.qNorm, s.invQ, n.dq, n.dq, false)
			n.rmsBack(R*G, hd, s.kRaw, p.kNorm, s.invK, n.dk, n.dk, false)
		}
		n.timeRows(t)
		n.linearBack(R, s.h1, p.q, n.dq, n.dh, false)
		n.linearBack(R, s.h1, p.k, n.dk, n.dh, true)
		n.linearBack(R, s.h1, p.v, n.dv, n.dh, true)
		t = time.Now()
		n.rmsBack(R, d, s.x, p.inNorm, s.inv1, n.dh, n.dx, true)
		n.timeRows(t)
	}
	t = time.Now()
	n.embedBack(m)
	n.timeRows(t)
}

// embedBack adds the input side of the tied embedding's gradient. One thread: rows of
// different positions may share a token.
func (n *Network) embedBack(m *Micro) {
	d := n.P.Config.HiddenSize
	g, mask := n.P.embed.G, int(n.P.Config.Seedling.Tokens.Mask)
	for r := range m.Rows() {
		dx := n.dx[r*d : (r+1)*d]
		n.ops.Add(g[int(m.Token[r])*d:(int(m.Token[r])+1)*d], dx)
		if m.Mark[r] {
			n.ops.Add(g[mask*d:(mask+1)*d], dx)
		}
	}
}
