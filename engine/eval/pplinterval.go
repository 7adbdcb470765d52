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
	var a, b []float64
	redraw(windows, seed, func(r reading) {
		x, y := r.bits()
		a, b = append(a, x), append(b, y)
	})
	return [2]float64{percentile(a, 0.025), percentile(a, 0.975)}, [2]float64{percentile(b, 0.025), percentile(b, 0.975)}
}

// gainInterval is that of by how much the bound is below the causal bits, both of the same
// windows.
func gainInterval(windows []reading, seed uint64) [2]float64 {
	var gains []float64
	redraw(windows, seed, func(r reading) {
		x, y := r.bits()
		gains = append(gains, x-y)
	})
	return [2]float64{percentile(gains, 0.025), percentile(gains, 0.975)}
}

// redraw draws as many windows anew, a thousand times, and gives each sum.
func redraw(windows []reading, seed uint64, use func(reading)) {
	r := rand.New(rand.NewPCG(seed, 95))
	for range 1000 {
		var sum reading
		for range windows {
			sum.add(windows[r.IntN(len(windows))])
		}
		use(sum)
	}
}
