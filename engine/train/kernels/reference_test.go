package kernels_test

import "math"

// The plain-Go reference of every operator, in float64 and in the same layouts as the
// kernels (kernels.h). It is written to be read, not to be fast.

// roundBF16 is x as bf16, nearest, ties to even.
func roundBF16(x float64) float64 {
	u := math.Float32bits(float32(x))
	if math.IsNaN(x) {
		return x
	}
	u += 0x7fff + u>>16&1
	return float64(math.Float32frombits(u &^ 0xffff))
}

// refGemm is c (+)= a·b with c [m,n]; size, if not nil, gets Σ|a·b|, what rounding is
// relative to.
func refGemm(m, n, k int, a, b func(i, j int) float64, c, size []float64, acc bool) {
	for i := range m {
		for j := range n {
			s, t := 0.0, 0.0
			for q := range k {
				p := a(i, q) * b(q, j)
				s += p
				t += math.Abs(p)
			}
			if acc {
				t += math.Abs(c[i*n+j])
				s += c[i*n+j]
			}
			c[i*n+j] = s
			if size != nil {
				size[i*n+j] = t
			}
		}
	}
}

func refRMS(n, d int, x, w []float64, eps float64) (y, inv []float64) {
	y, inv = make([]float64, n*d), make([]float64, n)
	for r := range n {
		s := 0.0
		for i := range d {
			s += x[r*d+i] * x[r*d+i]
		}
		inv[r] = 1 / math.Sqrt(s/float64(d)+eps)
		for i := range d {
			y[r*d+i] = x[r*d+i] * inv[r] * w[i]
		}
	}
	return y, inv
}

func refRMSBack(n, d int, x, w, dy []float64, eps float64) (dx, dw []float64) {
	dx, dw = make([]float64, n*d), make([]float64, d)
	_, inv := refRMS(n, d, x, w, eps)
	for r := range n {
		s := 0.0
		for i := range d {
			s += w[i] * dy[r*d+i] * x[r*d+i] * inv[r] / float64(d)
			dw[i] += dy[r*d+i] * x[r*d+i] * inv[r]
		}
		for i := range d {
			dx[r*d+i] = inv[r] * (w[i]*dy[r*d+i] - x[r*d+i]*inv[r]*s)
		}
	}
	return dx, dw
}

func refRoPE(n, heads, dim int, x []float64, pos []int32, table []float64, sign float64) []float64 {
	y := make([]float64, len(x))
	h := dim / 2
	for r := range n {
		for k := range heads {
			for i := range h {
				at := (r*heads+k)*dim + i
				c, s := table[int(pos[r])*dim+i], sign*table[int(pos[r])*dim+h+i]
				y[at] = x[at]*c - x[at+h]*s
				y[at+h] = x[at+h]*c + x[at]*s
			}
		}
	}
	return y
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func refSwiGLU(gate, up []float64) []float64 {
	h := make([]float64, len(gate))
	for i, g := range gate {
		h[i] = g * sigmoid(g) * up[i]
	}
	return h
}

func refSwiGLUBack(gate, up, dh []float64) (dgate, dup []float64) {
	dgate, dup = make([]float64, len(gate)), make([]float64, len(gate))
	for i, g := range gate {
		s := sigmoid(g)
		dup[i] = dh[i] * g * s
		dgate[i] = dh[i] * up[i] * (s + g*s*(1-s))
	}
	return dgate, dup
}

// refCrossEntropy returns each row's -log p(target), the weighted gradient and argmax.
func refCrossEntropy(n, v int, logits []float64, target []int32, w []float64, forbid int) (loss, grad []float64, best []int32) {
	loss, grad, best = make([]float64, n), make([]float64, n*v), make([]int32, n)
	for r := range n {
		l, g := logits[r*v:(r+1)*v], grad[r*v:(r+1)*v]
		m, s := math.Inf(-1), 0.0
		for i, x := range l {
			if i != forbid && x > m {
				m, best[r] = x, int32(i)
			}
		}
		for i, x := range l {
			if i != forbid {
				g[i] = math.Exp(x - m)
				s += g[i]
			}
		}
		for i := range g {
			g[i] *= w[r] / s
		}
		g[target[r]] -= w[r]
		loss[r] = math.Log(s) + m - l[target[r]]
	}
	return loss, grad, best
}

// attnCase is one attention call: every tensor of kernels.Attention in float64.
type attnCase struct {
	heads, groups, dim, rows int
	scale                    float64
	q, k, v, do              []float64
	docs                     []docRows
	lim, from, to            []int32
}

type docRows struct{ clean, nClean, noised, nNoised int }

// seen lists the batch rows that row sees: method.md, section 3, taken literally.
func (c *attnCase) seen(d docRows, row int) []int {
	var keys []int
	if row >= d.clean && row < d.clean+d.nClean {
		for j := d.clean; j <= row; j++ {
			keys = append(keys, j)
		}
		return keys
	}
	for j := range int(c.lim[row]) {
		keys = append(keys, d.clean+j)
	}
	for j := c.from[row]; j < c.to[row]; j++ {
		keys = append(keys, d.noised+int(j))
	}
	return keys
}

// each calls f for every row, head and what they see, with the probabilities.
func (c *attnCase) each(f func(row, head int, keys []int, p []float64, lse float64)) {
	for _, d := range c.docs {
		for i := range d.nClean + d.nNoised {
			row := d.clean + i
			if i >= d.nClean {
				row = d.noised + i - d.nClean
			}
			keys := c.seen(d, row)
			p := make([]float64, len(keys))
			for h := range c.heads {
				m, s := math.Inf(-1), 0.0
				for j, key := range keys {
					p[j] = 0
					for e := range c.dim {
						p[j] += c.q[c.atQ(row, h)+e] * c.k[c.atK(key, h)+e] * c.scale
					}
					m = max(m, p[j])
				}
				for j := range p {
					p[j] = math.Exp(p[j] - m)
					s += p[j]
				}
				for j := range p {
					p[j] /= s
				}
				f(row, h, keys, p, m+math.Log(s))
			}
		}
	}
}

func (c *attnCase) atQ(row, h int) int { return (row*c.heads + h) * c.dim }
func (c *attnCase) atK(row, h int) int {
	return (row*c.groups + h*c.groups/c.heads) * c.dim
}

func (c *attnCase) forward() (o, lse []float64) {
	o, lse = make([]float64, len(c.q)), make([]float64, c.rows*c.heads)
	c.each(func(row, h int, keys []int, p []float64, l float64) {
		lse[row*c.heads+h] = l
		for j, key := range keys {
			for e := range c.dim {
				o[c.atQ(row, h)+e] += p[j] * c.v[c.atK(key, h)+e]
			}
		}
	})
	return o, lse
}

func (c *attnCase) backward() (dq, dk, dv []float64) {
	dq, dk, dv = make([]float64, len(c.q)), make([]float64, len(c.k)), make([]float64, len(c.v))
	c.each(func(row, h int, keys []int, p []float64, _ float64) {
		q := c.atQ(row, h)
		dp, mean := make([]float64, len(p)), 0.0
		for j, key := range keys {
			k := c.atK(key, h)
			for e := range c.dim {
				dp[j] += c.do[q+e] * c.v[k+e]
				dv[k+e] += p[j] * c.do[q+e]
			}
			mean += p[j] * dp[j]
		}
		for j, key := range keys {
			k, ds := c.atK(key, h), p[j]*(dp[j]-mean)*c.scale
			for e := range c.dim {
				dq[q+e] += ds * c.k[k+e]
				dk[k+e] += ds * c.q[q+e]
			}
		}
	})
	return dq, dk, dv
}

// refAdamW is one step, in place.
func refAdamW(w, g, m, v []float64, lr, b1, b2, c1, c2, eps, wd float64) {
	for i := range w {
		m[i] = b1*m[i] + (1-b1)*g[i]
		v[i] = b2*v[i] + (1-b2)*g[i]*g[i]
		w[i] = (1-lr*wd)*w[i] - lr*(m[i]/c1)/(math.Sqrt(v[i]/c2)+eps)
	}
}
