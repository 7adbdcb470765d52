package train

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// own says whether a stage learns from what the model itself writes.
func (s Settings) own() bool { return s.Stage == "order" || s.Stage == "onpolicy" }

// carefully is the threshold of the decoding that the bold one must agree with.
const carefully = 0.95

// ownMicro draws micro-batch i and replaces a share of its blocks by states of trajectories
// that the network itself took to decide them: all of it follows from the weights, the
// settings, i and the step.
func (n *Network) ownMicro(p *Sampler, i uint64, step int, tally *ownTally) *Micro {
	m, blocks, cor, r := p.open(i, step)
	capacity := p.noisedCap()
	pools := make([][]block, len(blocks))
	var trs []*trajectory
	var asked []block // the file's own text, of each trajectory
	var how []bold
	copies := 2
	if p.s.Stage == "order" {
		copies = p.s.Pool
	}
	room := n.cap - m.Clean - 64
	for d, bs := range blocks {
		for _, b := range bs {
			size := len(b.target)
			v := r.Float64()
			switch {
			case b.kind != LossMask || v >= p.s.OwnShare || b.start < 2 || b.start+size > p.s.Positions:
				pools[d] = append(pools[d], b)
			case v < p.s.OwnShare/2 && copies*2*(size+1) <= room: // two states stand for two blocks
				room -= copies * 2 * (size + 1)
				asked = append(asked, b)
				for c := range copies {
					h := bold{threshold: carefully}
					if p.s.Stage == "order" {
						h = bold{threshold: 0.3 + 0.7*r.Float32(), temperature: r.Float64()}
					} else if c == 1 {
						h.threshold = 0.2 + 0.6*r.Float32()
					}
					how = append(how, h)
					trs = append(trs, &trajectory{doc: d, start: b.start, final: slices.Clone(b.target)})
				}
			}
		}
	}
	n.rollout(p, m, trs, how, r)
	if p.s.Stage == "order" && len(trs) > 0 {
		score := n.elbo(p, m, trs, r)
		for k, b := range asked {
			d := trs[k*copies].doc
			for range 2 {
				pools[d] = append(pools[d], p.ordered(cor, b, trs[k*copies:(k+1)*copies], score[k*copies:(k+1)*copies], r))
			}
		}
	} else {
		for k, b := range asked {
			d := trs[2*k].doc
			pools[d] = append(pools[d], p.cut(b, trs[2*k], trs[2*k+1], tally, r)...)
		}
	}
	for d := range pools {
		p.noisedRows(m, &m.Docs[d], pools[d], capacity, false)
	}
	return m
}

// ownTally counts what became of on-policy trajectories.
type ownTally struct{ Verified, Refused, Forwards, Tokens int }

// cut turns a bold trajectory into blocks that ask for its end at once (method.md, section
// 5). It is verified if it ends as careful decoding does or with the file's own text: then
// its first state and a later one must foretell the end directly, the more weight the more
// forwards there are to be saved. A refused one is corrected: its first state must foretell
// the file's text, and a later one, wrong tokens and all, must be edited to it.
func (p *Sampler) cut(file block, careful, quick *trajectory, tally *ownTally, r *rand.Rand) []block {
	later := quick.states[r.IntN(len(quick.states))]
	if tally != nil {
		tally.Tokens += len(quick.final)
		tally.Forwards += quick.forwards()
	}
	if slices.Equal(quick.final, careful.final) || slices.Equal(quick.final, file.target) {
		if tally != nil {
			tally.Verified++
		}
		w := float32(p.s.OwnWeight) * max(0.25, 1-1/float32(quick.forwards()))
		return []block{p.foretell(file, quick.states[0], quick.final, w), p.foretell(file, later, quick.final, w)}
	}
	if tally != nil {
		tally.Refused++
	}
	w := float32(1)
	first := p.foretell(file, quick.states[0], file.target, w)
	if !slices.Contains(later.visible, true) {
		return []block{first, p.foretell(file, later, file.target, w)}
	}
	b := block{start: file.start, kind: LossEdit, input: later.input, visible: later.visible, target: alignment(later.input, file.target, p.sp), weight: make([]float32, len(later.input))}
	for j := range b.weight {
		b.weight[j] = w * file.weightOf(j, p)
	}
	return []block{first, b}
}

// weightOf is what a position of a block counts: end tokens that only fill it little.
func (b *block) weightOf(j int, p *Sampler) float32 {
	if b.target[j] == p.sp.end {
		if j > 0 && b.target[j-1] == p.sp.end || j == 0 && b.start > 0 && slices.Equal(b.target, slices.Repeat([]int32{p.sp.end}, len(b.target))) {
			return float32(p.s.FillWeight)
		}
		return float32(p.s.EndWeight)
	}
	return 1
}

// foretell asks the masked positions of a state for a text.
func (p *Sampler) foretell(file block, s state, text []int32, w float32) block {
	b := block{start: file.start, kind: LossMask, input: s.input, visible: s.visible, target: text, weight: make([]float32, len(text))}
	for j := range text {
		if !s.visible[j] {
			b.weight[j] = w * b.weightOf(j, p)
		}
	}
	return b
}

// elbo estimates of each trajectory's end how likely the network finds it under all orders:
// the bound of method.md, section 2, by four stratified draws, in nats (higher is likelier).
func (n *Network) elbo(p *Sampler, m *Micro, trs []*trajectory, r *rand.Rand) []float64 {
	out := make([]float64, len(trs))
	for draw := range 4 {
		blocks := make([]block, len(trs))
		of := make([][]int, len(m.Docs))
		for k, t := range trs {
			size := len(t.final)
			u := max((float64(draw)+r.Float64())/4, 1/float64(size))
			b := block{start: t.start, kind: LossMask, input: slices.Clone(t.final), visible: make([]bool, size), target: t.final, weight: make([]float32, size)}
			hidden := r.IntN(size)
			for j := range size {
				if b.visible[j] = j != hidden && r.Float64() >= u; !b.visible[j] {
					b.input[j], b.weight[j] = p.sp.mask, float32(1/u)
					of[t.doc] = append(of[t.doc], k)
				}
			}
			blocks[k] = b
		}
		mm := p.lay(m, trs, blocks)
		order := slices.Concat(of...)
		scale := float64(p.s.StepTokens) * p.s.NoisedShare
		n.Pass(mm, false, func(i int, nats float64) { out[order[i]] -= nats * float64(mm.Asked[i].Weight) * scale / 4 })
	}
	return out
}

// ordered is a state on the way to an end worth learning (method.md, section 4): one of the
// pool's best by ELBO, or, for its share, the file's own text, so that the model does not
// drift towards its mistakes. A few of its visible tokens are wrong, to be put right.
func (p *Sampler) ordered(cor corruption, file block, pool []*trajectory, score []float64, r *rand.Rand) block {
	if r.Float64() < p.s.RealShare {
		b := block{start: file.start, kind: LossMask, input: make([]int32, len(file.target)), visible: make([]bool, len(file.target)), target: file.target, weight: make([]float32, len(file.target))}
		cor.mask(&b, max(r.Float64(), 1/float64(len(file.target))), 0, r)
		for j := range b.weight {
			b.weight[j] *= file.weightOf(j, p)
		}
		return b
	}
	order := make([]int, len(pool))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return score[order[a]] > score[order[b]] })
	t := pool[order[r.IntN(max(1, int(p.s.KeepShare*float64(len(pool)))))]]
	s := t.states[r.IntN(len(t.states))]
	b := p.foretell(file, state{slices.Clone(s.input), s.visible}, t.final, float32(p.s.OwnWeight))
	for j := range b.input {
		if b.visible[j] && r.Float64() < p.s.EditRate/2 {
			b.input[j], b.weight[j], b.kind = cor.wrong(t.final, r), float32(p.s.OwnWeight), LossEdit
		}
	}
	return b
}

// Speed is what decoding of held-out blocks costs and gives, without a cache and without
// revision: the figure that order and onpolicy are for.
type Speed struct {
	Blocks           int     `json:"blocks"`
	Size             int     `json:"block_size"`
	TokensPerForward float64 `json:"tokens_per_forward"` // at threshold 0.9
	Exact            float64 `json:"exact"`              // share of blocks that are the file's text
	ExactOne         float64 `json:"exact_one"`          // the same, one token a forward
	Same             float64 `json:"same"`               // share of blocks that are what one token a forward gives
}

// MeasureSpeed decodes blocks of a size out of held-out text from all masks on, the same
// ones each time.
func (n *Network) MeasureSpeed(p *Sampler, blocks, size int) Speed {
	q := *p
	q.s.BlockSizes, q.s.Stage = []int{size}, "tsc"
	out := Speed{Size: size}
	forwards, exact, one, same := 0, 0, 0, 0
	for i := uint64(0); out.Blocks < blocks && i < uint64(blocks); i++ {
		m, cut, _, r := q.open(i, 0)
		var trs []*trajectory
		var truth [][]int32
		var how []bold
		room := n.cap - m.Clean - 64
		for d, bs := range cut {
			for _, b := range bs {
				if b.kind != LossMask || b.start < 2 || len(b.target) != size || b.start+size > q.s.Positions || room < 2*(size+1) || out.Blocks == blocks {
					continue
				}
				room -= 2 * (size + 1)
				out.Blocks++
				truth = append(truth, b.target)
				for _, h := range []bold{{threshold: 2}, {threshold: 0.9}} {
					how = append(how, h)
					trs = append(trs, &trajectory{doc: d, start: b.start, final: slices.Clone(b.target)})
				}
			}
		}
		n.rollout(&q, m, trs, how, r)
		for k, x := range truth {
			slow, quick := trs[2*k], trs[2*k+1]
			forwards += quick.forwards()
			count := func(n *int, yes bool) {
				if yes {
					*n++
				}
			}
			count(&exact, slices.Equal(quick.final, x))
			count(&one, slices.Equal(slow.final, x))
			count(&same, slices.Equal(slow.final, quick.final))
		}
	}
	total := float64(max(out.Blocks, 1))
	out.TokensPerForward = float64(out.Blocks*size) / float64(max(forwards, 1))
	out.Exact, out.ExactOne, out.Same = float64(exact)/total, float64(one)/total, float64(same)/total
	return out
}

// keepSpeed adds a line to the run's speed.csv; lines of steps that a kill undid go.
func (t *Trainer) keepSpeed(v Speed) error {
	path := filepath.Join(t.opt.Out, "speed.csv")
	var out bytes.Buffer
	out.WriteString("step,blocks,block_size,tokens_per_forward,exact,exact_one,same\n")
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the run's speed: %w", err)
	}
	for line := range strings.Lines(string(old)) {
		field, _, _ := strings.Cut(line, ",")
		if n, err := strconv.Atoi(field); err == nil && n < t.st.Step {
			out.WriteString(line)
		}
	}
	fmt.Fprintf(&out, "%d,%d,%d,%.4f,%.4f,%.4f,%.4f\n", t.st.Step, v.Blocks, v.Size, v.TokensPerForward, v.Exact, v.ExactOne, v.Same)
	return writeFile(path, out.Bytes())
}
