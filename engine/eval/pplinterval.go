package eval

import (
	"math"
	"math/rand/v2"
)

// reading is what one window, or several, gave.
type reading struct {
	tokens, bytes int
	nats          float64 // causal, of asked tokens
	asked         int
	bound         float64 // ELBO, of hidden positions
	hidden        int
}

func (r *reading) add(o reading) {
	r.tokens += o.tokens
	r.bytes += o.bytes
	r.nats += o.nats
	r.asked += o.asked
	r.bound += o.bound
	r.hidden += o.hidden
}

// bits are those per byte: causal, and of the bound (0 where nothing was hidden).
func (r reading) bits() (causal, bound float64) {
	perByte := float64(r.bytes) / float64(max(r.tokens, 1)) * math.Ln2
	return r.nats / float64(max(r.asked, 1)) / perByte, r.bound / float64(max(r.hidden, 1)) / perByte
}

// bitsInterval are 95 % intervals of the bits per byte by the percentile bootstrap over
// windows: tokens of one file are not independent, windows of files drawn at random are.
func bitsInterval(windows []reading, seed uint64) (causal, bound [2]float64) {
	const resamples = 1000
	r := rand.New(rand.NewPCG(seed, 95))
	a, b := make([]float64, resamples), make([]float64, resamples)
	for i := range resamples {
		var sum reading
		for range windows {
			sum.add(windows[r.IntN(len(windows))])
		}
		a[i], b[i] = sum.bits()
	}
	return [2]float64{percentile(a, 0.025), percentile(a, 0.975)}, [2]float64{percentile(b, 0.025), percentile(b, 0.975)}
}
