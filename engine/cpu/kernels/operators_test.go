package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels/emulated"
)

// sets are all that can run here: the machine's own, and those that it lacks, emulated.
func sets(t *testing.T) map[string]kernels.Set {
	t.Helper()
	emulated.Register()
	out := map[string]kernels.Set{}
	for _, name := range append(slices.Clone(kernels.Sets), emulated.Sets...) {
		if kernels.Runs(name) {
			s, err := kernels.SetOf(name)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = s
		}
	}
	if len(out) < 3 {
		t.Fatalf("only %d sets to test", len(out))
	}
	return out
}

func normal(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// near fails unless got is within tol of want, relative to the larger of want and 1.
func near(t *testing.T, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= tol*max(1, math.Abs(want[i]))) {
			t.Fatalf("value %d of %d is %g, want %g", i, len(got), got[i], want[i])
		}
	}
}

// operators is the table: each operator, its shapes, and its check against plain Go in
// float64. Without it a wrong edge (a width that is no whole vector, a lone row) would
// show, if at all, as a model that is slightly worse on some machines.
var operators = []struct {
	name   string
	shapes [][]int
	check  func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int)
}{
	{"rms", [][]int{{8}, {16}, {24}, {40}, {48}, {64}, {72}, {256}, {776}}, func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		x, w := normal(r, shape[0]), normal(r, shape[0])
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		want := make([]float64, len(x))
		for i := range x {
			want[i] = float64(x[i]) / math.Sqrt(sum/float64(len(x))+1e-6) * float64(w[i])
		}
		near(t, s.RMS(x, w, 1e-6), want, 1e-5)
	}},
	{"rope", [][]int{{1, 8}, {3, 16}, {2, 24}, {4, 64}, {1, 128}}, func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		heads, hd := shape[0], shape[1]
		x, cs := normal(r, heads*hd), make([]float32, hd)
		for i := range hd / 2 {
			a := r.Float64() * 100
			cs[i], cs[hd/2+i] = float32(math.Cos(a)), float32(math.Sin(a))
		}
		want := make([]float64, len(x))
		for h := 0; h < len(x); h += hd {
			for i := range hd / 2 {
				a, b, c, d := float64(x[h+i]), float64(x[h+i+hd/2]), float64(cs[i]), float64(cs[hd/2+i])
				want[h+i], want[h+i+hd/2] = a*c-b*d, b*c+a*d
			}
		}
		s.RoPE(x, heads, cs)
		near(t, x, want, 1e-5)
	}},
	{"swiglu", oneTo(33, 72, 768, 773), func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		g, u := normal(r, shape[0]), normal(r, shape[0])
		for i := range g {
			g[i] *= 10
		}
		g[0] = -200 // exp overflows here
		want := make([]float64, len(g))
		for i := range g {
			want[i] = float64(g[i]) / (1 + math.Exp(-float64(g[i]))) * float64(u[i])
		}
		near(t, s.SwiGLU(g, u), want, 1e-5)
	}},
	{"dequantize", oneTo(17, 48, 250), func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		w, y := make([]int8, shape[0]), normal(r, shape[0])
		want := make([]float64, len(w))
		for i := range w {
			w[i] = int8(r.IntN(255) - 127)
			want[i] = float64(y[i]) + 0.01*float64(w[i])
		}
		s.Dequantize(w, 0.01, y, true)
		near(t, y, want, 1e-5)
		for i := range want {
			want[i] = 0.01 * float64(w[i])
		}
		s.Dequantize(w, 0.01, y, false)
		near(t, y, want, 1e-5)
	}},
	{"quantize", oneTo(33, 256, 768, 773), func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		for round := range 20 {
			x := normal(r, shape[0])
			if round == 0 { // ties, and the two ends
				for i := range x {
					x[i] = float32(i%255) - 127.5
				}
				x[0] = 127
			}
			q, scale := s.Quantize(x)
			want, ws := quantize(x)
			if scale != ws || !slices.Equal(q, want) {
				t.Fatalf("%v as %v by %g, want %v by %g", x, q, scale, want, ws)
			}
		}
		for _, tiny := range []float32{0, 1e-40, -1e-37} { // of these 127/max is no number
			x := slices.Repeat([]float32{tiny}, shape[0])
			if q, scale := s.Quantize(x); slices.Max(q) != 0 || slices.Min(q) != 0 || !(scale >= 0 && scale < 1e-36) {
				t.Fatalf("a row of %g is %v by %g", tiny, q, scale)
			}
		}
	}},
	{"matmul", matmulShapes(), func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		m, rows, cols := shape[0], shape[1], shape[2]
		w := kernels.Matrix{Rows: rows, Cols: cols}
		for range rows {
			w.Scale = append(w.Scale, r.Float32()*0.1)
			for range cols {
				w.I8 = append(w.I8, int8(r.IntN(255)-127))
			}
		}
		for i := range min(cols, rows*cols) {
			w.I8[i] = 127 // a row at the end of its range: sums as large as they get
		}
		x := normal(r, m*cols)
		if m > 1 {
			clear(x[:cols]) // a row of zeros has no scale
		}
		for i := range cols {
			x[(m-1)*cols+i] = 3 // every activation 127
		}
		y, err := s.MatMul(w, m, x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m {
			q, scale := quantize(x[i*cols : (i+1)*cols])
			for o := range rows {
				sum := int32(0)
				for k, v := range q {
					sum += v * int32(w.I8[o*cols+k])
				}
				want := float64(sum) * float64(scale) * float64(w.Scale[o])
				if d := math.Abs(want - float64(y[i*rows+o])); d > 1e-6*math.Abs(want) {
					t.Fatalf("(%d,%d) is %g, want %g: the integers differ", i, o, y[i*rows+o], want)
				}
			}
		}
	}},
	{"attend", attendShapes(), func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		nq, hd, n1, n2 := shape[0], shape[1], shape[2], shape[3]
		q, k1, v1 := normal(r, nq*hd), normal(r, n1*hd), normal(r, n1*hd)
		k2, v2 := normal(r, n2*hd), normal(r, n2*hd)
		seen := make([]int32, nq)
		for i := range seen {
			seen[i] = int32(max(n1-r.IntN(4), 1-min(n2, 1), 0))
		}
		seen[0] = int32(n1)
		for i := max(n1-1, 0) * hd; nq > 1 && i < n1*hd; i++ {
			v1[i] *= 3e37 // the least weight for those that do not see it would show
		}
		for _, x := range [][]float32{k1, v1, k2, v2} { // what is kept of them
			for i, v := range x {
				x[i] = bf16(v)
			}
		}
		got := s.Attend(hd, q, seen, k1, v1, k2, v2)
		for i := range nq {
			near(t, got[i*hd:(i+1)*hd], attend(q[i*hd:(i+1)*hd], k1[:int(seen[i])*hd], v1[:int(seen[i])*hd], k2, v2), 2e-5)
			// Alone and among others a query gets the same bits.
			n := int(seen[i]) * hd
			alone := s.Attend(hd, q[i*hd:(i+1)*hd], seen[i:i+1], k1[:n], v1[:n], k2, v2)
			if n2 == 0 || int(seen[i]) == n1 { // canvas rows of a tile see the same keys
				if !slices.Equal(alone, got[i*hd:(i+1)*hd]) {
					t.Fatalf("query %d of %d: its company changed the result", i, nq)
				}
			}
		}
	}},
	{"answer", [][]int{{1, 1}, {2, 1}, {3, 2}, {5, 3}, {33, 16}, {64, 256}, {320, 48}, {1000, 256}, {1001, 255}}, func(t *testing.T, s kernels.Set, r *rand.Rand, shape []int) {
		n, step := shape[0], shape[1]
		for round := range 40 {
			l := normal(r, n)
			for i := range l {
				l[i] *= 8
				if round%3 == 0 {
					l[i] = float32(r.IntN(4)) // ties
				}
				if r.IntN(5) == 0 || round == 7 { // round 7: nothing may be said
					l[i] = kernels.Forbidden
				}
			}
			target := r.IntN(n+1) - 1
			got, want := s.Answer(l, step, target), answer(l, target)
			if got.Best != want.Best || got.Second != want.Second {
				t.Fatalf("%v: best %d, %d, want %d, %d", l, got.Best, got.Second, want.Best, want.Second)
			}
			for _, p := range [][2]float32{{got.Prob, want.Prob}, {got.SecondProb, want.SecondProb}, {got.LogZ, want.LogZ}, {got.TargetLog, want.TargetLog}} {
				if p[0] != p[1] && !(math.Abs(float64(p[0]-p[1])) < 1e-5*max(1, math.Abs(float64(p[1])))) {
					t.Fatalf("%v, target %d: %+v, want %+v", l, target, got, want)
				}
			}
		}
	}},
}

func TestOperators(t *testing.T) {
	for name, s := range sets(t) {
		for _, op := range operators {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				for _, shape := range op.shapes {
					r := rand.New(rand.NewPCG(uint64(len(shape)), uint64(shape[0])))
					t.Run(fmt.Sprint(shape), func(t *testing.T) { op.check(t, s, r, shape) })
				}
			})
		}
	}
}

func oneTo(n int, more ...int) (out [][]int) {
	for i := range n {
		out = append(out, []int{i + 1})
	}
	for _, m := range more {
		out = append(out, []int{m})
	}
	return out
}

// matmulShapes are every count of rows up to 33, and panels and depths with every kind of
// rest.
func matmulShapes() (out [][]int) {
	for m := 1; m <= 33; m++ {
		out = append(out, []int{m, 50, 72})
	}
	for _, rows := range []int{1, 4, 15, 16, 17, 47, 48, 49, 96, 101} {
		for _, cols := range []int{8, 16, 24, 40, 48, 64, 256} {
			out = append(out, []int{3, rows, cols})
		}
	}
	return append(out, []int{7, 20, 4096})
}

func attendShapes() (out [][]int) {
	for nq := 1; nq <= 4; nq++ {
		for _, hd := range []int{8, 16, 24, 40, 64, 80, 128} {
			for _, n1 := range []int{0, 1, 2, 3, 5, 18, 67} {
				for _, n2 := range []int{0, 1, 3, 8} {
					if n1+n2 > 0 {
						out = append(out, []int{nq, hd, n1, n2})
					}
				}
			}
		}
	}
	return append(out, []int{2, 64, 1000, 16}, []int{4, 64, 1000, 0})
}

// quantize is the rule of quantize.h in float32 arithmetic.
func quantize(x []float32) ([]int32, float32) {
	top := float32(0)
	for _, v := range x {
		top = max(top, float32(math.Abs(float64(v))))
	}
	q := make([]int32, len(x))
	if top <= 1e-36 {
		return q, top / 127
	}
	inv := 127 / top
	for i, v := range x {
		p := float32(v * inv) // rounded before the half is added
		q[i] = int32(p + float32(math.Copysign(0.5, float64(p))))
	}
	return q, top / 127
}

// bf16 rounds to the nearest bfloat16, ties to even.
func bf16(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
}

func attend(q, k1, v1, k2, v2 []float32) []float64 {
	hd := len(q)
	k, v := slices.Concat(k1, k2), slices.Concat(v1, v2)
	p := make([]float64, len(k)/hd)
	top, sum := math.Inf(-1), 0.0
	for j := range p {
		for i := range hd {
			p[j] += float64(q[i]) * float64(k[j*hd+i])
		}
		p[j] /= math.Sqrt(float64(hd))
		top = max(top, p[j])
	}
	for j := range p {
		p[j] = math.Exp(p[j] - top)
		sum += p[j]
	}
	out := make([]float64, hd)
	for j := range p {
		for i := range hd {
			out[i] += p[j] / sum * float64(v[j*hd+i])
		}
	}
	return out
}

func answer(l []float32, target int) kernels.Top {
	inf := float32(math.Inf(-1))
	t := kernels.Top{Best: -1, Second: -1, LogZ: inf, TargetLog: inf}
	sum := 0.0
	for i, v := range l {
		if v == kernels.Forbidden {
			continue
		}
		sum += math.Exp(float64(v))
		switch {
		case t.Best < 0 || v > l[t.Best]:
			t.Best, t.Second = int32(i), t.Best
		case t.Second < 0 || v > l[t.Second]:
			t.Second = int32(i)
		}
	}
	if t.Best < 0 {
		return t
	}
	z := math.Log(sum)
	t.LogZ, t.Prob = float32(z), float32(math.Exp(float64(l[t.Best])-z))
	if t.Second >= 0 {
		t.SecondProb = float32(math.Exp(float64(l[t.Second]) - z))
	}
	if target >= 0 && l[target] != kernels.Forbidden {
		t.TargetLog = float32(float64(l[target]) - z)
	}
	return t
}
