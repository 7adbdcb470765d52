package denoise

import (
	"math"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/memory"
)

// guess is what the memory says after the tokens decided, of what is not forbidden.
func (d *decoder) guess(decided, forbid []backend.TokenID) memory.Guess {
	if d.opt.Memory == nil {
		return memory.Guess{}
	}
	g := d.opt.Memory.Guess(decided)
	for _, s := range g.Said {
		if slices.Contains(forbid, s.Token) {
			return g.Only(func(t backend.TokenID) bool { return !slices.Contains(forbid, t) })
		}
	}
	return g
}

// said makes a row ask what the mixture needs: the model's likelihood of the first
// continuation of g.
func (r *contextRow) said(g memory.Guess) {
	r.want = backend.WantTop
	if len(g.Said) > 0 {
		r.want |= backend.WantTarget
		r.target = g.Said[0].Token
	}
}

// mixed is the causal reading with what the memory says: the best of the model's two best
// tokens and the memory's first under p = (1-w)·model + w·memory.
func mixed(t backend.Top, g memory.Guess) backend.Top {
	w := g.Weight()
	if w == 0 {
		return t
	}
	said := g.Said[0]
	other := (1-w)*float32(math.Exp(float64(t.TargetLog))) + w*said.Share
	t.Prob = (1-w)*t.Prob + w*g.Share(t.Best)
	t.SecondProb = (1-w)*t.SecondProb + w*g.Share(t.Second)
	switch {
	case said.Token == t.Best:
	case other > t.Prob:
		t.Best, t.Prob, t.Second, t.SecondProb = said.Token, other, t.Best, t.Prob
	case other > t.SecondProb:
		t.Second, t.SecondProb = said.Token, other
	}
	return t
}

// remembered is the draft that follows d.out from memory, to be read beside so many other
// rows; empty where none is worth its rows. It ends before its row would not be used.
func (d *decoder) remembered(beside int) []backend.Top {
	if d.opt.Mode != Verify || d.opt.Memory == nil {
		return nil
	}
	room := min(d.limits.Rows-beside, d.room-len(d.out)-1)
	if room <= 0 {
		return nil
	}
	var draft []backend.Top
	for _, t := range d.opt.Memory.Draft(d.out, room) {
		if t == d.opt.Tokens.End || slices.Contains(d.bounded, t) {
			break
		}
		draft = append(draft, backend.Top{Best: t})
	}
	return d.useful(draft)
}

// useful cuts a draft where the answer would end with it: the row before foretells the last
// token, and nothing is asked after it.
func (d *decoder) useful(draft []backend.Top) []backend.Top {
	trial := slices.Clone(d.out)
	for i, t := range draft {
		trial = append(trial, t.Best)
		if len(trial) >= d.room {
			return draft[:i]
		}
		if d.opt.Stop != nil {
			if _, stop := d.opt.Stop(trial[:len(trial):len(trial)]); stop {
				return draft[:i]
			}
		}
	}
	return draft
}

// expect makes a draft pending behind the newest row, and every one of these rows ask what
// comes next, by the model and by memory.
func (d *decoder) expect(draft []backend.Top) {
	text := slices.Clone(d.out)
	d.guesses = append(d.guesses[:0], d.guess(text, d.bounded))
	d.pending[len(d.pending)-1].said(d.guesses[0])
	for _, t := range draft {
		text = append(text, t.Best)
		g := d.guess(text, d.bounded)
		d.guesses = append(d.guesses, g)
		d.pending = append(d.pending, contextRow{token: t.Best, target: backend.NoToken})
		d.pending[len(d.pending)-1].said(g)
	}
}
