package kernels_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// slope is the central difference of loss with respect to each of x.
func slope(x []float64, loss func() float64) []float64 {
	const h = 1e-5
	g := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + h
		up := loss()
		x[i] = v - h
		g[i] = (up - loss()) / (2 * h)
		x[i] = v
	}
	return g
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// gradients is the table of operators with a backward pass. Each check draws inputs and
// an upstream gradient, asks the kernel for the gradients, and compares them with the
// slopes of the reference's forward pass: it needs no formula for a gradient, so a
// mistake that reference and kernel share in one cannot hide.
var gradients = []struct {
	name  string
	check func(t *testing.T, o *kernels.Ops, b *bench)
}{
	{"rms", gradRMS}, {"rope", gradRoPE}, {"swiglu", gradSwiGLU}, {"attention", gradAttention},
	{"cross entropy", gradCrossEntropy}, {"linear", gradLinear},
}

// TestGradients would be missed the day a backward kernel is off by a factor: training
// goes on, worse.
func TestGradients(t *testing.T) {
	for _, o := range tables(t) {
		for _, g := range gradients {
			t.Run(o.Name()+"/"+g.name, func(t *testing.T) {
				for seed := range uint64(3) {
					b := newBench(t, seed)
					g.check(t, o, b)
					b.close()
				}
			})
		}
	}
}

func gradRMS(t *testing.T, o *kernels.Ops, b *bench) {
	const n, d, eps = 3, 24, 1e-6
	x, x64 := b.normal(n*d, 1)
	w, w64 := b.normal(d, 1)
	dy, dy64 := b.normal(n*d, 1)
	y, inv, dx, dw := b.scratch(n*d), b.scratch(n), b.scratch(n*d), b.scratch(d)
	clear(dw)
	o.RMSForward(n, d, x, d, w, eps, y, d, inv)
	o.RMSBackward(n, d, x, d, w, inv, dy, d, dx, d, false, dw)
	loss := func() float64 {
		y, _ := refRMS(n, d, x64, w64, eps)
		return dot(y, dy64)
	}
	want := slope(x64, loss)
	near(t, "dx", dx, want, within(1e-5, want))
	want = slope(w64, loss)
	near(t, "dw", dw, want, within(1e-5, want))
}

// gradRoPE holds the way back, sign -1, to the slope of the way there.
func gradRoPE(t *testing.T, o *kernels.Ops, b *bench) {
	const n, heads, dim, positions = 3, 2, 16, 9
	table := b.scratch(positions * dim)
	table64 := make([]float64, positions*dim)
	for p := range positions {
		for i := range dim / 2 {
			a := float64(p) / math.Pow(10000, float64(2*i)/dim)
			table[p*dim+i], table[p*dim+dim/2+i] = float32(math.Cos(a)), float32(math.Sin(a))
		}
	}
	for i := range table {
		table64[i] = float64(table[i])
	}
	_, x64 := b.normal(n*heads*dim, 1)
	g, g64 := b.normal(n*heads*dim, 1)
	pos := kernels.Alloc[int32](n)
	defer kernels.Free(pos)
	copy(pos, []int32{0, 3, 8})
	o.RoPE(n, heads, dim, g, pos, table, -1)
	want := slope(x64, func() float64 { return dot(refRoPE(n, heads, dim, x64, pos, table64, 1), g64) })
	near(t, "dx", g, want, within(1e-6, want))
}

func gradSwiGLU(t *testing.T, o *kernels.Ops, b *bench) {
	gate, gate64 := b.normal(50, 2)
	up, up64 := b.normal(50, 1)
	dh, dh64 := b.normal(50, 1)
	o.SwiGLUBackward(gate, up, dh)
	loss := func() float64 { return dot(refSwiGLU(gate64, up64), dh64) }
	want := slope(gate64, loss)
	near(t, "dgate", gate, want, within(2e-6, want))
	want = slope(up64, loss)
	near(t, "dup", up, want, within(2e-6, want))
}

// gradAttention has documents with clean rows alone, with both streams and with a
// noised block that sees no clean row.
func gradAttention(t *testing.T, o *kernels.Ops, b *bench) {
	c := newAttnCase(b.r, 4, 2, 8, 1, []int{5, 7, 0}, [][]int{nil, {3, 1, 4}, {2}})
	a := b.attnTensors(c)
	b.runAttention(o, c, a)
	loss := func() float64 {
		out, _ := c.forward()
		return dot(out, c.do)
	}
	heads, groups := c.heads*c.dim, c.groups*c.dim
	for _, p := range []struct {
		name  string
		got   []float32
		x     []float64
		width int
	}{{"dq", a.DQ, c.q, heads}, {"dk", a.DK, c.k, groups}, {"dv", a.DV, c.v, groups}} {
		want := slope(p.x, loss)
		for row := range c.rows {
			if !c.outside(row) {
				near(t, p.name, p.got[row*p.width:(row+1)*p.width], want[row*p.width:(row+1)*p.width], within(1e-5, want))
			}
		}
	}
}

func gradCrossEntropy(t *testing.T, o *kernels.Ops, b *bench) {
	const n, v, forbid = 3, 20, 7
	logits, logits64 := b.normal(n*v, 2)
	w, w64 := b.normal(n, 1)
	target, best, loss := kernels.Alloc[int32](n), kernels.Alloc[int32](n), b.scratch(n)
	defer kernels.Free(target)
	defer kernels.Free(best)
	copy(target, []int32{0, 19, 8})
	o.CrossEntropy(n, v, logits, target, w, forbid, loss, best)
	want := slope(logits64, func() float64 {
		l, _, _ := refCrossEntropy(n, v, logits64, target, w64, forbid)
		return dot(l, w64)
	})
	near(t, "dlogits", logits, want, within(2e-6, want))
}

// gradLinear takes the three products that a linear layer y = x·Wᵀ is trained by, in
// the strides the trainer uses. For bf16 tables both operands of each are rounded, so a
// product is off by up to 2⁻⁸ of its size, and sums cancel.
func gradLinear(t *testing.T, o *kernels.Ops, b *bench) {
	const rows, in, out = 7, 19, 13
	x, x64 := b.normal(rows*in, 1)
	w, w64 := b.normal(out*in, 1)
	dy, dy64 := b.normal(rows*out, 1)
	y, dx, dw := b.scratch(rows*out), b.scratch(rows*in), b.scratch(out*in)
	clear(dw)
	work := b.scratch(max(o.GemmWork(out, in), o.GemmWork(in, out), o.GemmWork(in, rows)))
	o.Gemm(0, rows, out, in, kernels.Rows(x, in), kernels.Rows(w, in).T(), y, out, false, work)
	o.Gemm(0, rows, in, out, kernels.Rows(dy, out), kernels.Rows(w, in), dx, in, false, work)
	o.Gemm(0, out, in, rows, kernels.Rows(dy, out).T(), kernels.Rows(x, in), dw, in, true, work)
	forward := func() []float64 {
		c := make([]float64, rows*out)
		refGemm(rows, out, in, func(i, k int) float64 { return x64[i*in+k] }, func(k, j int) float64 { return w64[j*in+k] }, c, nil, false)
		return c
	}
	rel := 2e-6
	if o.PeakKind() == "bf16" {
		rel = 1.0 / (1 << 6)
	}
	want := forward()
	near(t, "y", y, want, within(rel, want))
	loss := func() float64 { return dot(forward(), dy64) }
	want = slope(x64, loss)
	near(t, "dx", dx, want, within(rel, want))
	want = slope(w64, loss)
	near(t, "dw", dw, want, within(rel, want))
}

// TestHeadDims goes through every head width with documents over several query tiles,
// which drawn cases reach now and then only: a width whose edge tile is wrong would
// train one model of ours badly and the others well.
func TestHeadDims(t *testing.T) {
	for _, o := range tables(t) {
		for dim := 8; dim <= 128; dim += 8 {
			b := newBench(t, uint64(dim))
			var blocks []int
			for n := 1; n <= 40; n += 3 + dim/16 {
				blocks = append(blocks, n)
			}
			c := newAttnCase(rand.New(rand.NewPCG(1, uint64(dim))), 2, 1, dim, 1, []int{61 + dim/4}, [][]int{blocks})
			a := b.attnTensors(c)
			b.runAttention(o, c, a)
			compareAttention(t, c, a, 1e-5)
			b.close()
		}
	}
}
