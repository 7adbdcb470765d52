package cpu

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
	"github.com/seedling-lsp/seedling/engine/model"
)

var errISA = errors.New("not available here")

// reference is the network in plain Go, float64 sums, one row after the other: what the
// kernels are held to. Float weights run as they are, int8 ones as scale times integer.
type reference struct {
	w         *model.Weights
	positions int
	rope      []float32
	caches    map[backend.Sequence]*goCache
}

// goCache holds keys and values as [layer][position][kv*headDim].
type goCache struct {
	k, v [][][]float32
	n    int // valid tokens; what lies behind is left over from a pass that failed
}

func (c *goCache) cut() {
	for l := range c.k {
		c.k[l], c.v[l] = c.k[l][:min(c.n, len(c.k[l]))], c.v[l][:min(c.n, len(c.v[l]))]
	}
}

func newReference(w *model.Weights, opt Options) *reference {
	r := &reference{w: w, positions: opt.Positions, rope: w.Config.RopeTable(opt.Positions, make([]float32, opt.Positions*w.Config.HeadDim)), caches: map[backend.Sequence]*goCache{}}
	r.open(backend.Root)
	return r
}

func (r *reference) info() backend.Info {
	return backend.Info{Name: "cpu", Kernels: Reference, Threads: 1}
}
func (r *reference) end()                     {}
func (r *reference) close(s backend.Sequence) { delete(r.caches, s) }
func (r *reference) setLen(s backend.Sequence, n int) {
	r.caches[s].n = n
}
func (r *reference) open(s backend.Sequence) error {
	n := len(r.w.Layers)
	r.caches[s] = &goCache{k: make([][][]float32, n), v: make([][][]float32, n)}
	return nil
}

func (r *reference) copy(to, from backend.Sequence, n int) {
	a, b := r.caches[to], r.caches[from]
	a.n = n
	for l := range a.k { // rows are never written again: sharing them is safe
		a.k[l] = append(a.k[l][:0], b.k[l][:n]...)
		a.v[l] = append(a.v[l][:0], b.v[l][:n]...)
	}
}

func (r *reference) forward(ctx context.Context, rows []kernels.Row, seqs []backend.Sequence, forbid []int32) ([]kernels.Top, error) {
	c := r.w.Config
	hd := c.HeadDim
	for _, s := range seqs {
		r.caches[s].cut()
	}
	x := make([][]float32, len(rows))
	for i, row := range rows {
		x[i] = rowOf(r.w.Embed, int(row.Token))
		if mask := int32(c.Seedling.Tokens.Mask); row.Canvas == 1 && c.Seedling.CanvasMark && row.Token != mask {
			add(x[i], rowOf(r.w.Embed, int(mask)))
		}
	}
	for l, w := range r.w.Layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		q, k, v := make([][]float32, len(rows)), make([][]float32, len(rows)), make([][]float32, len(rows))
		for i, row := range rows {
			h := rms(x[i], w.InputNorm, c.RMSNormEps)
			q[i], k[i], v[i] = matVec(w.Q, h), matVec(w.K, h), matVec(w.V, h)
			r.heads(q[i], w.QNorm, int(row.Pos))
			r.heads(k[i], w.KNorm, int(row.Pos))
			if row.Canvas == 0 {
				cache := r.caches[seqs[row.Group]]
				cache.k[l] = append(cache.k[l][:row.Pos], k[i])
				cache.v[l] = append(cache.v[l][:row.Pos], v[i])
			}
		}
		for i, row := range rows {
			cache := r.caches[seqs[row.Group]]
			ks, vs := cache.k[l], cache.v[l]
			if row.Canvas == 0 {
				ks, vs = ks[:row.Pos+1], vs[:row.Pos+1]
			} else {
				ks, vs = append([][]float32{}, ks...), append([][]float32{}, vs...)
				for j, o := range rows {
					if o.Group == row.Group && o.Canvas == 1 {
						ks, vs = append(ks, k[j]), append(vs, v[j])
					}
				}
			}
			add(x[i], matVec(w.O, attend(q[i], ks, vs, c.NumHeads, c.NumKVHeads, hd)))
			h := rms(x[i], w.PostNorm, c.RMSNormEps)
			g, u := matVec(w.Gate, h), matVec(w.Up, h)
			for j := range g {
				g[j] = float32(float64(g[j]) / (1 + math.Exp(-float64(g[j]))) * float64(u[j]))
			}
			add(x[i], matVec(w.Down, g))
		}
	}
	var out []kernels.Top
	for i, row := range rows {
		if row.Want != 0 {
			out = append(out, answer(matVec(r.w.Embed, rms(x[i], r.w.Norm, c.RMSNormEps)), row.Target, forbid))
		}
	}
	return out, nil
}

// heads applies a head's norm (nil: there is none) and RoPE to every head of a row.
func (r *reference) heads(x, norm []float32, pos int) {
	hd := r.w.Config.HeadDim
	cs := r.rope[pos*hd : (pos+1)*hd]
	for h := 0; h < len(x); h += hd {
		y := slices.Clone(x[h : h+hd])
		if norm != nil {
			y = rms(y, norm, r.w.Config.RMSNormEps)
		}
		for i := range hd / 2 {
			a, b := y[i], y[i+hd/2]
			x[h+i] = a*cs[i] - b*cs[hd/2+i]
			x[h+i+hd/2] = b*cs[i] + a*cs[hd/2+i]
		}
	}
}

func attend(q []float32, ks, vs [][]float32, heads, kv, hd int) []float32 {
	out := make([]float32, heads*hd)
	p := make([]float64, len(ks))
	for h := range heads {
		g := h / (heads / kv) * hd
		top := math.Inf(-1)
		for j, k := range ks {
			p[j] = 0
			for i := range hd {
				p[j] += float64(q[h*hd+i]) * float64(k[g+i])
			}
			p[j] /= math.Sqrt(float64(hd))
			top = max(top, p[j])
		}
		sum := 0.0
		for j := range p {
			p[j] = math.Exp(p[j] - top)
			sum += p[j]
		}
		for i := range hd {
			s := 0.0
			for j, v := range vs {
				s += p[j] * float64(v[g+i])
			}
			out[h*hd+i] = float32(s / sum)
		}
	}
	return out
}

// answer is the head's reduction of one row of logits.
func answer(logits []float32, target int32, forbid []int32) kernels.Top {
	for _, f := range forbid {
		logits[f] = float32(math.Inf(-1))
	}
	t := kernels.Top{Best: -1, Second: -1}
	for i, l := range logits {
		switch {
		case math.IsInf(float64(l), -1):
		case t.Best < 0 || l > logits[t.Best]:
			t.Best, t.Second = int32(i), t.Best
		case t.Second < 0 || l > logits[t.Second]:
			t.Second = int32(i)
		}
	}
	if t.Best < 0 { // nothing may be said
		t.LogZ, t.TargetLog = float32(math.Inf(-1)), float32(math.Inf(-1))
		return t
	}
	top, sum := float64(logits[t.Best]), 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - top)
	}
	z := top + math.Log(sum)
	t.LogZ, t.Prob = float32(z), float32(math.Exp(top-z))
	if t.Second >= 0 {
		t.SecondProb = float32(math.Exp(float64(logits[t.Second]) - z))
	}
	if target >= 0 {
		t.TargetLog = float32(float64(logits[target]) - z)
	}
	return t
}

func rowOf(m model.Matrix, r int) []float32 {
	out := make([]float32, m.Cols)
	if m.I8 == nil {
		copy(out, m.F32[r*m.Cols:])
		return out
	}
	for i := range out {
		out[i] = m.Scale[r] * float32(m.I8[r*m.Cols+i])
	}
	return out
}

func matVec(m model.Matrix, x []float32) []float32 {
	out := make([]float32, m.Rows)
	for r := range out {
		s := 0.0
		if m.I8 == nil {
			for i, w := range m.F32[r*m.Cols : (r+1)*m.Cols] {
				s += float64(w) * float64(x[i])
			}
		} else {
			for i, w := range m.I8[r*m.Cols : (r+1)*m.Cols] {
				s += float64(w) * float64(x[i])
			}
			s *= float64(m.Scale[r])
		}
		out[r] = float32(s)
	}
	return out
}

func rms(x, w []float32, eps float64) []float32 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	inv := 1 / math.Sqrt(s/float64(len(x))+eps)
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(float64(v) * inv * float64(w[i]))
	}
	return out
}

func add(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}
