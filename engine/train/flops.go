package train

// Flops is the number of floating-point operations of one forward and backward pass
// over m that the mathematics asks for: two per weight and row forward, four backward,
// the head only on asked rows, attention only where the mask allows (recomputed scores
// are not counted).
func (n *Network) Flops(m *Micro) float64 {
	c := n.P.Config
	per := 0
	for _, t := range n.P.All {
		if t.Hidden {
			per += t.Rows * t.Cols
		}
	}
	pairs := 0.0
	for _, d := range m.Docs {
		pairs += float64(d.NClean) * float64(d.NClean+1) / 2
		for r := d.Noised; r < d.Noised+d.NNoised; r++ {
			pairs += float64(m.Lim[r] + m.To[r] - m.From[r])
		}
	}
	linear := 6 * float64(per) * float64(m.Rows())
	head := 6 * float64(c.VocabSize*c.HiddenSize) * float64(len(m.Asked))
	attention := 12 * pairs * float64(c.NumHeads*c.HeadDim*c.NumLayers)
	return linear + head + attention
}
