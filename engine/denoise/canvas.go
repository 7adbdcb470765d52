package denoise

import (
	"sort"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// canvasRow is a position as a forward sees it.
type canvasRow struct {
	token backend.TokenID
	ask   bool
}

// canvas is a block that is being decided.
type canvas struct {
	opt    *Options
	cells  []Cell
	limit  int // cells at the most
	passes int // steps left that may revise

	// revise says that this step's forward asks visible rows, too. Delete and insert are
	// answers only then: Batch.Forbid holds for all rows, so a masked row may name one of
	// them as well; it then counts with its runner-up, or, when that is the other one, not
	// at all. Should no masked row count, the next forward does not revise.
	revise bool
	// tried holds every token that stood, and every deletion and insertion that was made,
	// at a position: a revision to one of them would go round in circles.
	tried map[attempt]struct{}
	rows  []canvasRow // reused
}

type attempt struct {
	at    int
	token backend.TokenID
}

// newCanvas makes a canvas of size masks that may grow to limit.
func newCanvas(opt *Options, size, limit int) *canvas {
	c := &canvas{opt: opt, cells: make([]Cell, size), limit: max(size, limit), tried: map[attempt]struct{}{}}
	for i := range c.cells {
		c.cells[i] = Cell{Token: opt.Tokens.Mask, Masked: true}
	}
	if opt.Revises && opt.Revise <= 1 {
		c.passes = max(opt.RevisePasses, 0)
	}
	return c
}

// ask gives the rows of the next forward.
func (c *canvas) ask() []canvasRow {
	c.rows = c.rows[:0]
	for i := range c.cells {
		cell := &c.cells[i]
		c.rows = append(c.rows, canvasRow{token: cell.Token, ask: cell.Masked || c.revise})
	}
	return c.rows
}

// step takes the answers to ask, in order. It reports whether tokens that were decided
// before have changed, and whether the block is finished: nothing masked, nothing revised.
func (c *canvas) step(tops []backend.Top) (revised, finished bool) {
	for i := range c.cells {
		c.cells[i].Changed = false
	}
	// answers[i] is cell i's; nil if it was not asked.
	answers := make([]*backend.Top, len(c.cells))
	for i, n := 0, 0; i < len(c.rows); i++ {
		if c.rows[i].ask {
			answers[i], n = &tops[n], n+1
		}
	}
	visible := make([]bool, len(c.cells)) // before this step
	for i := range c.cells {
		visible[i] = !c.cells[i].Masked
	}
	stuck := !c.unmask(answers)
	if c.revise {
		revised = c.revisit(answers, visible)
		if revised {
			c.passes--
		}
	}
	masked, placed := false, false
	for i := range c.cells {
		if c.cells[i].Masked {
			masked = true
			continue
		}
		placed = true
		if c.cells[i].Token == c.opt.Tokens.End {
			c.cells = c.cells[:i+1] // what follows the end is nothing
			break
		}
	}
	c.revise = c.passes > 0 && placed && !stuck
	return revised, !masked && !revised
}

// candidate is the best token of a masked row that is a token of text, or the end.
func (c *canvas) candidate(top *backend.Top) (backend.TokenID, float32, bool) {
	if !c.edit(top.Best) {
		return top.Best, top.Prob, true
	}
	return top.Second, top.SecondProb, top.Second >= 0 && !c.edit(top.Second)
}

func (c *canvas) edit(t backend.TokenID) bool {
	return t == c.opt.Tokens.Delete || t == c.opt.Tokens.Insert
}

// unmask decides masked cells: those that are sure enough, at the least the best one. It
// reports false if cells are masked and none could be decided.
func (c *canvas) unmask(answers []*backend.Top) bool {
	type choice struct {
		at    int
		token backend.TokenID
		prob  float32
	}
	var choices []choice
	masked := false
	for i := range c.cells {
		if !c.cells[i].Masked {
			continue
		}
		masked = true
		if t, p, ok := c.candidate(answers[i]); ok {
			choices = append(choices, choice{i, t, p})
		}
	}
	sort.SliceStable(choices, func(i, j int) bool { return choices[i].prob > choices[j].prob })
	n := min(1, len(choices))
	for ; n < len(choices) && c.sure(n+1, choices[n].prob); n++ {
	}
	for _, ch := range choices[:n] {
		c.place(ch.at, ch.token, ch.prob)
	}
	return n > 0 || !masked
}

// sure says whether the n best cells may be decided, the last of them with probability p.
func (c *canvas) sure(n int, p float32) bool {
	if f := c.opt.Factor; f > 0 {
		return float32(n+1)*(1-p) < f
	}
	return p >= c.opt.Threshold
}

func (c *canvas) place(i int, t backend.TokenID, p float32) {
	c.cells[i] = Cell{Token: t, Changed: true, Prob: p}
	c.tried[attempt{i, t}] = struct{}{}
}

// revisit replaces, deletes and opens where the model is sure that a token that was
// visible to it is wrong.
func (c *canvas) revisit(answers []*backend.Top, visible []bool) bool {
	revised := false
	for i := len(visible) - 1; i >= 0; i-- { // from the right: places before stay
		if !visible[i] {
			continue
		}
		top := answers[i]
		t, p := top.Best, top.Prob
		if t == c.cells[i].Token || !(p >= c.opt.Revise) {
			continue // the best alternative has at most half of the probability then
		}
		if _, was := c.tried[attempt{i, t}]; was {
			continue
		}
		switch t {
		case c.opt.Tokens.Delete:
			if len(c.cells) == 1 {
				continue // an empty canvas would say nothing, not even the end
			}
			c.cells = append(c.cells[:i], c.cells[i+1:]...)
		case c.opt.Tokens.Insert:
			if len(c.cells) >= c.limit {
				continue
			}
			c.cells = append(c.cells, Cell{})
			copy(c.cells[i+1:], c.cells[i:])
			c.cells[i] = Cell{Token: c.opt.Tokens.Mask, Masked: true, Changed: true}
		default:
			c.place(i, t, p)
		}
		c.tried[attempt{i, t}] = struct{}{}
		revised = true
	}
	return revised
}

// prefix appends the longest decided beginning of the canvas to dst, without the end
// token; ended says that it follows.
func (c *canvas) prefix(dst []backend.TokenID) (decided []backend.TokenID, ended bool) {
	for _, cell := range c.cells {
		if cell.Masked {
			return dst, false
		}
		if cell.Token == c.opt.Tokens.End {
			return dst, true
		}
		dst = append(dst, cell.Token)
	}
	return dst, false
}
