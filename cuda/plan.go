package cuda

import (
	"fmt"

	"github.com/seedling-lsp/seedling/engine/model"
)

// maxHead is the widest head that the kernels hold in registers.
const maxHead = 128

// shape is a network as the kernels see it.
type shape struct {
	model.Config
	d, q, ff               int // in tiles of 64: hidden size, heads side by side, feed-forward
	padded                 int // a head's width in caches: 16, 32, 64 or 128
	group                  int // tiles a head takes in the packed QKV
	qkvTiles, gateTiles    int
	vocabTiles             int
	positions, slots, rows int
	splits, sms            int
}

func newShape(c model.Config, opt Options, sms int) (shape, error) {
	s := shape{Config: c, positions: opt.Positions, slots: opt.Sequences, rows: opt.Rows, splits: opt.Splits, sms: max(sms, 1)}
	if c.HeadDim > maxHead {
		return s, fmt.Errorf("head_dim is %d: the kernels hold at most %d; use --backend cpu", c.HeadDim, maxHead)
	}
	s.d, s.q, s.ff = up(c.HiddenSize, 64), up(c.NumHeads*c.HeadDim, 64), up(c.IntermediateSize, 64)
	for s.padded = 16; s.padded < c.HeadDim; s.padded *= 2 {
	}
	s.group = up(c.HeadDim, 64)
	s.qkvTiles = (c.NumHeads + 2*c.NumKVHeads) * s.group
	s.gateTiles, s.vocabTiles = up(c.IntermediateSize, 32), up(c.VocabSize, 64)
	return s, nil
}

// block is the height of a product's block for a number of rows.
func block(rows int) int {
	switch {
	case rows <= 16:
		return 16
	case rows <= 32:
		return 32
	}
	return 64
}

// split says into how many parts a product's k is cut so that every multiprocessor has
// work: two blocks each, of four tiles of k or more.
func (s *shape) split(rows, tiles, ktiles int) int {
	if s.splits > 0 {
		return min(s.splits, ktiles)
	}
	blocks := tiles * up(rows, block(rows))
	return max(1, min(up(2*s.sms, blocks), ktiles/4, 16))
}

// Plan is the memory that a backend will take, in bytes.
type Plan struct {
	Weights, Cache, Workspace uint64
}

// Total is all of it.
func (p Plan) Total() uint64 { return p.Weights + p.Cache + p.Workspace }

func (p Plan) String() string {
	return fmt.Sprintf("%.1f MB (weights %.1f, cache %.1f, workspace %.1f)", mb(p.Total()), mb(p.Weights), mb(p.Cache), mb(p.Workspace))
}

func mb(n uint64) float64 { return float64(n) / 1e6 }

// region hands out pieces of one allocation, aligned to 256 bytes; with base 0 it only counts.
type region struct{ base, used uint64 }

func (r *region) take(n int) uint64 {
	at := r.base + r.used
	r.used += (uint64(n) + 255) &^ 255
	return at
}
