package kernels_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

const ulp = 1.0 / (1 << 23)

// operators is the table of them all; check draws a case and holds the kernel to the
// reference.
var operators = []struct {
	name   string
	breaks string // what would go wrong unseen without the row
	check  func(t *rapid.T, o *kernels.Ops, b *bench)
}{
	{"gemm", "a wrong edge tile or stride: some width of model trains on garbage", checkGemm},
	{"gemm rows", "losses that depend on the number of threads, so a resumed run differs", checkGemmRows},
	{"rms", "norms of odd widths or strided rows", checkRMS},
	{"rope", "rotation by the wrong position or of the wrong half", checkRoPE},
	{"swiglu", "a gradient that is only right for small gates", checkSwiGLU},
	{"attention", "a key leaking from the future, from another block or document; a row of a second tile left out", checkAttention},
	{"cross entropy", "the forbidden token taking probability, or a wrong argmax", checkCrossEntropy},
	{"vectors", "the ends of vectors that are no multiple of the registers", checkVectors},
	{"adamw", "weights decayed or corrected wrongly", checkAdamW},
}

// TestOperators holds every operator of every table that can run here to the plain-Go
// reference, over drawn shapes.
func TestOperators(t *testing.T) {
	for _, o := range tables(t) {
		for _, op := range operators {
			t.Run(o.Name()+"/"+op.name, func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					b := newBench(t, rapid.Uint64().Draw(t, "seed"))
					op.check(t, o, b)
					b.close()
				})
			})
		}
	}
}

// size draws mostly small sizes, now and then one over several tiles.
func size(t *rapid.T, name string, small, large int) int {
	if rapid.IntRange(0, 5).Draw(t, name+" large") == 0 {
		return rapid.IntRange(1, large).Draw(t, name)
	}
	return rapid.IntRange(1, small).Draw(t, name)
}

// expError is the relative error of the table's exp (ops.h).
func expError(o *kernels.Ops) float64 {
	if o.Name() == "base" || strings.HasSuffix(o.Name(), "emulated") {
		return 5e-6 // compiled without fused multiply-adds
	}
	return 5e-7
}

type gemmCase struct {
	m, n, k, ldc int
	acc          bool
	turnA, turnB bool
	padA, padB   int
	a, b         kernels.Mat
	a64, b64     func(i, j int) float64
	c            []float32
}

func drawGemm(t *rapid.T, b *bench, bf16 bool) *gemmCase {
	g := &gemmCase{m: size(t, "m", 30, 230), n: size(t, "n", 40, 150), k: size(t, "k", 50, 900), acc: rapid.Bool().Draw(t, "acc"),
		turnA: rapid.Bool().Draw(t, "turn a"), turnB: rapid.Bool().Draw(t, "turn b"),
		padA: rapid.IntRange(0, 3).Draw(t, "pad a"), padB: rapid.IntRange(0, 3).Draw(t, "pad b")}
	g.ldc = g.n + rapid.IntRange(0, 3).Draw(t, "pad c")
	g.fill(b, bf16)
	return g
}

// fill makes the tensors of the case, every matrix in rows that may be longer than it.
func (g *gemmCase) fill(b *bench, bf16 bool) {
	strided := func(rows, cols, pad int, turn bool) (kernels.Mat, func(i, j int) float64) {
		if turn {
			rows, cols = cols, rows
		}
		s, f := b.normal((rows-1)*(cols+pad)+cols, 1)
		m := kernels.Mat{Data: s, RS: cols + pad, CS: 1}
		if turn {
			m = m.T()
		}
		if bf16 {
			for i := range f {
				f[i] = roundBF16(f[i])
			}
		}
		return m, func(i, j int) float64 { return f[i*m.RS+j*m.CS] }
	}
	g.a, g.a64 = strided(g.m, g.k, g.padA, g.turnA)
	g.b, g.b64 = strided(g.k, g.n, g.padB, g.turnB)
	g.c, _ = b.normal((g.m-1)*g.ldc+g.n, 1)
}

func checkGemm(t *rapid.T, o *kernels.Ops, b *bench) { drawGemm(t, b, isBF16(o)).compare(t, o, b) }

// TestGemmBlocks takes sizes on both sides of every block border: KC is 384, MC 16 tiles.
// Drawn sizes seldom get there, so without it a second block that overwrites the first
// one's sums could pass.
func TestGemmBlocks(t *testing.T) {
	for _, o := range tables(t) {
		b := newBench(t, 1)
		for i, s := range [][3]int{{25, 33, 384}, {25, 33, 385}, {13, 65, 767}, {12, 32, 769}, {65, 31, 3}, {97, 32, 2}, {193, 40, 31}, {400, 17, 390}} {
			for form := range 8 {
				g := &gemmCase{m: s[0], n: s[1], k: s[2], ldc: s[1] + i%2, turnA: form&1 > 0, turnB: form&2 > 0, acc: form&4 > 0, padA: i % 3, padB: form % 3}
				g.fill(b, isBF16(o))
				g.compare(t, o, b)
			}
		}
		b.close()
	}
}

// compare allows the rounding of k fp32 additions and no more: for bf16 tables the
// reference multiplies the rounded operands, so the rounding itself is held to the bit.
func (g *gemmCase) compare(t failer, o *kernels.Ops, b *bench) {
	t.Helper()
	want, size := make([]float64, g.m*g.n), make([]float64, g.m*g.n)
	for i := range g.m {
		for j := range g.n {
			want[i*g.n+j] = float64(g.c[i*g.ldc+j])
		}
	}
	before := append([]float32{}, g.c...)
	refGemm(g.m, g.n, g.k, g.a64, g.b64, want, size, g.acc)
	o.Gemm(0, g.m, g.n, g.k, g.a, g.b, g.c, g.ldc, g.acc, b.scratch(o.GemmWork(g.n, g.k)))
	for i := range g.m {
		near(t, "c", g.c[i*g.ldc:i*g.ldc+g.n], want[i*g.n:(i+1)*g.n], func(j int) float64 {
			return size[i*g.n+j]*float64(g.k+4)*ulp + 1e-30
		})
		for j := i*g.ldc + g.n; j < min((i+1)*g.ldc, len(g.c)); j++ {
			if g.c[j] != before[j] {
				t.Fatalf("row %d is written past its %d columns", i, g.n)
			}
		}
	}
}

// checkGemmRows asks for equal bits however the rows are split.
func checkGemmRows(t *rapid.T, o *kernels.Ops, b *bench) {
	g := drawGemm(t, b, false)
	other := b.scratch(len(g.c))
	copy(other, g.c)
	work := b.scratch(o.GemmWork(g.n, g.k))
	o.Gemm(0, g.m, g.n, g.k, g.a, g.b, g.c, g.ldc, g.acc, work)
	for lo := 0; lo < g.m; {
		hi := rapid.IntRange(lo+1, g.m).Draw(t, "cut")
		o.Gemm(lo, hi, g.n, g.k, g.a, g.b, other, g.ldc, g.acc, work)
		lo = hi
	}
	for i := range g.c {
		if math.Float32bits(g.c[i]) != math.Float32bits(other[i]) {
			t.Fatalf("c[%d] is %g in one piece and %g in several", i, g.c[i], other[i])
		}
	}
}

func checkRMS(t *rapid.T, o *kernels.Ops, b *bench) {
	n, d := size(t, "n", 6, 40), size(t, "d", 40, 400)
	xs, ys := d+rapid.IntRange(0, 5).Draw(t, "pad x"), d+rapid.IntRange(0, 5).Draw(t, "pad y")
	strided := func(s []float32, stride int) []float64 {
		var out []float64
		for r := range n {
			for i := range d {
				out = append(out, float64(s[r*stride+i]))
			}
		}
		return out
	}
	flat := func(s []float32, stride int) []float32 {
		var out []float32
		for r := range n {
			out = append(out, s[r*stride:r*stride+d]...)
		}
		return out
	}
	const eps = 1e-6
	x, _ := b.normal((n-1)*xs+d, math.Pow(10, rapid.Float64Range(-2, 2).Draw(t, "spread")))
	w, w64 := b.normal(d, 1)
	x64 := strided(x, xs)
	y, inv := b.scratch((n-1)*ys+d), b.scratch(n)
	want, wantInv := refRMS(n, d, x64, w64, eps)
	o.RMSForward(n, d, x, xs, w, eps, y, ys, inv)
	near(t, "y", flat(y, ys), want, within(1e-5, want))
	near(t, "inv", inv, wantInv, within(1e-5, wantInv))

	dy, _ := b.normal((n-1)*ys+d, 1)
	dw, dw64 := b.normal(d, 1)
	dy64 := strided(dy, ys)
	wantX, wantW := refRMSBack(n, d, x64, w64, dy64, eps)
	// dx is a difference, of nearly equal terms when rows are narrow.
	terms := 1.0
	for i, g := range dy64 {
		terms = max(terms, math.Abs(wantInv[i/d]*w64[i%d]*g))
	}
	allowed := func(int) float64 { return 1e-5 * terms }
	for i := range wantW {
		wantW[i] += dw64[i]
	}
	switch rapid.SampledFrom([]string{"write", "add", "in place"}).Draw(t, "dx") {
	case "write":
		dx := b.scratch((n-1)*xs + d)
		o.RMSBackward(n, d, x, xs, w, inv, dy, ys, dx, xs, false, dw)
		near(t, "dx", flat(dx, xs), wantX, allowed)
	case "add":
		dx, _ := b.normal((n-1)*xs+d, 1)
		for i, v := range strided(dx, xs) {
			wantX[i] += v
		}
		o.RMSBackward(n, d, x, xs, w, inv, dy, ys, dx, xs, true, dw)
		near(t, "dx", flat(dx, xs), wantX, allowed)
	case "in place": // as the trainer does for the norms of heads
		o.RMSBackward(n, d, x, xs, w, inv, dy, ys, dy, ys, false, dw)
		near(t, "dx", flat(dy, ys), wantX, allowed)
	}
	near(t, "dw", dw, wantW, within(2e-5, wantW))
}

func checkRoPE(t *rapid.T, o *kernels.Ops, b *bench) {
	n, heads, dim := size(t, "n", 6, 40), rapid.IntRange(1, 5).Draw(t, "heads"), 2*rapid.IntRange(1, 70).Draw(t, "dim/2")
	const positions = 50
	table, table64 := b.normal(positions*dim, 1)
	x, x64 := b.normal(n*heads*dim, 1)
	pos := kernels.Alloc[int32](n)
	defer kernels.Free(pos)
	for i := range pos {
		pos[i] = b.r.Int32N(positions)
	}
	sign := rapid.SampledFrom([]float32{1, -1}).Draw(t, "sign")
	want := refRoPE(n, heads, dim, x64, pos, table64, float64(sign))
	o.RoPE(n, heads, dim, x, pos, table, sign)
	near(t, "x", x, want, within(4*ulp, want))
}

func checkSwiGLU(t *rapid.T, o *kernels.Ops, b *bench) {
	n := size(t, "n", 70, 3000)
	gate, gate64 := b.normal(n, rapid.Float64Range(0.1, 30).Draw(t, "spread"))
	up, up64 := b.normal(n, 1)
	dh, dh64 := b.normal(n, 1)
	h := b.scratch(n)
	want := refSwiGLU(gate64, up64)
	o.SwiGLUForward(gate, up, h)
	rel := expError(o) + 5*ulp
	near(t, "h", h, want, func(i int) float64 { return rel*math.Abs(want[i]) + 1e-35 })
	wantGate, wantUp := refSwiGLUBack(gate64, up64, dh64)
	o.SwiGLUBackward(gate, up, dh)
	// s + t(1-s) cancels where the gate's slope is zero, near -1.28.
	near(t, "dgate", gate, wantGate, func(i int) float64 { return (rel + 8*ulp) * math.Abs(dh64[i]*up64[i]) })
	near(t, "dup", up, wantUp, func(i int) float64 { return rel*math.Abs(wantUp[i]) + 1e-35 })
}

func checkAttention(t *rapid.T, o *kernels.Ops, b *bench) {
	groups, per := rapid.IntRange(1, 2).Draw(t, "key heads"), rapid.IntRange(1, 3).Draw(t, "queries a key head")
	dim := 8 * rapid.IntRange(1, 16).Draw(t, "dim/8")
	large := rapid.IntRange(0, 5).Draw(t, "large") == 0
	rows, most := 20, 3
	if large { // several tiles of 60 queries
		rows, most = 170, 8
	}
	var clean []int
	var blocks [][]int
	for range rapid.IntRange(1, 3).Draw(t, "documents") {
		clean = append(clean, rapid.IntRange(0, rows).Draw(t, "clean"))
		blocks = append(blocks, rapid.SliceOfN(rapid.IntRange(1, 40), 0, most).Draw(t, "blocks"))
	}
	spread := rapid.Float64Range(0.1, 3).Draw(t, "spread")
	c := newAttnCase(b.r, groups*per, groups, dim, spread, clean, blocks)
	a := b.attnTensors(c)
	b.runAttention(o, c, a)
	compareAttention(t, c, a, 3e-6*(1+spread*spread*4))
}

func compareAttention(t failer, c *attnCase, a *kernels.Attention, tol float64) {
	t.Helper()
	out, lse := c.forward()
	dq, dk, dv := c.backward()
	for _, p := range []struct {
		name  string
		got   []float32
		want  []float64
		width int
	}{{"o", a.O, out, c.heads * c.dim}, {"lse", a.LSE, lse, c.heads}, {"dq", a.DQ, dq, c.heads * c.dim},
		{"dk", a.DK, dk, c.groups * c.dim}, {"dv", a.DV, dv, c.groups * c.dim}} {
		allowed := within(tol, p.want)
		for row := range c.rows {
			got := p.got[row*p.width : (row+1)*p.width]
			if c.outside(row) {
				for _, v := range got {
					if math.Float32bits(v) != marker {
						t.Fatalf("%s: row %d belongs to no document and was written", p.name, row)
					}
				}
				continue
			}
			near(t, p.name, got, p.want[row*p.width:(row+1)*p.width], allowed)
		}
	}
}

func checkCrossEntropy(t *rapid.T, o *kernels.Ops, b *bench) {
	n, v := size(t, "n", 4, 20), 1+size(t, "v", 60, 2000)
	logits, logits64 := b.normal(n*v, rapid.Float64Range(0.1, 20).Draw(t, "spread"))
	w, w64 := b.normal(n, 1)
	forbid := rapid.IntRange(-1, v-1).Draw(t, "forbid")
	target, best := kernels.Alloc[int32](n), kernels.Alloc[int32](n)
	defer kernels.Free(target)
	defer kernels.Free(best)
	for i := range target {
		target[i] = b.r.Int32N(int32(v))
		if int(target[i]) == forbid {
			target[i] = (target[i] + 1) % int32(v)
		}
		if forbid >= 0 && i%2 == 0 { // the likeliest by far, were it allowed
			logits[i*v+forbid] = 60
			logits64[i*v+forbid] = 60
		}
	}
	loss := b.scratch(n)
	wantLoss, wantGrad, wantBest := refCrossEntropy(n, v, logits64, target, w64, forbid)
	o.CrossEntropy(n, v, logits, target, w, int32(forbid), loss, best)
	near(t, "loss", loss, wantLoss, within(2e-6, wantLoss))
	rel := expError(o) + 1e-5 // differences of large logits and sums of thousands round too
	// Probabilities are right relatively, down to where exp is clamped.
	near(t, "gradient", logits, wantGrad, func(i int) float64 {
		wr := math.Abs(w64[i/v])
		if i%v == int(target[i/v]) {
			return rel * wr
		}
		return rel*math.Abs(wantGrad[i]) + 1e-36*wr
	})
	for r := range best {
		if best[r] != wantBest[r] {
			t.Fatalf("best[%d] is %d, the reference has %d", r, best[r], wantBest[r])
		}
		if forbid >= 0 && logits[r*v+forbid] != 0 {
			t.Fatalf("the forbidden token has a gradient of %g", logits[r*v+forbid])
		}
	}
}

func checkVectors(t *rapid.T, o *kernels.Ops, b *bench) {
	n := rapid.IntRange(1, 9000).Draw(t, "n")
	if rapid.Bool().Draw(t, "short") {
		n = n%100 + 1
	}
	x, x64 := b.normal(n, 1)
	y, y64 := b.normal(n, 1)
	o.Add(y, x)
	o.AXPBY(y, 0.7, x, -1.5)
	o.Scale(y, 0.3)
	sum := 0.0
	for i := range y64 {
		y64[i] = float64(float32(0.3)) * (float64(float32(0.7))*x64[i] - 1.5*(y64[i]+x64[i]))
		sum += x64[i] * x64[i]
	}
	near(t, "y", y, y64, within(4*ulp, y64))
	if got := o.SumSq(x); math.Abs(got-sum) > 1e-4*sum {
		t.Fatalf("sum of squares %g, the reference has %g", got, sum)
	}
}

func checkAdamW(t *rapid.T, o *kernels.Ops, b *bench) {
	n := size(t, "n", 70, 3000)
	w, w64 := b.normal(n, 1)
	m, m64 := b.normal(n, 0)
	v, v64 := b.normal(n, 0)
	const b1, b2 = 0.9, 0.95
	for step := 1; step <= 3; step++ {
		g, g64 := b.normal(n, 1)
		c1, c2 := 1-math.Pow(b1, float64(step)), 1-math.Pow(b2, float64(step))
		refAdamW(w64, g64, m64, v64, 0.01, b1, b2, c1, c2, 1e-8, 0.1)
		o.AdamW(w, g, m, v, 0.01, b1, b2, float32(c1), float32(c2), 1e-8, 0.1)
	}
	near(t, "w", w, w64, within(1e-5, w64))
	near(t, "m", m, m64, within(1e-6, m64))
	near(t, "v", v, v64, within(1e-6, v64))
}
