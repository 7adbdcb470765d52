package cpu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
)

// benchSets are what this machine runs itself, best first.
func benchSets() []string {
	d := Detect()
	return d[:len(d)-1]
}

var peakOf = func() func(isa string) Peaks {
	var mu sync.Mutex
	known := map[string]Peaks{}
	return func(isa string) Peaks {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := known[isa]; !ok {
			known[isa] = MeasurePeaks(isa, 1)
		}
		return known[isa]
	}
}()

// BenchmarkMatMul reports int8 products on one thread as a share of the int8 peak that
// the same run measured, activation quantization and scales included.
func BenchmarkMatMul(b *testing.B) {
	for _, isa := range benchSets() {
		for _, s := range [][2]int{{512, 256}, {1536, 256}, {256, 768}, {768, 768}, {2048, 512}} {
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
					peak := peakOf(isa).Int8
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
}

// BenchmarkForward times whole passes of a network of the built-in model's size (random
// weights) behind 256 tokens of context: one context row, and canvases that ask for all
// their rows.
func BenchmarkForward(b *testing.B) {
	w := random(b, dims{256, 768, 6, 4, 2, 64, 8192})
	const depth = 256
	for _, isa := range benchSets() {
		for _, threads := range []int{1, 2} {
			be, err := New(w, Options{ISA: isa, Threads: threads})
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			r := rand.New(rand.NewPCG(1, 1))
			s, err := be.Fork(backend.Root)
			if err != nil {
				b.Fatal(err)
			}
			for at := 0; at < depth; at += 64 {
				if _, err := be.Forward(ctx, backend.Batch{Rows: line(s, backend.Context, at, some(r, 64)...)}); err != nil {
					b.Fatal(err)
				}
			}
			time := func(name string, rows []backend.Row) {
				b.Run(fmt.Sprintf("%s/threads%d/%s", isa, threads, name), func(b *testing.B) {
					for range b.N {
						if _, err := be.Forward(ctx, backend.Batch{Rows: rows, Forbid: []backend.TokenID{0}}); err != nil {
							b.Fatal(err)
						}
						if err := be.Truncate(s, depth); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			time("context1", line(s, backend.Context, depth, 20))
			for _, n := range []int{8, 16, 32} {
				time(fmt.Sprintf("canvas%d", n), line(s, backend.Canvas, depth, make([]backend.TokenID, n)...))
			}
			prefill := line(s, backend.Context, depth, some(r, 256)...)
			for i := range prefill {
				prefill[i].Want = 0
			}
			time("prefill256", prefill)
			be.Close()
		}
	}
}
