package cuda

import (
	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine/model"
)

// matrix is where a product's weights lie, and their scales (0 in bf16).
type matrix struct{ w, scale driver.Ptr }

// layer is where a layer's weights lie.
type layer struct {
	qkv, out, gate, down matrix
	qnorm, knorm         driver.Ptr // 0 without QK-norm
}

// weights is where a network lies on the device.
type weights struct {
	table, rope driver.Ptr
	head        matrix
	layers      []layer
}

// place lays the network out in r, and writes it if put is not nil.
func (s *shape) place(w *model.Weights, r *region, put func(driver.Ptr, []byte) error) (weights, error) {
	var out weights
	var failed error
	write := func(p driver.Ptr, b []byte) {
		if put != nil && failed == nil && len(b) > 0 {
			failed = put(p, b)
		}
	}
	add := func(n int, data func() []byte) driver.Ptr {
		p := driver.Ptr(r.take(n))
		if put != nil && failed == nil {
			write(p, data())
		}
		return p
	}
	product := func(p packing) (m matrix) {
		p.fp8 = s.fp8
		n, scales := p.size()
		m.w = driver.Ptr(r.take(n))
		if scales > 0 {
			m.scale = driver.Ptr(r.take(scales))
		}
		if put != nil && failed == nil {
			a, b := p.pack()
			write(m.w, a)
			write(m.scale, b)
		}
		return m
	}
	of := func(m *model.Matrix) source {
		return func(i int) (*model.Matrix, int) {
			if i >= m.Rows {
				return nil, 0
			}
			return m, i
		}
	}
	vec := func(v []float32) driver.Ptr { return add(4*len(v), func() []byte { return encode(v) }) }
	d, hd := s.HiddenSize, s.HeadDim
	out.table = add(s.VocabSize*s.d*128, func() []byte { return table(&w.Embed) })
	for i := range w.Layers {
		l := &w.Layers[i]
		var o layer
		o.qkv = product(packing{tiles: s.qkvTiles, cols: d, norm: l.InputNorm, from: func(i int) (*model.Matrix, int) {
			head, f := i/(s.group*64), i%(s.group*64)
			m := &l.Q
			if head >= s.NumHeads {
				m, head = &l.K, head-s.NumHeads
				if head >= s.NumKVHeads {
					m, head = &l.V, head-s.NumKVHeads
				}
			}
			if f >= hd {
				return nil, 0
			}
			return m, head*hd + f
		}})
		if s.QKNorm() {
			o.qnorm, o.knorm = vec(l.QNorm), vec(l.KNorm)
		}
		o.out = product(packing{tiles: s.d, cols: s.NumHeads * s.hstride, from: of(&l.O), column: func(k int) int {
			head, f := k/s.hstride, k%s.hstride
			if f >= hd {
				return -1
			}
			return head*hd + f
		}})
		o.gate = product(packing{tiles: s.gateTiles, cols: d, norm: l.PostNorm, from: func(i int) (*model.Matrix, int) {
			m, f := &l.Gate, i/64*32+i%32
			if i%64 >= 32 {
				m = &l.Up
			}
			if f >= s.IntermediateSize {
				return nil, 0
			}
			return m, f
		}})
		o.down = product(packing{tiles: s.d, cols: s.IntermediateSize, from: of(&l.Down)})
		out.layers = append(out.layers, o)
	}
	head := &w.Head
	if s.TieWordEmbeddings {
		head = &w.Embed // packed a second time, with the norm folded in
	}
	out.head = product(packing{tiles: s.vocabTiles, cols: d, norm: w.Norm, from: of(head)})
	out.rope = add(4*s.positions*hd, func() []byte {
		return encode(s.RopeTable(s.positions, make([]float32, s.positions*hd)))
	})
	return out, failed
}
