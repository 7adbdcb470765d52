package model

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Matrices may be stored in 4 to 6 bits a weight. In memory they are int8 as all others:
// groups only say which of the 255 values a weight may take. Of a row, in units of its
// scale, weight i of group g is
//
//	sign(q)·(|q|·f / 2^(bits−1), rounded),  q = code − most,  most = 2^(bits−1) − 1
//
// with a code of bits bits for each weight and a factor f of a byte for each [GroupSize] of
// them. So the kernels know nothing of it, and a product stays an exact sum of integers;
// what is saved is the file. Rounding to so few values is no small thing for a small
// model: one that was trained through it (train.Settings.WeightBits) loses least.
const (
	GroupSize = 64
	MinBits   = 4
	MaxBits   = 6

	factorSuffix = "_factor"
)

// Groups is how a matrix is stored in less than 8 bits a weight.
type Groups struct {
	Bits   int
	Codes  []byte  // [Rows, ceil(Cols·Bits/8)], least significant bit first
	Factor []uint8 // [Rows, ceil(Cols/GroupSize)], not 0
}

// rowBytes is the number of bytes that a row's codes take.
func rowBytes(cols, bits int) int { return (cols*bits + 7) / 8 }

// rowGroups is the number of a row's groups.
func rowGroups(cols int) int { return (cols + GroupSize - 1) / GroupSize }

// reach is the share of a group's range that its codes reach to: the largest weights are cut
// off a little and buy a finer step for all others. Of normal weights these lose least; a
// search for each group's own, among five, saved 2.4 % of what is lost in 4 bits, 0.4 % in 5,
// nothing in 6, and took almost four times as long.
var reach = [...]float64{4: 0.92, 5: 0.96, 6: 1}

// RoundRow writes row as int8 on the grid of bits (4..6) to dst and returns its scale.
// codes and factor, of at least len(row) and a value for each group, come to hold the codes
// and factors. A row of zeros has scale 0. The values must be finite.
func RoundRow(dst []int8, codes, factor []uint8, row []float32, bits int) (scale float32) {
	most := 1<<(bits-1) - 1
	largest := float32(0)
	for _, f := range row {
		largest = max(largest, float32(math.Abs(float64(f))))
	}
	scale = float32(float64(largest) / 127)
	if scale == 0 || 1/scale > math.MaxFloat32 { // zeros, or too small to be divided by
		clear(dst)
		for i := range row {
			codes[i] = uint8(most)
		}
		for g := range rowGroups(len(row)) {
			factor[g] = 1
		}
		return 0
	}
	inv := 1 / scale
	for g := range rowGroups(len(row)) {
		lo, hi := g*GroupSize, min((g+1)*GroupSize, len(row))
		factor[g] = roundGroup(dst[lo:hi], codes[lo:hi], row[lo:hi], inv, bits)
	}
	return scale
}

// roundGroup is RoundRow for one group. A trainer runs it over all its weights after every
// step: hence no calls, and shifts where the format has quotients.
func roundGroup(dst []int8, codes []uint8, row []float32, inv float32, bits int) uint8 {
	most := 1<<(bits-1) - 1
	shift, half, end := uint(bits-1), int32(1)<<(bits-2), float32(most)
	top := float32(0)
	for _, f := range row {
		top = max(top, float32(math.Abs(float64(f*inv))))
	}
	f := int32(float64(top)*reach[bits]*float64(most+1)/float64(most) + 0.5)
	f = min(max(f, 1), int32(largestFactor(most)))
	per := float32(most+1) / float32(f) * inv
	for i, x := range row {
		a := float32(math.Abs(float64(x)))
		q := int32(min(a*per+0.5, end))
		v := (q*f + half) >> shift
		if x < 0 {
			q, v = -q, -v
		}
		codes[i], dst[i] = uint8(q+int32(most)), int8(v)
	}
	return uint8(f)
}

// largestFactor keeps every value of a group within ±127.
func largestFactor(most int) int { return 127 * (most + 1) / most }

// group is Quantize for one matrix that will be stored in bits a weight.
func (m *Matrix) group(bits int) Matrix {
	q := Matrix{Rows: m.Rows, Cols: m.Cols, I8: make([]int8, len(m.F32)), Scale: make([]float32, m.Rows)}
	rb, rg := rowBytes(m.Cols, bits), rowGroups(m.Cols)
	q.Groups = &Groups{Bits: bits, Codes: make([]byte, m.Rows*rb), Factor: make([]uint8, m.Rows*rg)}
	codes := make([]uint8, m.Cols)
	for r := range m.Rows {
		at := r * m.Cols
		q.Scale[r] = RoundRow(q.I8[at:at+m.Cols], codes, q.Groups.Factor[r*rg:(r+1)*rg], m.F32[at:at+m.Cols], bits)
		pack(q.Groups.Codes[r*rb:(r+1)*rb], codes, bits)
	}
	return q
}

// pack writes codes of bits each, least significant bit first.
func pack(dst []byte, codes []uint8, bits int) {
	acc, have, at := uint32(0), 0, 0
	for _, c := range codes {
		acc |= uint32(c) << have
		for have += bits; have >= 8; have -= 8 {
			dst[at] = byte(acc)
			acc >>= 8
			at++
		}
	}
	if have > 0 {
		dst[at] = byte(acc)
	}
}

// expand makes the int8 values of a matrix that was read. A server waits for it when it
// starts, so it goes over eight codes at a time, and over rows on all processors.
func (g *Groups) expand(rows, cols int) ([]int8, error) {
	most := 1<<(g.Bits-1) - 1
	last := largestFactor(most)
	for i, f := range g.Factor {
		if f == 0 || int(f) > last {
			return nil, fmt.Errorf("factor %d of row %d is %d, outside 1..%d", i%rowGroups(cols), i/rowGroups(cols), f, last)
		}
	}
	// The values of all codes at each factor. The code above the largest stands for none.
	table := make([][1 << MaxBits]int8, last+1)
	for f := range table {
		for c := range 2*most + 1 {
			v := (max(c-most, most-c)*f + (most+1)/2) / (most + 1)
			if c < most {
				v = -v
			}
			table[f][c] = int8(v)
		}
		table[f][2*most+1] = -128
	}
	out := make([]int8, rows*cols)
	parts := min(runtime.GOMAXPROCS(0), 1+rows*cols>>18)
	var all sync.WaitGroup
	for w := range parts {
		all.Go(func() {
			rb, rg := rowBytes(cols, g.Bits), rowGroups(cols)
			for r := rows * w / parts; r < rows*(w+1)/parts; r++ {
				g.expandRow(out[r*cols:(r+1)*cols], g.Codes[r*rb:(r+1)*rb], g.Factor[r*rg:(r+1)*rg], table)
			}
		})
	}
	all.Wait()
	if i := lowest(out); i >= 0 {
		return nil, fmt.Errorf("code %d of row %d is %d, outside 0..%d", i%cols, i/cols, 2*most+1, 2*most)
	}
	return out, nil
}

// expandRow is expand for one row.
func (g *Groups) expandRow(row []int8, codes []byte, factor []uint8, table [][1 << MaxBits]int8) {
	bits, mask := uint(g.Bits), uint64(1)<<g.Bits-1
	for i := 0; i < len(row); i += 8 { // groups are whole eights
		values := &table[factor[i/GroupSize]]
		var acc uint64
		if len(codes) >= 8 {
			acc = binary.LittleEndian.Uint64(codes)
		} else {
			var eight [8]byte
			copy(eight[:], codes)
			acc = binary.LittleEndian.Uint64(eight[:])
		}
		if i+8 <= len(row) {
			codes = codes[g.Bits:]
			dst := row[i : i+8 : i+8]
			for k := range dst {
				dst[k] = values[acc&mask&(1<<MaxBits-1)]
				acc >>= bits
			}
			continue
		}
		for k := range row[i:] {
			row[i+k] = values[acc&mask&(1<<MaxBits-1)]
			acc >>= bits
		}
	}
}

// bitsOf tells how many bits a code has in a row of cols whose codes take n bytes; 0: no
// number that is stored. Rows are long enough that there is one answer (see [Weights.QuantizeTo]).
func bitsOf(cols int, n int64) int {
	for b := MinBits; b <= MaxBits; b++ {
		if int64(rowBytes(cols, b)) == n {
			return b
		}
	}
	return 0
}
