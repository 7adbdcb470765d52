package train

import "math/rand/v2"

// block is one noised block before it enters a micro-batch.
type block struct {
	start   int     // index of its first token in the document: clean rows [0, start) are seen
	input   []int32 // what stands in the canvas
	visible []bool  // input is a token, not a mask
	target  []int32
	weight  []float32
	kind    LossKind
}

// corruption draws noised blocks as method.md, section 1, has them.
type corruption struct {
	s       Settings
	tok     specials
	vocab   int
	uMax    float64 // bound of the noise level (ramp)
	allMask float64
	edits   float64 // share of edit blocks at this step
	bare    bool    // a block that drew no mask stays without: for measuring
}

// specials are the token ids that corruption needs.
type specials struct{ mask, end, del, ins, first int32 }

// at sets the schedules to a step of the run.
func (s Settings) corruptionAt(step int, tok specials, vocab int) corruption {
	c := corruption{s: s, tok: tok, vocab: vocab, uMax: 1, allMask: s.AllMask}
	if s.MaskRamp > 0 && step < s.MaskRamp {
		c.uMax = float64(step+1) / float64(s.MaskRamp)
		c.allMask *= c.uMax
	}
	if float64(step) >= s.EditFrom*float64(s.Steps) {
		c.edits = s.EditShare
	}
	return c
}

// make corrupts the clean tokens x of a block that starts at index start of its
// document. fill says how many of the last tokens are end tokens that only fill the
// block. pool holds tokens of the same file, for plausible replacements.
func (c corruption) make(start int, x []int32, fill int, pool []int32, r *rand.Rand) block {
	v := r.Float64()
	if v < c.edits && fill == 0 {
		return c.edit(start, x, pool, r)
	}
	n := len(x)
	b := block{start: start, kind: LossMask, input: make([]int32, n), visible: make([]bool, n), target: x, weight: make([]float32, n)}
	u := 1.0
	if r.Float64() >= c.allMask {
		u = max(r.Float64()*c.uMax, 1/float64(n))
	}
	c.mask(&b, u, fill, r)
	return b
}

// mask replaces each token with probability u, at least one unless bare, weighted 1/u if asked for.
func (c corruption) mask(b *block, u float64, fill int, r *rand.Rand) {
	n := len(b.target)
	w := float32(1)
	if c.s.TimeWeight && c.uMax == 1 {
		w = float32(1 / u)
	}
	masked := 0
	hide := func(i int) {
		b.input[i], b.visible[i], b.weight[i] = c.tok.mask, false, w
		switch {
		case i >= n-fill:
			b.weight[i] *= float32(c.s.FillWeight)
		case b.target[i] == c.tok.end:
			b.weight[i] *= float32(c.s.EndWeight)
		}
		masked++
	}
	for i := range n {
		b.input[i], b.visible[i] = b.target[i], true
		if u >= 1 || r.Float64() < u {
			hide(i)
		}
	}
	if masked == 0 && !c.bare {
		hide(r.IntN(n))
	}
}

// edit makes a draft by k successive deletions, insertions and replacements, masks some
// of it, and labels every position by alignment with the clean text: keep, substitute,
// delete, or open a place before it.
func (c corruption) edit(start int, x []int32, pool []int32, r *rand.Rand) block {
	draft := append([]int32(nil), x...)
	if r.Float64() >= c.s.CleanEdits {
		rate := r.Float64() * c.s.EditRate * float64(len(x))
		k := int(rate)
		if r.Float64() < rate-float64(k) {
			k++
		}
		for range max(k, 1) {
			i := r.IntN(len(draft))
			switch op := r.IntN(3); {
			case op == 0 && len(draft) > 2:
				draft = append(draft[:i], draft[i+1:]...)
			case op == 1:
				draft = append(draft[:i], append([]int32{c.wrong(pool, r)}, draft[i:]...)...)
			default:
				draft[i] = c.wrong(pool, r)
			}
		}
	}
	if r.Float64() < 0.5 { // masks go on beside edits
		u := r.Float64() * 0.5
		for i := range draft {
			if r.Float64() < u {
				draft[i] = c.tok.mask
			}
		}
	}
	b := block{start: start, kind: LossEdit, input: draft, visible: make([]bool, len(draft)), weight: make([]float32, len(draft))}
	b.target = alignment(draft, x, c.tok)
	for i, t := range draft {
		b.visible[i], b.weight[i] = t != c.tok.mask, 1
	}
	return b
}

// wrong draws a token to put where it does not belong: half uniform, half from the
// same file.
func (c corruption) wrong(pool []int32, r *rand.Rand) int32 {
	if len(pool) > 0 && r.IntN(2) == 0 {
		if t := pool[r.IntN(len(pool))]; t >= c.tok.first {
			return t
		}
	}
	return c.tok.first + r.Int32N(int32(c.vocab)-c.tok.first)
}

// alignment labels each position of draft on the way to x, along a cheapest edit
// script: its own token where it matches, the right token where it is a substitute,
// [delete] where it is surplus, and [insert] where text is missing before it (one mask
// opens at a time, the rest is labelled anew when it has). A mask matches any token.
func alignment(draft, x []int32, tok specials) []int32 {
	n, m := len(draft), len(x)
	cost := make([]int16, (n+1)*(m+1))
	at := func(i, j int) *int16 { return &cost[i*(m+1)+j] }
	sub := func(i, j int) int16 {
		if draft[i] == x[j] || draft[i] == tok.mask {
			return 0
		}
		return 1
	}
	for i := n; i >= 0; i-- {
		for j := m; j >= 0; j-- {
			if i == n || j == m {
				*at(i, j) = int16(n - i + m - j)
				continue
			}
			*at(i, j) = min(*at(i+1, j+1)+sub(i, j), *at(i+1, j)+1, *at(i, j+1)+1)
		}
	}
	target := make([]int32, n)
	for i, j := 0, 0; i < n; {
		missing := false
		for j < m && *at(i, j) == *at(i, j+1)+1 && *at(i, j) < *at(i+1, j+1)+sub(i, j) {
			missing = true
			j++
		}
		switch {
		case j < m && *at(i, j) == *at(i+1, j+1)+sub(i, j):
			target[i] = x[j]
			i, j = i+1, j+1
		default:
			target[i] = tok.del
			i++
		}
		if missing {
			target[i-1] = tok.ins
		}
	}
	return target
}
