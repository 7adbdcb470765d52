package cuda

import (
	"encoding/binary"
	"math"
	"runtime"
	"sync"

	"github.com/seedling-lsp/seedling/engine/model"
)

// bf16 rounds to nearest even. Weights are finite.
func bf16(f float32) uint16 {
	u := math.Float32bits(f)
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// widen is what 16 bits of bf16 say.
func widen(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// e4m3Max is the greatest value of e4m3, which has no infinity.
const e4m3Max = 448

// e4m3 rounds to nearest even: a sign, 4 bits of exponent (bias 7), 3 of mantissa. What is
// beyond 448 becomes 448.
func e4m3(f float32) byte {
	sign := byte(math.Float32bits(f) >> 24 & 0x80)
	f = float32(math.Abs(float64(f)))
	switch {
	case f >= e4m3Max:
		return sign | 0x7e
	case f < 1.0/64: // below the smallest normal number, in steps of 2^-9
		return sign | byte(math.RoundToEven(float64(f)*512))
	}
	u := math.Float32bits(f)
	u += 1<<19 - 1 + u>>20&1
	return sign | byte((u>>20)-(127-7)<<3)
}

// e4m3Value is what a byte of e4m3 says.
func e4m3Value(b byte) float32 {
	v := float32(b&7) / 512
	if e := int(b >> 3 & 15); e > 0 {
		v = float32(math.Ldexp(1+float64(b&7)/8, e-7))
	}
	if b&0x80 != 0 {
		return -v
	}
	return v
}

// source is one row of a packed product: a row of m, or zeros where m is nil.
type source func(i int) (m *model.Matrix, row int)

// packing says how a product's weights are laid out for kernels/gemm.cuh.
type packing struct {
	tiles, cols int       // cols of the kernel's k, without padding
	norm        []float32 // times every column; nil: 1
	from        source
	column      func(k int) int // of the matrix; -1: zero. nil: k
	fp8         bool
}

// unit is how many columns a step of 128 bytes holds.
func unit(fp8 bool) int {
	if fp8 {
		return 128
	}
	return 64
}

// size is the bytes of the weights, and of their scales.
func (p *packing) size() (weights, scales int) {
	if p.fp8 {
		scales = p.tiles * 256
	}
	return p.tiles * up(p.cols, unit(p.fp8)) * 8192, scales
}

// pack makes them. A scale is a feature's largest weight over 448; of a feature that is
// zero it is 0.
func (p *packing) pack() (weights, scales []byte) {
	n, m := p.size()
	steps, per := up(p.cols, unit(p.fp8)), unit(p.fp8)
	weights, scales = make([]byte, n), make([]byte, m)
	each(p.tiles, func(t int) {
		line := make([]float32, p.cols)
		for r := range 64 {
			m, row := p.from(t*64 + r)
			if m == nil {
				continue
			}
			most := float32(0)
			for k := range line {
				c := k
				if p.column != nil {
					c = p.column(k)
				}
				line[k] = 0
				if c >= 0 {
					line[k] = at(m, row, c)
				}
				if p.norm != nil {
					line[k] *= p.norm[k]
				}
				most = max(most, line[k], -line[k])
			}
			scale := most / e4m3Max
			if p.fp8 {
				binary.LittleEndian.PutUint32(scales[(t*64+r)*4:], math.Float32bits(scale))
			}
			for k, v := range line {
				off := (t*steps+k/per)*8192 + r*128
				if p.fp8 {
					if scale > 0 {
						weights[off+(k%128/16^r&7)*16+k%16] = e4m3(v / scale)
					}
				} else {
					binary.LittleEndian.PutUint16(weights[off+(k%64/8^r&7)*16+k%8*2:], bf16(v))
				}
			}
		}
	})
	return weights, scales
}

// table is m row by row in bf16, padded to a multiple of 64 columns.
func table(m *model.Matrix) []byte {
	w := up(m.Cols, 64) * 64
	out := make([]byte, m.Rows*w*2)
	each(up(m.Rows, 64), func(t int) {
		for r := t * 64; r < min(m.Rows, t*64+64); r++ {
			for k := range m.Cols {
				binary.LittleEndian.PutUint16(out[(r*w+k)*2:], bf16(at(m, r, k)))
			}
		}
	})
	return out
}

func at(m *model.Matrix, r, c int) float32 {
	if m.I8 != nil {
		return m.Scale[r] * float32(m.I8[r*m.Cols+c])
	}
	return m.F32[r*m.Cols+c]
}

// up is n/unit, rounded up.
func up(n, unit int) int { return (n + unit - 1) / unit }

// each runs f for 0 to n-1 on all cores.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	cores := min(n, runtime.NumCPU())
	for c := range cores {
		wg.Go(func() {
			for i := c; i < n; i += cores {
				f(i)
			}
		})
	}
	wg.Wait()
}
