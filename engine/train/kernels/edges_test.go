package kernels_test

import (
	"math"
	"testing"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// TestBF16Rounding looks at the rounding of both operands alone, by products with 1 and
// an odd K. Without it a kernel that cuts instead of rounding, or turns a NaN into an
// infinity, passes every test with a tolerance.
func TestBF16Rounding(t *testing.T) {
	bits := math.Float32frombits
	cases := []struct {
		name     string
		from, to float32
	}{
		{"exact", 1.5, 1.5},
		{"down", bits(0x3f807fff), bits(0x3f800000)},
		{"up", bits(0x3f808001), bits(0x3f810000)},
		{"tie to even below", bits(0x3f808000), bits(0x3f800000)},
		{"tie to even above", bits(0x3f818000), bits(0x3f820000)},
		{"carry into the exponent", bits(0x3fffffff), 2},
		{"negative tie", bits(0xbf818000), bits(0xbf820000)},
		{"zero", 0, 0},
		{"infinite", float32(math.Inf(1)), float32(math.Inf(1))},
		{"over the largest", math.MaxFloat32, float32(math.Inf(1))},
		{"a NaN whose bits are all in the lower half", bits(0x7f800001), float32(math.NaN())},
		{"a NaN that would carry over", bits(0x7fffffff), float32(math.NaN())},
	}
	for _, o := range tables(t) {
		if o.PeakKind() != "bf16" {
			continue
		}
		b := newBench(t, 1)
		x, one, c := b.scratch(1), b.scratch(1), b.scratch(1)
		one[0] = 1
		work := b.scratch(o.GemmWork(1, 1))
		for _, e := range cases {
			for _, left := range []bool{true, false} {
				x[0] = e.from
				p, q := kernels.Rows(x, 1), kernels.Rows(one, 1)
				if !left {
					p, q = q, p
				}
				o.Gemm(0, 1, 1, 1, p, q, c, 1, false, work)
				if got := c[0]; got != e.to && !(got != got && e.to != e.to) {
					t.Errorf("%s: %s (left %v): %x becomes %x, want %x", o.Name(), e.name, left, math.Float32bits(e.from), math.Float32bits(got), math.Float32bits(e.to))
				}
			}
		}
		b.close()
	}
}

// TestExp walks exp over its range through silu, whose far left is x·exp(x): the error
// that ops.h states, and no infinity or NaN outside the range. A wrong constant in the
// polynomial costs three digits and no other test would say where.
func TestExp(t *testing.T) {
	const n = 40_000
	for _, o := range tables(t) {
		b := newBench(t, 1)
		gate, up, h := b.scratch(n), b.scratch(n), b.scratch(n)
		worst := 0.0
		for i := range gate {
			gate[i], up[i] = float32(-86.9+float64(i)*(173.0/n)), 1
		}
		o.SwiGLUForward(gate, up, h)
		for i, g := range gate {
			want := float64(g) * sigmoid(float64(g))
			worst = max(worst, math.Abs(float64(h[i])-want)/math.Abs(want))
		}
		if !(worst <= expError(o)+3*ulp) {
			t.Errorf("%s: relative error of exp %.2e", o.Name(), worst)
		}
		for i, g := range []float32{-1e30, -1000, -88.5, 88.5, 1000, 1e30} {
			gate[i], up[i] = g, 1
		}
		o.SwiGLUForward(gate[:6], up[:6], h[:6])
		for i, want := range []float32{0, 0, 0, 88.5, 1000, 1e30} {
			if d := float64(h[i] - want); !(math.Abs(d) <= 1e-6*float64(want)) && !(i < 3 && float64(h[i]) > -1e-7) {
				t.Errorf("%s: silu(%g) is %g, want %g", o.Name(), gate[i], h[i], want)
			}
		}
		b.close()
	}
}

// TestNothing gives operators nothing to do. A document without rows once made attention
// zero the memory before its scratch, and a product over no terms kept what was in c.
func TestNothing(t *testing.T) {
	for _, o := range tables(t) {
		b := newBench(t, 1)
		c := newAttnCase(b.r, 2, 1, 16, 1, []int{0, 4}, [][]int{{}, {}})
		a := b.attnTensors(c)
		b.runAttention(o, c, a)
		compareAttention(t, c, a, 1e-5)

		out := b.scratch(6)
		for i := range out {
			out[i] = float32(i)
		}
		none := kernels.Mat{RS: 1, CS: 1}
		o.Gemm(0, 2, 3, 0, none, none, out, 3, true, b.scratch(o.GemmWork(3, 0)))
		near(t, "added to", out, []float64{0, 1, 2, 3, 4, 5}, func(int) float64 { return 0 })
		o.Gemm(0, 2, 3, 0, none, none, out, 3, false, b.scratch(o.GemmWork(3, 0)))
		near(t, "overwritten", out, make([]float64, 6), func(int) float64 { return 0 })
		b.close()
	}
}

// TestPick says what the command line and reports build on: the first table is the one
// chosen, every one listed can be asked for by name, and an unknown name is an error
// and no crash. Without it a dispatch that offers a table the processor lacks would
// only show as an illegal instruction at a user's.
func TestPick(t *testing.T) {
	names := kernels.Names()
	o, err := kernels.Pick("")
	if err != nil || o.Name() != names[0] || names[len(names)-1] != "base" {
		t.Fatalf("picked %v of %v: %v", o, names, err)
	}
	for _, name := range names {
		o, err := kernels.Pick(name)
		if err != nil || o.Name() != name {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if kind := o.PeakKind(); kind != map[bool]string{true: "bf16", false: "fp32"}[isBF16(o)] {
			t.Errorf("%s measures its peak in %s", name, kind)
		}
		if p := o.Peak(1); !(p > 0) {
			t.Errorf("%s: a peak of %g flop/s", name, p)
		}
	}
	if o, err := kernels.Pick("mmx"); err == nil {
		t.Errorf("asked for mmx, got %s", o.Name())
	}
}
