package kernels

import "time"

// Peak measures what the units that Gemm uses (PeakKind) can do on this machine, in
// flop/s, with a register-resident loop on that many threads at once: the best of three
// runs of about 50 ms. It is the denominator of every "share of peak" that training
// reports.
func (o *Ops) Peak(threads int) float64 {
	best := 0.0
	iters := 200_000
	for run := 0; run < 4; run++ {
		flops := make([]float64, threads)
		start := time.Now()
		Each(threads, func(w int) { flops[w] = o.peakFlops(iters) })
		sec := time.Since(start).Seconds()
		sum := 0.0
		for _, f := range flops {
			sum += f
		}
		if run > 0 {
			best = max(best, sum/sec)
		}
		iters = int(float64(iters) * 0.05 / max(sec, 1e-4))
	}
	return best
}
