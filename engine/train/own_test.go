package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRollout: every trajectory begins all mask, decides at least one position a forward and
// all it is sure of, never takes a decision back, and ends with text; one token a forward is
// as many forwards as positions; blocks that are decided together get what they get alone.
func TestRollout(t *testing.T) {
	for _, shift := range []bool{false, true} {
		s := tinySettings("onpolicy")
		s.Shift = shift
		tr := start(t, s, tinyOptions(t, t.TempDir()))
		m, blocks, _, _ := tr.data.open(0, 0)
		var trs, alone []*trajectory
		var how []bold
		for d, bs := range blocks {
			for _, b := range bs {
				if b.kind == LossMask && b.start >= 2 && len(trs) < 6 {
					for range 2 {
						trs = append(trs, &trajectory{doc: d, start: b.start, final: slices.Clone(b.target)})
					}
					how = append(how, bold{threshold: 2}, bold{threshold: 0.001})
					alone = append(alone, &trajectory{doc: d, start: b.start, final: slices.Clone(b.target)})
				}
			}
		}
		if len(trs) < 2 {
			t.Fatal("no blocks")
		}
		rows := m.Rows()
		tr.net.rollout(tr.data, m, trs, how, rand.New(rand.NewPCG(1, 1)))
		if m.Rows() != rows || len(m.Token) != rows {
			t.Error("a rollout left rows in the micro-batch")
		}
		for k, x := range trs {
			if k%2 == 0 && x.forwards() != len(x.final) {
				t.Errorf("one token a forward: %d forwards for %d tokens", x.forwards(), len(x.final))
			}
			for i, st := range x.states {
				for j := range st.input {
					if st.visible[j] && st.input[j] != x.final[j] || i == 0 && st.visible[j] || !st.visible[j] && st.input[j] != tr.data.sp.mask {
						t.Fatalf("trajectory %d, state %d: %+v on the way to %v", k, i, st, x.final)
					}
				}
			}
			if slices.Contains(x.final, tr.data.sp.mask) {
				t.Error("ends with a mask")
			}
		}
		for k, x := range alone {
			tr.net.rollout(tr.data, m, []*trajectory{x}, []bold{{threshold: 2}}, rand.New(rand.NewPCG(1, 1)))
			if !slices.Equal(x.final, trs[2*k].final) {
				t.Errorf("shift %t: block %d alone ends as %v, in company as %v", shift, k, x.final, trs[2*k].final)
			}
		}
	}
}

// TestCut: what verified and refused trajectories teach.
func TestCut(t *testing.T) {
	tr := start(t, tinySettings("onpolicy"), tinyOptions(t, t.TempDir()))
	p, mask := tr.data, tr.data.sp.mask
	truth := []int32{300, 301, 302, 303}
	all := state{[]int32{mask, mask, mask, mask}, make([]bool, 4)}
	end := func(x ...int32) *trajectory {
		return &trajectory{states: []state{all, {[]int32{x[0], mask, mask, mask}, []bool{true, false, false, false}}}, final: x}
	}
	file := block{start: 9, kind: LossMask, target: truth}
	own := []int32{310, 301, 302, 303}
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		var tally ownTally
		for _, b := range p.cut(file, end(own...), end(own...), &tally, r) { // the same text as careful decoding
			if !slices.Equal(b.target, own) || b.kind != LossMask || b.weight[3] != float32(p.s.OwnWeight)/2 {
				t.Errorf("verified: %+v", b)
			}
		}
		refused := p.cut(file, end(truth...), end(own...), &tally, r)
		if !slices.Equal(refused[0].target, truth) || refused[0].input[0] != mask {
			t.Errorf("refused: %+v", refused[0])
		}
		if b := refused[1]; b.kind == LossEdit && (b.input[0] != 310 || b.target[0] != 300 || b.weight[0] == 0) {
			t.Errorf("a wrong token is not put right: %+v", b)
		}
		if tally.Verified != 1 || tally.Refused != 1 {
			t.Errorf("%+v", tally)
		}
	}
}

// TestElboRanks: after some training the text of the file is likelier than noise.
func TestElboRanks(t *testing.T) {
	s := tinySettings("tsc")
	s.Steps, s.Decay, s.EvalEvery = 40, 10, 1000
	s.MuonLR, s.AdamLR = 0.02, 0.01
	tr := start(t, s, tinyOptions(t, t.TempDir()))
	lossesOf(t, tr, -1)
	m, blocks, _, _ := tr.data.open(7, 0)
	var trs []*trajectory
	r := rand.New(rand.NewPCG(3, 3))
	for d, bs := range blocks {
		for _, b := range bs {
			if b.kind == LossMask && b.start >= 2 && len(trs) < 8 {
				noise := make([]int32, len(b.target))
				for j := range noise {
					noise[j] = 1000 + r.Int32N(7000)
				}
				trs = append(trs, &trajectory{doc: d, start: b.start, final: b.target}, &trajectory{doc: d, start: b.start, final: noise})
			}
		}
	}
	score := tr.net.elbo(tr.data, m, trs, r)
	for k := 0; k < len(score); k += 2 {
		if score[k] <= score[k+1] || math.IsNaN(score[k]) || score[k] > 0 {
			t.Errorf("text %.2f nats, noise %.2f", score[k], score[k+1])
		}
	}
}
