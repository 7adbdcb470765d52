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

// source is one row of a packed product: a row of m, or zeros where m is nil.
type source func(i int) (m *model.Matrix, row int)

// pack lays [tiles*64, cols] out as kernels/gemm.cuh wants it, every column times norm's
// value (nil: 1). cols is padded to a multiple of 64.
func pack(tiles, cols int, norm []float32, from source) []byte {
	kt := up(cols, 64)
	out := make([]byte, tiles*kt*8192)
	each(tiles, func(t int) {
		for r := range 64 {
			m, row := from(t*64 + r)
			if m == nil {
				continue
			}
			for k := range cols {
				v := at(m, row, k)
				if norm != nil {
					v *= norm[k]
				}
				chunk := k % 64 / 8
				off := (t*kt+k/64)*8192 + r*128 + (chunk^r&7)*16 + k%8*2
				binary.LittleEndian.PutUint16(out[off:], bf16(v))
			}
		}
	})
	return out
}

// table is m row by row, padded to a multiple of 64 columns.
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
