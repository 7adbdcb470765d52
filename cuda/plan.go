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
	fp8                    bool
	d, h                   int // hidden size in tiles of 64; feed-forward in tiles of 64
	dSteps, qSteps, hSteps int // of products over hidden size, attention's output, feed-forward
	padded                 int // a head's width in caches: 16, 32, 64 or 128
	hstride                int // and in attention's output
	group                  int // tiles a head takes in the packed QKV
	qkvTiles, gateTiles    int
	gateGroup              int // tiles that make 64 columns of the feed-forward, or 32
	vocabTiles             int
	positions, slots, rows int // rows: a multiple of 64
	pages                  int // of 64 tokens
	splits, parts, sms     int
}

func newShape(c model.Config, opt Options, sms int) (shape, error) {
	s := shape{Config: c, fp8: opt.FP8, positions: opt.Positions, slots: opt.Sequences, rows: up(opt.Rows, 64) * 64, splits: opt.Splits, parts: opt.Parts, sms: max(sms, 1)}
	if c.HeadDim > maxHead {
		return s, fmt.Errorf("head_dim is %d: the kernels hold at most %d; use --backend cpu", c.HeadDim, maxHead)
	}
	s.d, s.h = up(c.HiddenSize, 64), up(c.IntermediateSize, 64)
	for s.padded = 16; s.padded < c.HeadDim; s.padded *= 2 {
	}
	s.group = up(c.HeadDim, 64)
	s.hstride, s.gateTiles, s.gateGroup = c.HeadDim, up(c.IntermediateSize, 32), 1
	if s.fp8 { // scales stand for 64 columns: no two heads, and no two tiles, may share them
		s.hstride, s.gateTiles, s.gateGroup = s.group*64, 2*s.h, 2
	}
	u := unit(s.fp8)
	s.dSteps, s.qSteps, s.hSteps = up(c.HiddenSize, u), up(c.NumHeads*s.hstride, u), up(c.IntermediateSize, u)
	s.qkvTiles = (c.NumHeads + 2*c.NumKVHeads) * s.group
	s.vocabTiles = up(c.VocabSize, 64)
	s.pages = s.slots * up(s.positions, pageSize)
	return s, nil
}

// block is the height of a product's block for a number of rows.
func block(rows int) int {
	if rows <= 16 {
		return 16
	}
	return 32
}

// split says into how many parts a product's k is cut so that every multiprocessor has
// work: two blocks each, of four steps or more.
func (s *shape) split(y, tiles, steps int) int {
	if s.splits > 0 {
		return min(s.splits, steps)
	}
	return max(1, min(up(2*s.sms, tiles*y), steps/4, 16))
}

// cut says into how many parts attention's keys are cut, of so many tiles of 32 for each of
// so many items: two blocks a multiprocessor, of four tiles or more.
func (s *shape) cut(items, tiles int) int {
	if s.parts > 0 {
		return max(1, min(s.parts, tiles))
	}
	return max(1, min(up(2*s.sms, items*s.NumKVHeads), tiles/4))
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
