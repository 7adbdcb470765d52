package train

import (
	"time"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// Weights that will be stored in few bits are trained through their rounding: the hidden
// matrices multiply as they will be stored (model.RoundRow), gradients pass through to the
// weights behind them as if nothing had been rounded (straight-through). Small weights of a
// language model that are rounded to 5 bits only when all is learned cost it a tenth of its
// bits a byte; ones that learned with it know how to make up for each other.

// round makes what products read of the weights, after each change of them. It does nothing
// unless the settings ask for it.
func (n *Network) round(bits int) {
	if bits == 0 {
		return
	}
	start := time.Now()
	for _, p := range n.P.All {
		if !p.Hidden {
			continue
		}
		if p.Rounded == nil {
			p.Rounded = kernels.Alloc[float32](len(p.W))
		}
		n.split(p.Rows, func(_, lo, hi int) {
			values, codes := make([]int8, p.Cols), make([]uint8, p.Cols)
			factor := make([]uint8, (p.Cols+model.GroupSize-1)/model.GroupSize)
			for r := lo; r < hi; r++ {
				row := p.W[r*p.Cols : (r+1)*p.Cols]
				scale := model.RoundRow(values, codes, factor, row, bits)
				for i, v := range values {
					p.Rounded[r*p.Cols+i] = scale * float32(v)
				}
			}
		})
	}
	n.Timing.Optimizer += time.Since(start)
}

// multiplied is what products read: the weights, or what rounding left of them.
func (p *Param) multiplied() []float32 {
	if p.Rounded != nil {
		return p.Rounded
	}
	return p.W
}
