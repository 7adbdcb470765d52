package cpu

import (
	"sync"
	"time"

	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
)

// Peaks are what the machine can do at most, measured with register-resident loops and
// a large sequential read, on the threads asked for at once.
type Peaks struct {
	FP32   float64 // flop/s
	BF16   float64 // flop/s; 0 where no hardware multiplies bfloat16
	Int8   float64 // integer operations/s of the instruction set's own multiply
	Memory float64 // bytes/s
}

// MeasurePeaks takes about half a second a figure. isa is a native set; empty: the best one.
func MeasurePeaks(isa string, threads int) Peaks {
	if isa == "" || isa == Reference {
		isa = Detect()[0]
	}
	threads = max(threads, 1)
	big := make([]byte, 256<<20)
	for i := 0; i < len(big); i += 4096 {
		big[i] = 1
	}
	part := len(big) / threads
	return Peaks{
		FP32: rate(threads, 200_000, func(_, n int) float64 { return kernels.PeakFP32(isa, n) }),
		BF16: rate(threads, 200_000, func(_, n int) float64 { return kernels.PeakBF16(n) }),
		Int8: rate(threads, 200_000, func(_, n int) float64 { return kernels.PeakInt8(isa, n) }),
		Memory: rate(threads, 1, func(w, n int) float64 {
			read := 0.0
			for range n {
				read += kernels.ReadAll(big[w*part : (w+1)*part])
			}
			return read
		}),
	}
}

// Int8Peak is [Peaks].Int8 alone, from 25 ms: good enough to choose by.
func Int8Peak(isa string, threads int) float64 {
	if isa == "" || isa == Reference {
		isa = Detect()[0]
	}
	return tried(4, 0.005, max(threads, 1), 50_000, func(_, n int) float64 { return kernels.PeakInt8(isa, n) })
}

// rate runs f on all threads at once for about 15 ms a try and gives the best of twelve
// tries, in f's units a second: short tries dodge what else the machine does.
func rate(threads, n int, f func(w, n int) float64) float64 { return tried(12, 0.015, threads, n, f) }

// tried is rate with the tries that count and their length in seconds.
func tried(tries int, length float64, threads, n int, f func(w, n int) float64) float64 {
	best := 0.0
	for try := range tries + 1 {
		done := make([]float64, threads)
		start := time.Now()
		var wg sync.WaitGroup
		for w := range threads {
			wg.Go(func() { done[w] = f(w, n) })
		}
		wg.Wait()
		sec := time.Since(start).Seconds()
		sum := 0.0
		for _, d := range done {
			sum += d
		}
		if try > 0 {
			best = max(best, sum/sec)
		}
		if sum == 0 {
			return 0 // no such hardware
		}
		n = max(1, int(float64(n)*length/max(sec, 1e-6)))
	}
	return best
}
