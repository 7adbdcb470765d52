package cuda

import (
	"errors"
	"fmt"

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

// check holds weights to their config, value for value: they may have been built by hand.
func check(w *model.Weights) error {
	c := w.Config
	if err := c.Validate(); err != nil {
		return err
	}
	if len(w.Layers) != c.NumLayers {
		return fmt.Errorf("%d layers, num_hidden_layers is %d", len(w.Layers), c.NumLayers)
	}
	var errs []error
	vec := func(name string, v []float32, n int) {
		if len(v) != n {
			errs = append(errs, fmt.Errorf("%s has %d values, the config asks for %d", name, len(v), n))
		}
	}
	mat := func(name string, m model.Matrix, rows, cols int) {
		n := rows * cols
		floats, ints := m.I8 == nil && len(m.F32) == n, m.F32 == nil && len(m.I8) == n && len(m.Scale) == rows
		if m.Rows != rows || m.Cols != cols || !floats && !ints {
			errs = append(errs, fmt.Errorf("%s is [%d %d], the config asks for [%d %d]", name, m.Rows, m.Cols, rows, cols))
		}
	}
	headNorm := 0
	if c.QKNorm() {
		headNorm = c.HeadDim
	}
	d, ff, q, kv := c.HiddenSize, c.IntermediateSize, c.NumHeads*c.HeadDim, c.NumKVHeads*c.HeadDim
	mat("the embedding", w.Embed, c.VocabSize, d)
	vec("the final norm", w.Norm, d)
	if c.TieWordEmbeddings {
		mat("the head", w.Head, 0, 0)
	} else {
		mat("the head", w.Head, c.VocabSize, d)
	}
	for i, l := range w.Layers {
		at := func(name string) string { return fmt.Sprintf("layer %d: %s", i, name) }
		vec(at("input norm"), l.InputNorm, d)
		vec(at("post norm"), l.PostNorm, d)
		vec(at("q norm"), l.QNorm, headNorm)
		vec(at("k norm"), l.KNorm, headNorm)
		mat(at("q"), l.Q, q, d)
		mat(at("k"), l.K, kv, d)
		mat(at("v"), l.V, kv, d)
		mat(at("o"), l.O, d, q)
		mat(at("gate"), l.Gate, ff, d)
		mat(at("up"), l.Up, ff, d)
		mat(at("down"), l.Down, d, ff)
	}
	return errors.Join(errs...)
}
