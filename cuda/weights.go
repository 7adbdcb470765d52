package cuda

import (
	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine/model"
)

// layer is where a layer's weights lie.
type layer struct {
	qkv, out, gate, down driver.Ptr
	qnorm, knorm         driver.Ptr // 0 without QK-norm
}

// weights is where a network lies on the device.
type weights struct {
	table, head, rope driver.Ptr
	layers            []layer
}

// place lays the network out in r, and writes it if put is not nil.
func (s *shape) place(w *model.Weights, r *region, put func(driver.Ptr, []byte) error) (weights, error) {
	var out weights
	var failed error
	add := func(n int, data func() []byte) driver.Ptr {
		p := driver.Ptr(r.take(n))
		if put != nil && failed == nil {
			failed = put(p, data())
		}
		return p
	}
	product := func(tiles, cols int, norm []float32, from source) driver.Ptr {
		return add(tiles*up(cols, 64)*8192, func() []byte { return pack(tiles, cols, norm, from) })
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
		o.qkv = product(s.qkvTiles, d, l.InputNorm, func(i int) (*model.Matrix, int) {
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
		})
		if s.QKNorm() {
			o.qnorm, o.knorm = vec(l.QNorm), vec(l.KNorm)
		}
		o.out = product(s.d, s.NumHeads*hd, nil, of(&l.O))
		o.gate = product(s.gateTiles, d, l.PostNorm, func(i int) (*model.Matrix, int) {
			m, f := &l.Gate, i/64*32+i%32
			if i%64 >= 32 {
				m = &l.Up
			}
			if f >= s.IntermediateSize {
				return nil, 0
			}
			return m, f
		})
		o.down = product(s.d, s.IntermediateSize, nil, of(&l.Down))
		out.layers = append(out.layers, o)
	}
	head := &w.Head
	if s.TieWordEmbeddings {
		head = &w.Embed // packed a second time, with the norm folded in
	}
	out.head = product(s.vocabTiles, d, w.Norm, of(head))
	out.rope = add(4*s.positions*hd, func() []byte {
		return encode(s.RopeTable(s.positions, make([]float32, s.positions*hd)))
	})
	return out, failed
}
