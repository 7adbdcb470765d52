package cuda

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine/backend"
)

// A checker holds every launch to a plain reference of its kernel, in float64, computed from
// what the device held before it. So the roundings of one kernel are not in the way of the
// next one's, and the tolerances are those of one kernel:
//
//   - A sum of n products in fp32, in whatever order, is off by n·2^-24 of the sum of their
//     magnitudes at most ([within]); approximate functions add 2^-20 of the value.
//   - What is stored in bf16 or e4m3 must be a rounding of something within that: half a step
//     more (up to 2^-8 of a bf16, 2^-4 of an e4m3, or half of its smallest step).
//   - What is a copy of something that is stored exactly must be its rounding to the bit.
//
// It wraps any driver, so that a card can be held to the same.
type checker struct {
	driver.Driver
	s      *shape // of the backend; set before the first launch
	names  map[driver.Function]string
	seen   map[string]int     // values compared, by kind of kernel
	worst  map[string]float64 // of them, in parts of what is allowed
	failed error
}

func check(d driver.Driver) *checker {
	return &checker{Driver: d, names: map[driver.Function]string{}, seen: map[string]int{}, worst: map[string]float64{}}
}

// String says how much was compared, and how much of what is allowed was needed.
func (c *checker) String() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(c.seen)) {
		fmt.Fprintf(&b, "%s: %d values, %.2f of the tolerance; ", kind, c.seen[kind], c.worst[kind])
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func (c *checker) Function(m driver.Module, name string) (driver.Function, error) {
	f, err := c.Driver.Function(m, name)
	c.names[f] = name
	return f, err
}

// Launch runs the kernel and then its reference. The first that is off is told, and the rest
// is run unchecked.
func (c *checker) Launch(f driver.Function, grid, block [3]int, params []byte) error {
	if c.failed != nil {
		return c.failed
	}
	name := c.names[f]
	after := func() {}
	func() {
		defer c.caught(name)
		switch kind := kindOf(name); kind {
		case "embed":
			after = c.embed(arg[embedArg](params))
		case "qkv":
			after = c.qkv(arg[qkvArg](params))
		case "attention":
			after = c.attention(arg[attentionArg](params), grid[0])
		case "residual":
			a := arg[residualArg](params)
			after = c.residual("residual", a.G, a.To, c.x(a.G.X, c.s.NumHeads*c.s.hstride))
		case "mlp":
			after = c.mlp(arg[mlpArg](params))
		case "head":
			after = c.head(arg[headArg](params))
		case "answer":
			after = c.answer(arg[answerArg](params))
		default:
			panic(fmt.Errorf("no reference of kernel %s", name))
		}
	}()
	if err := c.Driver.Launch(f, grid, block, params); err != nil {
		return err
	}
	if c.failed == nil {
		defer c.caught(name)
		after()
	}
	return c.failed
}

func (c *checker) caught(name string) {
	if r := recover(); r != nil {
		err, ok := r.(error)
		if !ok {
			panic(r)
		}
		c.failed = fmt.Errorf("%s: %w", name, err)
	}
}

// kindOf is a kernel's name without type and size.
func kindOf(name string) string {
	kind, _, _ := bytes.Cut([]byte(name), []byte("_"))
	return string(kind)
}

func arg[T any](params []byte) (a T) {
	if err := binary.Read(bytes.NewReader(params), binary.LittleEndian, &a); err != nil {
		panic(err)
	}
	return a
}

// get reads n values of the device's memory.
func get[T any](c *checker, p driver.Ptr, n int) []T {
	out := make([]T, n)
	if n > 0 {
		if err := c.Driver.Read(p, raw(out)); err != nil {
			panic(err)
		}
	}
	return out
}

// hold fails unless got is within tolerance of want.
func (c *checker) hold(kind string, got, want, tolerance float64, format string, a ...any) {
	c.seen[kind]++
	d := math.Abs(got - want)
	if !(d <= tolerance) {
		panic(fmt.Errorf("%s is %.9g, want %.9g within %.2g", fmt.Sprintf(format, a...), got, want, tolerance))
	}
	if tolerance > 0 {
		c.worst[kind] = max(c.worst[kind], d/tolerance)
	}
}

// rounding is half a step of the type in which v is stored, with a scale in e4m3 (0: bf16).
func rounding(v, scale float64) float64 {
	_, e := math.Frexp(v)
	if scale == 0 {
		return math.Ldexp(1, e-9)
	}
	return max(math.Ldexp(1, e-5), scale/1024)
}

// within is what a sum of n products in fp32 may be off by, of the sum of their magnitudes.
func within(n int, magnitude float64) float64 { return float64(n) * magnitude / (1 << 24) }

// matrix of activations with the scale of each value (0 in bf16).
type activations struct{ v, scale [][]float64 }

// x reads all of a's rows, of so many columns.
func (c *checker) x(a xArg, width int) activations {
	n, stride := up(width, 64)*64, int(a.Stride)
	data := get[byte](c, a.Data, up(width, unit(c.s.fp8))*stride*128)
	var scales []float32
	if c.s.fp8 {
		scales = get[float32](c, a.Scale, n/64*stride)
	}
	out := activations{make([][]float64, stride), make([][]float64, stride)}
	for r := range stride {
		out.v[r], out.scale[r] = make([]float64, n), make([]float64, n)
		for k := range n {
			u := unit(c.s.fp8)
			b := k % u * 128 / u
			at := (k/u*stride+r)*128 + (b/16^r&7)*16 + b%16
			if c.s.fp8 {
				s := float64(scales[k/64*stride+r])
				out.v[r][k], out.scale[r][k] = float64(e4m3Value(data[at]))*s, s
			} else {
				out.v[r][k] = float64(widen(binary.LittleEndian.Uint16(data[at:])))
			}
		}
	}
	return out
}

// sums are a product's results with the magnitude of each: rows by features.
type sums struct {
	v, size [][]float64
	n       int // products in each
}

// product multiplies rows of x with a's packed weights.
func (c *checker) product(a gemmArg, x activations, rows int) sums {
	u := unit(c.s.fp8)
	steps, tiles := int(a.Steps), int(a.Tiles)
	w := get[byte](c, a.W, tiles*steps*8192)
	var scales []float32
	if c.s.fp8 {
		scales = get[float32](c, a.Scale, tiles*64)
	}
	out := sums{make([][]float64, rows), make([][]float64, rows), steps * u}
	for r := range rows {
		out.v[r], out.size[r] = make([]float64, tiles*64), make([]float64, tiles*64)
	}
	line := make([]float64, steps*u)
	for f := range tiles * 64 {
		for k := range line {
			b := k % u * 128 / u
			at := (f/64*steps+k/u)*8192 + f%64*128 + (b/16^f&7)*16 + b%16
			if c.s.fp8 {
				line[k] = float64(e4m3Value(w[at])) * float64(scales[f])
			} else {
				line[k] = float64(widen(binary.LittleEndian.Uint16(w[at:])))
			}
		}
		for r := range rows {
			s, m := 0.0, 0.0
			for k, v := range x.v[r] {
				p := v * line[k]
				s += p
				m += math.Abs(p)
			}
			out.v[r][f], out.size[r][f] = s, m
		}
	}
	return out
}

// batch is what of the batch stands on the device.
func (c *checker) batch(head, info driver.Ptr) (headerArg, []rowArg) {
	h := get[headerArg](c, head, 1)[0]
	return h, get[rowArg](c, info, int(h.Rows))
}

// rms is 1/rms of rows, from the squares on the device.
func (c *checker) rms(a gemmArg, rows int) []float64 {
	stride := int(a.Stride)
	q := get[float32](c, a.Squares, up(int(a.Width), 64)*stride)
	out := make([]float64, rows)
	for r := range out {
		s := 0.0
		for t := range up(int(a.Width), 64) {
			s += float64(q[t*stride+r])
		}
		out[r] = 1 / math.Sqrt(s/float64(a.Width)+float64(a.Eps))
	}
	return out
}

// stream holds the three forms of the residual stream together: its copy is its rounding, to
// the bit, and its squares are those of its values.
func (c *checker) stream(kind string, a streamArg, rows, stride int) {
	n := int(a.N)
	y, x := get[float32](c, a.Y, rows*n), c.x(a.Copy, n)
	squares := get[float32](c, a.Squares, up(n, 64)*stride)
	for r := range rows {
		for t := range up(n, 64) {
			most, sum := float32(0), 0.0
			for k := t * 64; k < min(n, t*64+64); k++ {
				v := y[r*n+k]
				most = max(most, v, -v)
				sum += float64(v) * float64(v)
			}
			c.hold(kind, float64(squares[t*stride+r]), sum, sum*64/(1<<24), "squares of row %d, columns from %d", r, t*64)
			scale := scale8(float64(most))
			for k := t * 64; k < t*64+64; k++ {
				v := float32(0)
				if k < n {
					v = y[r*n+k]
				}
				want := float64(widen(bf16(v)))
				if c.s.fp8 {
					want = float64(e4m3Value(e4m3(v/float32(scale)))) * scale
				}
				c.hold(kind, x.v[r][k], want, 0, "copy of row %d, column %d", r, k)
			}
		}
	}
}

// scale8 is the power of two that brings most to 448 at most and above 224; of what is hardly
// anything, 2^-119.
func scale8(most float64) float64 {
	f, e := math.Frexp(most)
	if e -= 9; f > 448.0/512 {
		e++
	}
	return math.Ldexp(1, max(e, -119))
}

func (c *checker) embed(a embedArg) func() {
	_, rows := c.batch(a.Head, a.Info)
	return func() {
		n := int(a.To.N)
		y := get[float32](c, a.To.Y, len(rows)*n)
		for i, r := range rows {
			e := get[uint16](c, a.Table+driver.Ptr(2*int(r.Token)*int(a.Width)), n)
			m := make([]uint16, n)
			if a.Mark >= 0 && r.Canvas == 1 && r.Token != a.Mark {
				m = get[uint16](c, a.Table+driver.Ptr(2*int(a.Mark)*int(a.Width)), n)
			}
			for k := range n {
				c.hold("embed", float64(y[i*n+k]), float64(widen(e[k])+widen(m[k])), 0, "row %d, column %d", i, k)
			}
		}
		c.stream("embed", a.To, len(rows), int(a.Stride))
	}
}

func (c *checker) qkv(a qkvArg) func() {
	_, rows := c.batch(a.G.Head, a.G.Info)
	p := c.product(a.G, c.x(a.G.X, c.s.HiddenSize), len(rows))
	rms := c.rms(a.G, len(rows))
	heads, kv, hd, padded := int(a.Heads), int(a.KV), int(a.HD), int(a.Padded)
	norms := [3][]float32{nil, nil, nil}
	if a.QNorm != 0 {
		norms[0], norms[1] = get[float32](c, a.QNorm, hd), get[float32](c, a.KNorm, hd)
	}
	rope := get[float32](c, a.Rope, c.s.positions*hd)
	return func() {
		for i, r := range rows {
			for h := range heads + 2*kv {
				part, head := 0, h
				if head >= heads {
					part, head = 1, head-heads
					if head >= kv {
						part, head = 2, head-kv
					}
				}
				v, e := make([]float64, hd), make([]float64, hd)
				square, off := 0.0, 0.0
				for k := range v {
					f := h*c.s.group*64 + k
					v[k] = p.v[i][f] * rms[i]
					e[k] = within(p.n, p.size[i][f])*rms[i] + math.Abs(v[k])/(1<<20)
					square += v[k] * v[k]
					off += 2*math.Abs(v[k])*e[k] + e[k]*e[k]
				}
				if n := norms[part]; n != nil {
					mean := square/float64(hd) + float64(a.G.Eps)
					by, slack := 1/math.Sqrt(mean), off/float64(hd)/mean+1.0/(1<<20)
					for k := range v {
						v[k] *= by * float64(n[k])
						e[k] = e[k]*by*math.Abs(float64(n[k]))*(1+slack) + math.Abs(v[k])*slack
					}
				}
				if part < 2 {
					for k := range hd / 2 {
						cos, sin := float64(rope[int(r.Pos)*hd+k]), float64(rope[int(r.Pos)*hd+hd/2+k])
						lo, hi := v[k], v[k+hd/2]
						v[k], v[k+hd/2] = lo*cos-hi*sin, hi*cos+lo*sin
						e[k] += e[k+hd/2] + (math.Abs(lo)+math.Abs(hi))/(1<<22)
						e[k+hd/2] = e[k]
					}
				}
				var to driver.Ptr
				switch {
				case part == 0:
					to = a.Q + driver.Ptr(2*(i*heads+head)*padded)
				case r.Canvas == 1:
					to = []driver.Ptr{a.CanvasK, a.CanvasV}[part-1] + driver.Ptr(2*(i*kv+head)*padded)
				default:
					to = []driver.Ptr{a.K, a.V}[part-1] + driver.Ptr(2*(int64(r.Page)*a.Page+int64((head*pageSize+int(r.Pos)%pageSize)*padded)))
				}
				for k, got := range get[uint16](c, to, padded) {
					if k >= hd {
						c.hold("qkv", float64(widen(got)), 0, 0, "padding of row %d, head %d", i, h)
						continue
					}
					c.hold("qkv", float64(widen(got)), v[k], e[k]+rounding(v[k], 0), "row %d, head %d, column %d", i, h, k)
				}
			}
		}
	}
}

func (c *checker) attention(a attentionArg, items int) func() {
	heads, kv, hd, padded := int(a.Heads), int(a.KV), int(a.HD), c.s.padded
	share := heads / kv
	its := get[itemArg](c, a.Items, items)
	count := 0
	for _, it := range its {
		if it.P1 > it.P0 {
			count = max(count, int(it.Row0)+(int(it.P1)-1)/share+1)
		}
	}
	rows := get[rowArg](c, a.Info, count)
	q := get[uint16](c, a.Q, count*heads*padded)
	ck, cv := get[uint16](c, a.CanvasK, count*kv*padded), get[uint16](c, a.CanvasV, count*kv*padded)
	pages := get[int32](c, a.Pages, c.s.pages)
	return func() {
		out := c.x(a.Out, heads*c.s.hstride)
		done := map[[2]int]bool{}
		for _, it := range its {
			if it.Part > 0 || it.P0 >= it.P1 {
				continue
			}
			for pair := int(it.P0); pair < int(it.P1); pair++ {
				i := int(it.Row0) + pair/share
				r := rows[i]
				for g := range kv {
					h := g*share + pair%share
					done[[2]int{i, h}] = true
					var keys, values [][]uint16
					for pos := range int(r.Context) {
						at := driver.Ptr(2 * (int64(pages[int(it.Table)+pos/pageSize])*a.Page + int64((g*pageSize+pos%pageSize)*padded)))
						keys, values = append(keys, get[uint16](c, a.K+at, hd)), append(values, get[uint16](c, a.V+at, hd))
					}
					for j := int(r.Canvas0); r.Canvas == 1 && j < int(r.Canvas1); j++ {
						keys, values = append(keys, ck[(j*kv+g)*padded:][:hd]), append(values, cv[(j*kv+g)*padded:][:hd])
					}
					want, size := c.attend(q[(i*heads+h)*padded:][:hd], keys, values)
					for k := range want {
						col := h*c.s.hstride + k
						scale := out.scale[i][col]
						if c.s.fp8 && k%64 == 0 {
							most, slack := 0.0, 0.0
							for n := k; n < min(k+64, hd); n++ {
								most, slack = max(most, math.Abs(want[n])), max(slack, size[n])
							}
							if lo, hi := scale8(max(0, most-slack)), scale8(most+slack); scale < lo || scale > hi {
								panic(fmt.Errorf("scale of row %d, head %d is %g, want %g to %g", i, h, scale, lo, hi))
							}
						}
						c.hold("attention", out.v[i][col], want[k], size[k]+rounding(math.Abs(want[k])+size[k], scale), "row %d, head %d, column %d", i, h, k)
					}
					for k := hd; k < c.s.hstride; k++ {
						c.hold("attention", out.v[i][h*c.s.hstride+k], 0, 0, "padding of row %d, head %d", i, h)
					}
				}
			}
		}
		if len(done) != count*heads {
			panic(fmt.Errorf("%d of %d heads of rows were asked for", len(done), count*heads))
		}
	}
}

// attend is attention of one query, and what the kernel may be off by: weights are rounded to
// bf16 before they meet values, and are off by what scores are.
func (c *checker) attend(q []uint16, keys, values [][]uint16) (out, off []float64) {
	p := make([]float64, len(keys))
	best, slack := math.Inf(-1), 0.0
	for i, k := range keys {
		size := 0.0
		for d := range q {
			v := float64(widen(q[d])) * float64(widen(k[d]))
			p[i] += v
			size += math.Abs(v)
		}
		by := 1 / math.Sqrt(float64(len(q)))
		p[i] *= by
		slack = max(slack, within(len(q)+8, size)*by)
		best = max(best, p[i])
	}
	out, off = make([]float64, len(q)), make([]float64, len(q))
	sum := 0.0
	for i, v := range values {
		e := math.Exp(p[i] - best)
		sum += e
		for d := range out {
			out[d] += e * float64(widen(v[d]))
			off[d] += e * math.Abs(float64(widen(v[d])))
		}
	}
	for d := range out {
		out[d] /= sum
		off[d] *= (1.0/256 + 4*slack + float64(len(keys)+16)/(1<<22)) / sum
	}
	return out, off
}

func (c *checker) residual(kind string, g gemmArg, to streamArg, x activations) func() {
	head := get[headerArg](c, g.Head, 1)[0]
	rows, n := int(head.Rows), int(to.N)
	p := c.product(g, x, rows)
	before := get[float32](c, to.Y, rows*n)
	return func() {
		for i, got := range get[float32](c, to.Y, rows*n) {
			r, k := i/n, i%n
			want := float64(before[i]) + p.v[r][k]
			c.hold(kind, float64(got), want, within(p.n+8, p.size[r][k])+math.Abs(want)/(1<<23), "row %d, column %d", r, k)
		}
		c.stream(kind, to, rows, int(g.Stride))
	}
}

func (c *checker) mlp(a mlpArg) func() {
	head := get[headerArg](c, a.Up.Head, 1)[0]
	rows, ff := int(head.Rows), c.s.IntermediateSize
	p := c.product(a.Up, c.x(a.Up.X, c.s.HiddenSize), rows)
	rms := c.rms(a.Up, rows)
	n := int(a.To.N)
	before := get[float32](c, a.To.Y, rows*n)
	return func() {
		h := c.x(a.H, c.s.h*64)
		for r := range rows {
			for k := range c.s.h * 64 {
				if k >= ff {
					c.hold("mlp", h.v[r][k], 0, 0, "padding of h, row %d", r)
					continue
				}
				f := k/32*64 + k%32
				g, u := p.v[r][f]*rms[r], p.v[r][f+32]*rms[r]
				eg, eu := within(p.n+16, p.size[r][f])*rms[r], within(p.n+16, p.size[r][f+32])*rms[r]
				want := g / (1 + math.Exp(-g)) * u
				off := 1.1*eg*math.Abs(u) + math.Abs(g)*eu + eg*eu + math.Abs(want)/(1<<19)
				c.hold("mlp", h.v[r][k], want, off+rounding(math.Abs(want)+off, h.scale[r][k]), "h of row %d, column %d", r, k)
			}
		}
		p := c.product(a.Down, h, rows)
		for i, got := range get[float32](c, a.To.Y, rows*n) {
			r, k := i/n, i%n
			want := float64(before[i]) + p.v[r][k]
			c.hold("mlp", float64(got), want, within(p.n+8, p.size[r][k])+math.Abs(want)/(1<<23), "row %d, column %d", r, k)
		}
		c.stream("mlp", a.To, rows, int(a.Down.Stride))
	}
}

func (c *checker) head(a headArg) func() {
	h, rows := c.batch(a.G.Head, a.G.Info)
	p := c.product(a.G, c.x(a.G.X, c.s.HiddenSize), len(rows))
	rms := c.rms(a.G, len(rows))
	tiles, asked := int(a.G.Tiles), int(h.Asked)
	forbid := get[uint32](c, a.Forbid+driver.Ptr(4*h.Set*a.Words), up(int(a.Vocab), 32))
	return func() {
		best, ids, target := get[float32](c, a.Best, tiles*asked*3), get[int32](c, a.IDs, tiles*asked*2), get[float32](c, a.Target, asked)
		for r, row := range rows {
			if row.Ask < 0 {
				continue
			}
			logit := func(id int) (v, off float64) {
				v = p.v[r][id] * rms[r]
				return v, within(p.n+8, p.size[r][id])*rms[r] + math.Abs(v)/(1<<20)
			}
			free := func(id int) bool { return id < int(a.Vocab) && forbid[id/32]>>(id%32)&1 == 0 }
			for t := range tiles {
				at := t*asked + int(row.Ask)
				first, second, slack, left := math.Inf(-1), math.Inf(-1), 0.0, 0
				for id := t * 64; id < t*64+64; id++ {
					if !free(id) {
						continue
					}
					left++
					v, off := logit(id)
					slack = max(slack, off)
					if v > first {
						first, second = v, first
					} else {
						second = max(second, v)
					}
				}
				for n, want := range []float64{first, second} {
					id := int(ids[at*2+n])
					if (left > n) != (id >= 0) {
						panic(fmt.Errorf("row %d, tile %d: place %d is %d with %d tokens free", r, t, n, id, left))
					}
					if left > n {
						if !free(id) || id/64 != t {
							panic(fmt.Errorf("row %d, tile %d: token %d", r, t, id))
						}
						v, off := logit(id)
						c.hold("head", v, want, off+slack, "row %d, tile %d: the reference's logit of place %d", r, t, n)
						c.hold("head", float64(best[at*3+n]), v, off, "row %d, tile %d: logit of place %d", r, t, n)
					}
				}
				if left == 0 {
					continue
				}
				sum := 0.0
				for id := t * 64; id < t*64+64; id++ {
					if free(id) {
						v, _ := logit(id)
						sum += math.Exp(v - float64(best[at*3]))
					}
				}
				c.hold("head", float64(best[at*3+2]), sum, sum*(2*slack+64.0/(1<<22)), "row %d, tile %d: sum", r, t)
			}
			if id := int(row.Target); id >= 0 && free(id) {
				v, off := logit(id)
				c.hold("head", float64(target[row.Ask]), v, off, "row %d: the target's logit", r)
			}
		}
	}
}

func (c *checker) answer(a answerArg) func() {
	h := get[headerArg](c, a.Head, 1)[0]
	tiles, asked := int(a.Tiles), int(h.Asked)
	best, ids, target := get[float32](c, a.Best, tiles*asked*3), get[int32](c, a.IDs, tiles*asked*2), get[float32](c, a.Target, asked)
	return func() {
		out := get[float32](c, a.Out, asked*8)
		for i := range asked {
			first, second := -1, -1 // places in ids
			above := func(a, b int) bool {
				if b < 0 {
					return true
				}
				x, y := best[a/2*3+a%2], best[b/2*3+b%2]
				return x > y || x == y && ids[a] < ids[b]
			}
			for t := range tiles {
				for n := range 2 {
					at := (t*asked+i)*2 + n
					if ids[at] < 0 {
						continue
					}
					if above(at, first) {
						first, second = at, first
					} else if above(at, second) {
						second = at
					}
				}
			}
			sum := 0.0
			for t := range tiles {
				if at := t*asked + i; ids[at*2] >= 0 {
					sum += float64(best[at*3+2]) * math.Exp(float64(best[at*3])-float64(best[first/2*3]))
				}
			}
			o := out[i*8 : i*8+8]
			c.hold("answer", float64(o[0]), float64(best[first/2*3+first%2]), 0, "row %d: best logit", i)
			c.hold("answer", float64(math.Float32bits(o[4])), float64(uint32(ids[first])), 0, "row %d: best token", i)
			runner := int32(backend.NoToken)
			if second >= 0 {
				runner = ids[second]
				c.hold("answer", float64(o[1]), float64(best[second/2*3+second%2]), 0, "row %d: second logit", i)
			}
			c.hold("answer", float64(math.Float32bits(o[5])), float64(uint32(runner)), 0, "row %d: second token", i)
			c.hold("answer", float64(o[2]), sum, sum*float64(tiles+64)/(1<<22), "row %d: sum", i)
			c.hold("answer", float64(math.Float32bits(o[3])), float64(math.Float32bits(target[i])), 0, "row %d: target", i)
		}
	}
}
