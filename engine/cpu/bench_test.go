package cpu

import (
	"context"
	"fmt"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
)

// BenchmarkMatMul reports int8 products on one thread as a share of the int8 peak that
// the same run measured, activation quantization included.
func BenchmarkMatMul(b *testing.B) {
	isa := nativeSets()[0]
	for _, s := range [][2]int{{768, 256}, {256, 768}, {2048, 512}} {
		w := kernels.Matrix{Rows: s[0], Cols: s[1], I8: make([]int8, s[0]*s[1]), Scale: make([]float32, s[0])}
		for i := range w.I8 {
			w.I8[i] = int8(i % 100)
		}
		p, err := kernels.Pack(isa, w)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range []int{1, 8, 16, 32} {
			b.Run(fmt.Sprintf("%s/%dx%d/m%d", isa, s[0], s[1], m), func(b *testing.B) {
				peak := MeasurePeaks(isa, 1).Int8
				x := make([]float32, m*s[1])
				for i := range x {
					x[i] = float32(i%17) - 8
				}
				b.ResetTimer()
				p.Run(m, b.N, x)
				ops := 2 * float64(m) * float64(s[0]) * float64(s[1]) * float64(b.N) / b.Elapsed().Seconds()
				b.ReportMetric(ops/1e9, "Gop/s")
				b.ReportMetric(ops/peak*100, "%peak")
			})
		}
		p.Close()
	}
}

// BenchmarkForward times whole passes of the golden-shaped network at depth 40.
func BenchmarkForward(b *testing.B) {
	for _, isa := range Detect() {
		for _, n := range []int{1, 8, 16} {
			b.Run(fmt.Sprintf("%s/canvas%d", isa, n), func(b *testing.B) {
				be, err := New(golden(b), Options{ISA: isa})
				if err != nil {
					b.Fatal(err)
				}
				defer be.Close()
				s, _ := be.Fork(backend.Root)
				var rows []backend.Row
				for i := range 40 {
					rows = append(rows, backend.Row{Seq: s, Token: 20, Pos: int32(i)})
				}
				ctx := context.Background()
				if _, err := be.Forward(ctx, backend.Batch{Rows: rows}); err != nil {
					b.Fatal(err)
				}
				rows = rows[:0]
				for i := range n {
					rows = append(rows, backend.Row{Seq: s, Pos: int32(40 + i), Kind: backend.Canvas, Want: backend.WantTop})
				}
				b.ResetTimer()
				for range b.N {
					if _, err := be.Forward(ctx, backend.Batch{Rows: rows}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
