package model

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// Every value stays within half a scale, -128 never comes, the largest of a row is ±127.
// A rounding mistake here costs accuracy everywhere and shows in no other test.
func TestQuantizeRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SliceOfN(rapid.OneOf(
			rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32),
			rapid.Float32Range(-1, 1),
			rapid.Float32Range(-1e-42, 1e-42), // subnormal
		), 1, 50).Draw(t, "row")
		dst := make([]int8, len(row))
		scale := quantizeRow(dst, row)
		most, largest := 0.0, 0
		for _, f := range row {
			most = max(most, math.Abs(float64(f)))
		}
		if !finite(scale) || scale < 0 || (scale == 0) != (most == 0) {
			t.Fatalf("scale %v of a row up to %v", scale, most)
		}
		for i, f := range row {
			largest = max(largest, int(dst[i]), -int(dst[i]))
			// Exactly: |f - scale·q| ≤ scale/2 (1 + 2^-50).
			off := new(big.Float).SetPrec(400).Mul(big.NewFloat(float64(scale)), big.NewFloat(float64(dst[i])))
			off.Sub(big.NewFloat(float64(f)), off).Abs(off)
			if limit := float64(scale) / 2 * (1 + 0x1p-50); off.Cmp(big.NewFloat(limit)) > 0 || dst[i] == -128 {
				t.Fatalf("%v became %d · %v", f, dst[i], scale)
			}
		}
		if most > 1e-38 && largest != 127 {
			t.Fatalf("the largest value became %d", largest)
		}
	})
}

func TestQuantizeTies(t *testing.T) {
	row := []float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 0}
	want := []int8{127, 0, 2, 2, 0, -2, -2, 0, 0}
	got := make([]int8, len(row))
	if s := quantizeRow(got, row); s != 1 {
		t.Fatalf("scale %v", s)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v became %d, want %d", row[i], got[i], want[i])
		}
	}
	if s := quantizeRow(got[:2], []float32{0, float32(math.Copysign(0, -1))}); s != 0 || got[0] != 0 || got[1] != 0 {
		t.Errorf("a row of zeros: scale %v, %v", s, got[:2])
	}
}

// Quantize must leave the floats alone: the trainer goes on with them.
func TestQuantizeKeepsSource(t *testing.T) {
	c := tinyConfig()
	c.TieWordEmbeddings = false
	k := 0
	w := randomWeights(c, func() float32 { k++; return float32(k%17) - 8 })
	q := w.Quantize()
	for i, s := range w.slots() {
		r := q.slots()[i]
		if s.mat != nil && (s.mat.F32 == nil || s.mat.I8 != nil || r.mat.I8 == nil || r.mat.F32 != nil) {
			t.Errorf("%s: source F32 %v, result I8 %v", s.name, s.mat.F32 != nil, r.mat.I8 != nil)
		}
	}
	if err := q.check(); err != nil {
		t.Error(err)
	}
	if q.Parameters() != w.Parameters() {
		t.Errorf("%d parameters became %d", w.Parameters(), q.Parameters())
	}
	if &q.Quantize().Embed.I8[0] != &q.Embed.I8[0] {
		t.Error("int8 was quantized again")
	}
}
