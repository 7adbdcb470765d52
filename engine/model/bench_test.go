package model

import "testing"

// BenchmarkLoad is the start-up cost of a 30 M parameter model from memory.
func BenchmarkLoad(b *testing.B) {
	c := tinyConfig()
	c.HiddenSize, c.IntermediateSize, c.NumLayers, c.NumHeads, c.NumKVHeads, c.HeadDim = 512, 1408, 9, 8, 4, 64
	c.VocabSize = 8192
	k := 0
	w := randomWeights(c, func() float32 { k++; return float32(k%255)/127 - 1 })
	for _, dt := range []DType{F32, BF16, I8} {
		b.Run(dt.String(), func(b *testing.B) {
			cfg, weights := files(b, w, dt)
			fsys := dirOf(cfg, weights)
			b.SetBytes(int64(len(weights)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := LoadFS(fsys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Quantize", func(b *testing.B) {
		for b.Loop() {
			w.Quantize()
		}
	})
}

// BenchmarkExpand is what a start waits for beyond reading: a matrix of 5 bits made int8.
// BenchmarkLoad/I8 has bytes that need no work.
func BenchmarkExpand(b *testing.B) {
	m := Matrix{Rows: 1536, Cols: 576, F32: make([]float32, 1536*576)}
	for i := range m.F32 {
		m.F32[i] = float32(i%251)/125 - 1
	}
	q := m.group(5)
	b.SetBytes(int64(len(m.F32)))
	for b.Loop() {
		if _, err := q.Groups.expand(m.Rows, m.Cols); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRound is what a trainer with weight_bits does to every weight after each step.
func BenchmarkRound(b *testing.B) {
	row := make([]float32, 576)
	for i := range row {
		row[i] = float32(i*i%251)/125 - 1
	}
	dst, codes, factor := make([]int8, 576), make([]uint8, 576), make([]uint8, 9)
	b.SetBytes(576)
	for b.Loop() {
		RoundRow(dst, codes, factor, row, 5)
	}
}
