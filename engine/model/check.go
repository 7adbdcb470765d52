package model

import (
	"errors"
	"fmt"
)

// Check holds weights to their config, value for value: they may have been built by hand (the
// trainer does), and a device reads as many as the config says.
func (w *Weights) Check() error {
	c := w.Config
	if len(w.Layers) != c.NumLayers {
		return fmt.Errorf("%d layers, num_hidden_layers is %d", len(w.Layers), c.NumLayers)
	}
	var errs []error
	vec := func(name string, v []float32, n int) {
		if len(v) != n {
			errs = append(errs, fmt.Errorf("%s has %d values, the config asks for %d", name, len(v), n))
		}
	}
	mat := func(name string, m Matrix, rows, cols int) {
		n := rows * cols
		floats, ints := m.I8 == nil && len(m.F32) == n, m.F32 == nil && len(m.I8) == n && len(m.Scale) == rows
		if m.Rows != rows || m.Cols != cols || !floats && !ints {
			errs = append(errs, fmt.Errorf("%s is [%d %d] with %d F32, %d I8 and %d scales, the config asks for [%d %d] of one kind",
				name, m.Rows, m.Cols, len(m.F32), len(m.I8), len(m.Scale), rows, cols))
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
		mat("the head, which is the embedding,", w.Head, 0, 0)
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
