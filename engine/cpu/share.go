package cpu

import (
	"sync"
	"time"

	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
)

// GEMMRate measures int8 products of m rows with a weight of 768×768, packed once, on
// all threads at once (each with a weight of its own, as a pass divides its panels), in
// operations/s: activation quantization and scales included.
func GEMMRate(isa string, m, threads int) (float64, error) {
	if isa == "" || isa == Reference {
		isa = Detect()[0]
	}
	threads = max(threads, 1)
	const d = 768
	w := kernels.Matrix{Rows: d, Cols: d, I8: make([]int8, d*d), Scale: make([]float32, d)}
	for i := range w.I8 {
		w.I8[i] = int8(i*31%255 - 127)
	}
	x := make([]float32, m*d)
	for i := range x {
		x[i] = float32(i%23) - 11
	}
	packed := make([]*kernels.Packed, threads)
	for i := range packed {
		p, err := kernels.Pack(isa, w)
		if err != nil {
			return 0, err
		}
		defer p.Close()
		packed[i] = p
	}
	best, n := 0.0, 20
	for try := range 13 {
		start := time.Now()
		var wg sync.WaitGroup
		for _, p := range packed {
			wg.Go(func() { p.Run(m, n, x) })
		}
		wg.Wait()
		sec := time.Since(start).Seconds()
		if try > 0 {
			best = max(best, 2*float64(m*d*d*n*threads)/sec)
		}
		n = max(1, int(float64(n)*0.015/max(sec, 1e-6)))
	}
	return best, nil
}
