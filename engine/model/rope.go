package model

import "math"

// RopeTable fills out, [positions, HeadDim] and at least that long, with the angles of
// rotate-half RoPE: row p holds cos(p·θ^(−2i/HeadDim)) for i < HeadDim/2, then the sines.
// It returns out. Training and serving read the same one.
func (c Config) RopeTable(positions int, out []float32) []float32 {
	h := c.HeadDim / 2
	for p := range positions {
		for i := range h {
			a := float64(p) / math.Pow(c.RopeTheta, float64(i)/float64(h))
			out[p*c.HeadDim+i] = float32(math.Cos(a))
			out[p*c.HeadDim+h+i] = float32(math.Sin(a))
		}
	}
	return out
}
