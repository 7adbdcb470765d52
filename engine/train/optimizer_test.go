package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// singular are the singular values of a [rows, cols], largest first, as the square roots
// of the eigenvalues of the smaller Gram matrix, by Jacobi's rotations in float64.
func singular(a []float64, rows, cols int) []float64 {
	n, m := min(rows, cols), max(rows, cols)
	at := func(i, j int) float64 { // row i of the smaller side
		if rows <= cols {
			return a[i*cols+j]
		}
		return a[j*cols+i]
	}
	g := make([]float64, n*n)
	for i := range n {
		for j := range n {
			for k := range m {
				g[i*n+j] += at(i, k) * at(j, k)
			}
		}
	}
	for range 30 {
		off := 0.0
		for p := range n {
			for q := p + 1; q < n; q++ {
				x := g[p*n+q]
				off += x * x
				if math.Abs(x) < 1e-300 {
					continue
				}
				theta := (g[q*n+q] - g[p*n+p]) / (2 * x)
				t := math.Copysign(1/(math.Abs(theta)+math.Sqrt(theta*theta+1)), theta)
				c := 1 / math.Sqrt(t*t+1)
				s := t * c
				for k := range n {
					u, v := g[k*n+p], g[k*n+q]
					g[k*n+p], g[k*n+q] = c*u-s*v, s*u+c*v
				}
				for k := range n {
					u, v := g[p*n+k], g[q*n+k]
					g[p*n+k], g[q*n+k] = c*u-s*v, s*u+c*v
				}
			}
		}
		if off < 1e-24 {
			break
		}
	}
	out := make([]float64, n)
	for i := range n {
		out[i] = math.Sqrt(max(0, g[i*n+i]))
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(out)))
	return out
}

// TestOrthogonalise: an update has every singular value near one, in the directions of
// the gradient's, for flat, tall and square matrices on every instruction set. Without it
// Muon would be some other optimizer that also lowers the loss.
func TestOrthogonalise(t *testing.T) {
	for _, isa := range kernels.Names() {
		ops, err := kernels.Pick(isa)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range [][2]int{{32, 48}, {48, 32}, {16, 32}, {32, 16}, {32, 32}, {8, 96}, {40, 40}} {
			rows, cols := shape[0], shape[1]
			t.Run(fmt.Sprintf("%s %dx%d", isa, rows, cols), func(t *testing.T) {
				p := &Params{All: []*Param{{Rows: rows, Cols: cols, Hidden: true}}}
				n := newNewton(p, ops, rows*cols)
				r := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
				g, before := kernels.Alloc[float32](rows*cols), make([]float64, rows*cols)
				defer kernels.Free(g)
				norm := 0.0
				for i := range g {
					g[i] = float32(r.NormFloat64() * 1e-4) // gradients are small
					before[i] = float64(g[i])
					norm += before[i] * before[i]
				}
				u := n.orthogonalise(g, rows, cols)
				after, inner := make([]float64, len(u)), 0.0
				for i, v := range u {
					after[i] = float64(v)
					inner += after[i] * before[i]
				}
				s, was := singular(after, rows, cols), singular(before, rows, cols)
				sum := 0.0
				for i := range s {
					sum += was[i]
					// Five steps lift a value by 3.44⁵ at most: nearly singular directions
					// of a square matrix cannot arrive.
					if was[i] > 4e-3*math.Sqrt(norm) && s[i] < 0.6 || s[i] > 1.3 {
						t.Errorf("singular value %d is %.3f (of %.2e of the norm)", i, s[i], was[i]/math.Sqrt(norm))
					}
				}
				// ⟨UVᵀ, G⟩ is the sum of G's singular values: any other directions give less.
				if share := inner / sum; share < 0.65 || share > 1.25 {
					t.Errorf("the update points elsewhere than the gradient: %.3f of its nuclear norm", share)
				}
			})
		}
	}
}

// TestClip: the joint norm after is at most the bound, a gradient below it is not touched,
// and the norm reported is that before.
func TestClip(t *testing.T) {
	ops, err := kernels.Pick("")
	if err != nil {
		t.Fatal(err)
	}
	s := tinySettings("ar")
	_, ids := vocabulary(t)
	p := NewParams(s.Model(64, ids))
	n := &Network{P: p, ops: ops, threads: 1}
	set := func(v float32) (norm float64) {
		for i, q := range p.All {
			for j := range q.G {
				q.G[j] = v * float32(i%5-2)
				norm += float64(q.G[j]) * float64(q.G[j])
			}
		}
		return math.Sqrt(norm)
	}
	want := set(1)
	if got := clip(n, 0.5); math.Abs(got-want) > 1e-4*want {
		t.Errorf("norm %g, want %g", got, want)
	}
	if after := clip(n, 0.6); math.Abs(after-0.5) > 1e-4 {
		t.Errorf("clipped to %g, want 0.5", after)
	}
	want = set(1e-6)
	if clip(n, 0.5); p.All[0].G[0] != -2e-6 {
		t.Errorf("a small gradient was changed to %g", p.All[0].G[0])
	}
}

// TestHiddenLR: AdamW's first step moves every weight by its rate, so hidden matrices by
// hidden_lr and the rest by adam_lr; and by adam_lr all of them where hidden_lr is not set.
func TestHiddenLR(t *testing.T) {
	ops, err := kernels.Pick("")
	if err != nil {
		t.Fatal(err)
	}
	_, ids := vocabulary(t)
	for _, hidden := range []float64{0, 0.001} {
		s := tinySettings("ar")
		s.Optimizer, s.AdamLR, s.HiddenLR, s.WeightDecay = "adamw", 0.01, hidden, 0
		p := NewParams(s.Model(64, ids))
		n := &Network{P: p, ops: ops, threads: 1}
		_, adam := NewOptimizers(p, s, ops, 1)
		for _, q := range p.All {
			for j := range q.G {
				q.W[j], q.G[j] = 1, 1
			}
		}
		adam.Step(n, s.AdamLR, 1)
		for _, q := range p.All {
			want := 0.01
			if q.Hidden && hidden > 0 {
				want = hidden
			}
			if got := 1 - float64(q.W[0]); math.Abs(got-want) > 0.01*want {
				t.Errorf("hidden_lr %g: %s moved by %g, want %g", hidden, q.Name, got, want)
			}
		}
	}
}
