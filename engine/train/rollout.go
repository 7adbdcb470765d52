package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// trajectory is how a block came to be decided: its states from all masks on, and the end.
type trajectory struct {
	doc    int // of the micro-batch
	start  int // of the block in its document
	states []state
	final  []int32
}

// state is a canvas on the way: masks where it is not visible.
type state struct {
	input   []int32
	visible []bool
}

// forwards is |τ|: how many forwards it took.
func (t *trajectory) forwards() int { return len(t.states) }

// bold says how a trajectory is decided.
type bold struct {
	threshold   float32 // of the probability at which a position is decided; above 1 one a forward
	temperature float64 // of the draw of tokens; 0: the best
}

// rollout lets the network decide blocks of a micro-batch's documents from all masks on,
// each as how says, all of them in the same forwards: blocks of the noised stream do not
// see one another. It depends on the weights, the blocks and r alone. m holds the clean
// rows; blocks that have nothing before them or end beyond the positions are the caller's
// to leave out, and so is what does not fit into the network.
func (n *Network) rollout(p *Sampler, m *Micro, trs []*trajectory, how []bold, r *rand.Rand) {
	now := make([]state, len(trs))
	for i, t := range trs {
		t.states = nil
		now[i] = state{input: make([]int32, len(t.final)), visible: make([]bool, len(t.final))}
		for j := range t.final {
			now[i].input[j] = p.sp.mask
		}
	}
	for {
		var open []int
		for i := range trs {
			if slices.Contains(now[i].visible, false) {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			return
		}
		part := make([]*trajectory, len(open))
		shown := make([]state, len(open))
		temperature := make([]float64, len(open))
		for k, i := range open {
			part[k], shown[k], temperature[k] = trs[i], now[i], how[i].temperature
		}
		guesses := n.guess(p, m, part, shown, temperature, r)
		for k, i := range open {
			trs[i].states = append(trs[i].states, state{slices.Clone(now[i].input), slices.Clone(now[i].visible)})
			best, at := float32(-1), -1
			for j := range now[i].input {
				if now[i].visible[j] {
					continue
				}
				g := guesses[k][j]
				if g.prob > best {
					best, at = g.prob, j
				}
			}
			for j := range now[i].input {
				if g := guesses[k][j]; !now[i].visible[j] && (j == at || g.prob >= how[i].threshold) {
					now[i].input[j] = g.token
					trs[i].final[j] = g.token
				}
			}
			for j := range now[i].input {
				now[i].visible[j] = now[i].visible[j] || now[i].input[j] != p.sp.mask
			}
		}
	}
}

// guessed is what a canvas row says of a position.
type guessed struct {
	token int32
	prob  float32
}

// lay adds the canvases of trajectories to a copy of m's clean rows and asks for weights[k]
// of the targets[k].
func (p *Sampler) lay(m *Micro, trs []*trajectory, blocks []block) *Micro {
	out := *m
	out.Docs, out.Asked, out.Noised = append([]kernels.Doc(nil), m.Docs...), nil, 0
	// Rows that are appended must not be written into m's arrays.
	c := m.Clean
	out.Token, out.Mark, out.Pos = m.Token[:c:c], m.Mark[:c:c], m.Pos[:c:c]
	out.Lim, out.From, out.To = m.Lim[:c:c], m.From[:c:c], m.To[:c:c]
	for d := range out.Docs {
		out.Docs[d].NNoised = 0
		var bs []block
		for k, t := range trs {
			if t.doc == d {
				bs = append(bs, blocks[k])
			}
		}
		p.noisedRows(&out, &out.Docs[d], bs, math.MaxInt/2, true)
	}
	return &out
}

// guess reads canvases once: of every masked position a token and its probability.
func (n *Network) guess(p *Sampler, m *Micro, trs []*trajectory, shown []state, temperature []float64, r *rand.Rand) [][]guessed {
	blocks := make([]block, len(trs))
	out := make([][]guessed, len(trs))
	type place struct {
		k, j int
		temp float64
		seed uint64
	}
	for k, t := range trs {
		size := len(t.final)
		b := block{start: t.start, kind: LossMask, input: shown[k].input, visible: shown[k].visible, target: t.final, weight: make([]float32, size)}
		for j := range size {
			if !shown[k].visible[j] {
				b.weight[j] = 1
			}
		}
		blocks[k], out[k] = b, make([]guessed, size)
	}
	var places []place // in the order in which lay asks
	for d := range m.Docs {
		for k, t := range trs {
			for j := range t.final {
				if t.doc == d && !shown[k].visible[j] {
					places = append(places, place{k, j, temperature[k], r.Uint64()})
				}
			}
		}
	}
	mm := p.lay(m, trs, blocks)
	n.forward(mm)
	n.read(mm, func(i int, logits []float32) {
		at := places[i]
		out[at.k][at.j] = choose(logits, p.sp, at.temp, at.seed)
	})
	return out
}

// read gives f the logits of every asked row; f may be called from several threads at once.
func (n *Network) read(m *Micro, f func(i int, logits []float32)) {
	c := n.P.Config
	d, V := c.HiddenSize, c.VocabSize
	start, before := time.Now(), n.Timing.GEMM
	for lo := 0; lo < len(m.Asked); lo += headRows {
		part := m.Asked[lo:min(lo+headRows, len(m.Asked))]
		for i, a := range part {
			copy(n.headX[i*d:(i+1)*d], n.fin[int(a.Row)*d:int(a.Row+1)*d])
		}
		n.gemm(len(part), V, d, kernels.Rows(n.headX, d), kernels.Rows(n.P.embed.W, d).T(), n.logits, false)
		n.split(len(part), func(_, a, b int) {
			for i := a; i < b; i++ {
				f(lo+i, n.logits[i*V:(i+1)*V])
			}
		})
	}
	n.Timing.GEMM = before
	n.Timing.Head += time.Since(start)
}

// choose is the best token of a masked position, or one drawn at a temperature (Gumbel's
// maximum), with the probability that the model gives it. Of special tokens the end alone
// may be an answer.
func choose(logits []float32, sp specials, temperature float64, seed uint64) guessed {
	high := float32(math.Inf(-1))
	for t, l := range logits {
		if int32(t) != sp.mask && l > high {
			high = l
		}
	}
	var g *rand.Rand
	if temperature > 0 {
		g = rand.New(rand.NewPCG(seed, 6))
	}
	sum, best, token := 0.0, math.Inf(-1), sp.end
	for t, l := range logits {
		if int32(t) == sp.mask {
			continue
		}
		sum += math.Exp(float64(l - high))
		if int32(t) < sp.first && int32(t) != sp.end {
			continue
		}
		score := float64(l)
		if g != nil {
			if l < high-12 { // cannot win at any temperature in use
				continue
			}
			score -= temperature * math.Log(-math.Log(max(g.Float64(), 1e-300)))
		}
		if score > best {
			best, token = score, int32(t)
		}
	}
	return guessed{token, float32(math.Exp(float64(logits[token]-high)) / sum)}
}
