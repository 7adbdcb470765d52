package train

import (
	"math"
	"testing"
)

// TestWeightBits: a run with weight_bits learns, and what it reports of itself is what its
// packed model has, which a run that is rounded only at its end cannot say. Without it the
// rounding might be trained through in one place and stored by another rule, or be forgotten
// in one of the two.
func TestWeightBits(t *testing.T) {
	off := map[int]float64{}
	for _, bits := range []int{0, 4} {
		s := tinySettings("ar")
		s.Steps, s.Warmup, s.Decay, s.StepTokens, s.EvalEvery = 60, 5, 20, 128, 60
		s.Optimizer, s.AdamLR, s.WeightBits = "adamw", 0.01, bits
		opt := tinyOptions(t, t.TempDir())
		opt.Train, opt.HeldOut = repeated(), repeated()
		tr := start(t, s, opt)
		var own *Report
		tr.opt.Progress = func(p Progress) {
			if p.Report != nil {
				own = p.Report
			}
		}
		if err := tr.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		w, err := tr.Export().QuantizeTo(4)
		if err != nil {
			t.Fatal(err)
		}
		s.WeightBits = 0
		opt.Out, opt.Init = t.TempDir(), w
		stored := start(t, s, opt)
		rep, err := stored.Network().Evaluate(stored.held, s.EvalTokens)
		if err != nil {
			t.Fatal(err)
		}
		off[bits] = math.Abs(rep.AR - own.AR)
		if own.AR > 1 || rep.AR > 1 {
			t.Errorf("%d bits: %.4f nats a token are reported, %.4f packed: nothing was learned", bits, own.AR, rep.AR)
		}
	}
	// The embedding, in 8 bits, is all that the run did not know of.
	if off[4]*4 > off[0] {
		t.Errorf("packed in 4 bits a run that learned with them is off by %.5f nats a token, one that did not by %.5f", off[4], off[0])
	}
}
