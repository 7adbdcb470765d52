package model

import (
	"fmt"
	"math"
	"slices"
)

// Quantize returns w with every matrix (embedding and head included) as int8: symmetric,
// one scale per output row, scale = largest |value| of the row / 127, values divided by
// their scale (in float64) and rounded to nearest, ties to even. So no value is further
// than half a scale from what it was. A row of zeros has scale 0.
//
// Vectors, and matrices that are int8 already, are shared with w. The values must be finite.
func (w *Weights) Quantize() *Weights {
	q := *w
	q.Layers = make([]Layer, len(w.Layers))
	copy(q.Layers, w.Layers)
	for _, s := range q.slots() {
		if s.mat != nil && s.mat.F32 != nil {
			*s.mat = s.mat.quantize()
		}
	}
	return &q
}

// QuantizeTo is Quantize with the matrices of the layers on the grid of bits (4..6; 8 is
// Quantize), as [Groups] has it: the file then takes so many bits a weight, and 8 for each
// [GroupSize] of them. Embedding and head stay int8. A matrix of less than 8 columns does, too.
func (w *Weights) QuantizeTo(bits int) (*Weights, error) {
	if bits == 8 {
		return w.Quantize(), nil
	}
	if bits < MinBits || bits > MaxBits {
		return nil, fmt.Errorf("%d bits a weight: 4, 5, 6 or 8 are stored", bits)
	}
	q := *w
	q.Layers = slices.Clone(w.Layers)
	for _, s := range q.slots() {
		if s.mat != nil && s.mat != &q.Embed && s.mat != &q.Head && s.cols >= 8 {
			floats := Matrix{Rows: s.rows, Cols: s.cols, F32: s.mat.floats()}
			*s.mat = floats.group(bits)
		}
	}
	return q.Quantize(), nil
}

func (m *Matrix) quantize() Matrix {
	q := Matrix{Rows: m.Rows, Cols: m.Cols, I8: make([]int8, len(m.F32)), Scale: make([]float32, m.Rows)}
	for r := range m.Rows {
		row := m.F32[r*m.Cols : (r+1)*m.Cols]
		q.Scale[r] = quantizeRow(q.I8[r*m.Cols:(r+1)*m.Cols], row)
	}
	return q
}

// quantizeRow writes row as int8 to dst and returns its scale.
func quantizeRow(dst []int8, row []float32) (scale float32) {
	most := float32(0)
	for _, f := range row {
		most = max(most, float32(math.Abs(float64(f))))
	}
	if most == 0 {
		clear(dst)
		return 0
	}
	scale = float32(float64(most) / 127)
	// Near the smallest subnormals a scale is too coarse to be rounded down: 127 of them
	// must reach the row's largest value within half a step.
	if float64(scale)*127.5 <= float64(most) {
		scale = math.Nextafter32(scale, math.MaxFloat32)
	}
	for i, f := range row {
		dst[i] = int8(math.RoundToEven(float64(f) / float64(scale)))
	}
	return scale
}

// floats is the matrix as float32: its own slice, or int8 expanded into a new one.
func (m *Matrix) floats() []float32 {
	if m.F32 != nil {
		return m.F32
	}
	v := make([]float32, len(m.I8))
	for r, scale := range m.Scale {
		for i := r * m.Cols; i < (r+1)*m.Cols; i++ {
			v[i] = scale * float32(m.I8[i])
		}
	}
	return v
}
