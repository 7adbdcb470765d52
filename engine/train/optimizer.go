package train

import (
	"math"
	"time"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// Optimizer updates parameters from their gradients. State is what a checkpoint keeps:
// tensors in a fixed order.
type Optimizer interface {
	// Step updates; lr is the scheduled rate of this step, t counts from 1.
	Step(n *Network, lr float64, t int)
	State() [][]float32
}

// NewOptimizers builds Muon for the hidden matrices, unless the settings give them to AdamW
// (then it has none), and AdamW for the rest.
func NewOptimizers(p *Params, s Settings, ops *kernels.Ops, threads int) (muon, adam Optimizer) {
	m := &Muon{Beta: s.MuonBeta, Decay: s.WeightDecay}
	a := &AdamW{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: s.WeightDecay, Hidden: 1}
	if s.HiddenLR > 0 {
		a.Hidden = s.HiddenLR / s.AdamLR
	}
	size := 0
	for _, t := range p.All {
		if t.Hidden && s.Optimizer == "muon" {
			m.params = append(m.params, t)
			m.momentum = append(m.momentum, kernels.Alloc[float32](len(t.W)))
			size = max(size, len(t.W))
		} else {
			a.params = append(a.params, t)
			a.m = append(a.m, kernels.Alloc[float32](len(t.W)))
			a.v = append(a.v, kernels.Alloc[float32](len(t.W)))
		}
	}
	if len(m.params) == 0 {
		return m, a
	}
	for range threads {
		m.scratch = append(m.scratch, newNewton(p, ops, size))
	}
	return m, a
}

// AdamW is the usual one; weight decay is zero for embeddings and norms.
type AdamW struct {
	Beta1, Beta2, Eps float64
	Decay             float64 // of hidden matrices
	Hidden            float64 // rate of hidden matrices, as a share of the step's
	params            []*Param
	m, v              [][]float32
}

// Step implements Optimizer.
func (a *AdamW) Step(n *Network, lr float64, t int) {
	start := time.Now()
	c1, c2 := 1-math.Pow(a.Beta1, float64(t)), 1-math.Pow(a.Beta2, float64(t))
	for i, p := range a.params {
		rate, decay := lr, 0.0
		if p.Hidden {
			rate, decay = lr*a.Hidden, a.Decay
		}
		n.split(len(p.W)/8, func(_, lo, hi int) {
			lo, hi = lo*8, hi*8
			n.ops.AdamW(p.W[lo:hi], p.G[lo:hi], a.m[i][lo:hi], a.v[i][lo:hi], float32(rate), float32(a.Beta1), float32(a.Beta2),
				float32(c1), float32(c2), float32(a.Eps), float32(decay))
		})
	}
	n.Timing.Optimizer += time.Since(start)
}

// State implements Optimizer.
func (a *AdamW) State() [][]float32 { return append(append([][]float32{}, a.m...), a.v...) }

// Muon is momentum followed by orthogonalisation: five Newton–Schulz steps bring every
// singular value of the update near one. The update is scaled by 0.2·√max(rows, cols),
// which gives it the RMS of an AdamW update at the same rate (Moonlight, 2502.16982).
type Muon struct {
	Beta, Decay float64
	params      []*Param
	momentum    [][]float32
	scratch     []*newton
}

// Step implements Optimizer. Each matrix is one thread's work from start to end.
func (m *Muon) Step(n *Network, lr float64, _ int) {
	start := time.Now()
	kernels.Each(len(m.scratch), func(w int) {
		for i := w; i < len(m.params); i += n.threads {
			p, buf := m.params[i], m.momentum[i]
			n.ops.AXPBY(buf, 1, p.G, float32(m.Beta)) // buf = βbuf + g
			n.ops.AXPBY(p.G, float32(m.Beta), buf, 1) // Nesterov: g + βbuf
			u := m.scratch[w].orthogonalise(p.G, p.Rows, p.Cols)
			n.ops.AXPBY(p.W, -float32(lr*0.2*math.Sqrt(float64(max(p.Rows, p.Cols)))), u, float32(1-lr*m.Decay))
		}
	})
	n.Timing.Optimizer += time.Since(start)
}

// State implements Optimizer.
func (m *Muon) State() [][]float32 { return m.momentum }

// newton is one thread's scratch for orthogonalise.
type newton struct {
	ops        *kernels.Ops
	x, y, a, b []float32
	work       []float32
}

func newNewton(p *Params, ops *kernels.Ops, size int) *newton {
	small, large := 0, 0
	for _, t := range p.All {
		if t.Hidden {
			small, large = max(small, min(t.Rows, t.Cols)), max(large, t.Rows, t.Cols)
		}
	}
	return &newton{ops: ops, x: kernels.Alloc[float32](size), y: kernels.Alloc[float32](size),
		a: kernels.Alloc[float32](small * small), b: kernels.Alloc[float32](small * small),
		work: kernels.Alloc[float32](max(ops.GemmWork(large, large), ops.GemmWork(small, large)))}
}

// orthogonalise returns the nearest semi-orthogonal matrix to g [rows, cols], roughly
// (singular values in 0.7..1.2). The result is valid until the next call.
func (n *newton) orthogonalise(g []float32, rows, cols int) []float32 {
	r, c := rows, cols
	x, y := n.x[:len(g)], n.y[:len(g)]
	if rows > cols {
		r, c = cols, rows
		for i := range rows {
			for j := range cols {
				x[j*rows+i] = g[i*cols+j]
			}
		}
	} else {
		copy(x, g)
	}
	n.ops.Scale(x, float32(1/(math.Sqrt(n.ops.SumSq(x))+1e-7)))
	a, b := n.a[:r*r], n.b[:r*r]
	for range 5 {
		n.ops.Gemm(0, r, r, c, kernels.Rows(x, c), kernels.Rows(x, c).T(), a, r, false, n.work)
		copy(b, a)
		n.ops.Scale(b, -4.7750)
		n.ops.Scale(a, 2.0315)
		// b = −4.775·A + 2.0315·A·A, with a holding 2.0315·A: multiply by A once more.
		n.ops.Gemm(0, r, r, r, kernels.Rows(a, r), kernels.Rows(a, r), y, r, false, n.work)
		n.ops.AXPBY(b, 1/2.0315, y[:r*r], 1)
		copy(y, x)
		n.ops.Scale(y, 3.4445)
		n.ops.Gemm(0, r, c, r, kernels.Rows(b, r), kernels.Rows(x, c), y, c, true, n.work)
		x, y = y, x
	}
	if rows <= cols {
		return x
	}
	for i := range rows {
		for j := range cols {
			y[i*cols+j] = x[j*rows+i]
		}
	}
	return y
}

// clip scales all gradients so that their joint norm is at most bound, and returns the
// norm before.
func clip(n *Network, bound float64) float64 {
	s := 0.0
	for _, p := range n.P.All {
		s += n.ops.SumSq(p.G)
	}
	norm := math.Sqrt(s)
	if norm > bound {
		for _, p := range n.P.All {
			n.ops.Scale(p.G, float32(bound/norm))
		}
	}
	return norm
}
