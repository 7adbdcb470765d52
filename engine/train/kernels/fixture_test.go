package kernels_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
	"github.com/seedling-lsp/seedling/engine/train/kernels/emulated"
)

// tables are all that can run here: the machine's own and the emulated ones.
func tables(t testing.TB) []*kernels.Ops {
	t.Helper()
	var all []*kernels.Ops
	for _, name := range kernels.Names() {
		o, err := kernels.Pick(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return append(all, emulated.Tables()...)
}

// failer is what checks need of *testing.T and *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

const guard = 64 // floats on either side of every tensor

// bench is the memory of one check: tensors outside Go's heap between guards of NaN. A
// kernel that reads outside its tensors spreads NaN, one that writes there is caught by
// close; scratch begins as NaN, so one that reads it before writing shows too.
type bench struct {
	t   failer
	r   *rand.Rand
	all [][]float32
}

// marker is a NaN that no arithmetic makes.
const marker = 0x7fc5eed5

func newBench(t failer, seed uint64) *bench {
	return &bench{t: t, r: rand.New(rand.NewPCG(seed, 1))}
}

func (b *bench) scratch(n int) []float32 {
	s := kernels.Alloc[float32](n + 2*guard)
	for i := range s {
		s[i] = math.Float32frombits(marker)
	}
	b.all = append(b.all, s)
	return s[guard : guard+n : guard+n]
}

// normal is a tensor of normal values of that deviation, and the same in float64.
func (b *bench) normal(n int, deviation float64) ([]float32, []float64) {
	s, f := b.scratch(n), make([]float64, n)
	for i := range s {
		s[i] = float32(b.r.NormFloat64() * deviation)
		f[i] = float64(s[i])
	}
	return s, f
}

func (b *bench) close() {
	b.t.Helper()
	for _, s := range b.all {
		for i := range guard {
			if math.Float32bits(s[i]) != marker || math.Float32bits(s[len(s)-1-i]) != marker {
				b.t.Fatalf("a kernel wrote outside its %d floats", len(s)-2*guard)
			}
		}
	}
	for _, s := range b.all {
		kernels.Free(s)
	}
}

// near fails where got is further from want than tol, absolutely.
func near(t failer, what string, got []float32, want []float64, tol func(i int) float64) {
	t.Helper()
	for i := range want {
		if e := math.Abs(float64(got[i]) - want[i]); !(e <= tol(i)) {
			t.Fatalf("%s[%d] of %d is %g, the reference has %g: off by %.2e, allowed %.2e", what, i, len(want), got[i], want[i], e, tol(i))
		}
	}
}

// within is a tolerance relative to the largest of want, or to 1 if that is less.
func within(rel float64, want []float64) func(int) float64 {
	m := 1.0
	for _, x := range want {
		m = max(m, math.Abs(x))
	}
	return func(int) float64 { return rel * m }
}

func isBF16(o *kernels.Ops) bool { return strings.HasPrefix(o.Name(), "avx512bf16") }

// attnTensors copies a case into guarded memory for the kernels.
func (b *bench) attnTensors(c *attnCase) *kernels.Attention {
	put := func(x []float64) []float32 {
		s := b.scratch(len(x))
		for i := range x {
			s[i] = float32(x[i])
		}
		return s
	}
	ints := func(x []int32) []int32 {
		s := kernels.Alloc[int32](len(x))
		copy(s, x)
		return s
	}
	a := &kernels.Attention{Heads: c.heads, KVHeads: c.groups, Dim: c.dim, Scale: float32(c.scale),
		Q: put(c.q), K: put(c.k), V: put(c.v), DO: put(c.do), Lim: ints(c.lim), From: ints(c.from), To: ints(c.to)}
	a.O, a.LSE = b.scratch(len(c.q)), b.scratch(c.rows*c.heads)
	a.DQ, a.DK, a.DV = b.scratch(len(c.q)), b.scratch(len(c.k)), b.scratch(len(c.v))
	return a
}

// runAttention runs forward and backward over all documents and key heads.
func (b *bench) runAttention(o *kernels.Ops, c *attnCase, a *kernels.Attention) {
	for _, pass := range []func(*kernels.Attention, kernels.Doc, int, []float32){o.AttnForward, o.AttnBackward} {
		for _, d := range c.docs {
			work := b.scratch(o.AttnWork(d.nClean+d.nNoised, c.dim))
			for g := range c.groups {
				pass(a, kernels.Doc{Clean: d.clean, NClean: d.nClean, Noised: d.noised, NNoised: d.nNoised}, g, work)
			}
		}
	}
	kernels.Free(a.Lim)
	kernels.Free(a.From)
	kernels.Free(a.To)
}

// outside keeps the rows that belong to no document: kernels must leave them alone.
func (c *attnCase) outside(row int) bool {
	for _, d := range c.docs {
		if row >= d.clean && row < d.clean+d.nClean || row >= d.noised && row < d.noised+d.nNoised {
			return false
		}
	}
	return true
}

// newAttnCase lays out documents as batches do: all clean rows, then all noised rows,
// with a row of nobody's between documents. sizes are (clean rows, block sizes).
func newAttnCase(r *rand.Rand, heads, groups, dim int, spread float64, clean []int, blocks [][]int) *attnCase {
	c := &attnCase{heads: heads, groups: groups, dim: dim, scale: 1 / math.Sqrt(float64(dim))}
	for _, n := range clean {
		c.docs = append(c.docs, docRows{clean: c.rows, nClean: n})
		c.rows += n + 1
	}
	c.lim, c.from, c.to = make([]int32, c.rows), make([]int32, c.rows), make([]int32, c.rows)
	for i, sizes := range blocks {
		d := &c.docs[i]
		d.noised = c.rows
		for _, n := range sizes {
			lim, at := int32(r.IntN(d.nClean+1)), int32(d.nNoised)
			for range n {
				c.lim, c.from, c.to = append(c.lim, lim), append(c.from, at), append(c.to, at+int32(n))
			}
			d.nNoised += n
			c.rows += n
		}
		c.rows++
		c.lim, c.from, c.to = append(c.lim, 0), append(c.from, 0), append(c.to, 0)
	}
	fill := func(n int, s float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(float32(r.NormFloat64() * s))
		}
		return x
	}
	c.q, c.k = fill(c.rows*heads*dim, spread), fill(c.rows*groups*dim, spread)
	c.v, c.do = fill(c.rows*groups*dim, 1), fill(c.rows*heads*dim, 1)
	return c
}
