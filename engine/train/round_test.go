package train

import "testing"

// TestWeightBits: a run with weight_bits learns, and its network computes exactly what the
// stored one will (the embedding aside, which is stored in 8 bits either way), before and
// after a step; one without computes something else. Without it the rounding might be
// trained through in one place and stored by another rule, or be forgotten after an update.
func TestWeightBits(t *testing.T) {
	for _, bits := range []int{0, 4} {
		s := tinySettings("ar")
		s.Steps, s.Warmup, s.Decay, s.StepTokens, s.EvalEvery = 60, 5, 20, 128, 60
		s.Optimizer, s.AdamLR, s.WeightBits = "adamw", 0.01, bits
		opt := tinyOptions(t, t.TempDir())
		opt.Train, opt.HeldOut = repeated(), repeated()
		tr := start(t, s, opt)
		same := func(when string) {
			t.Helper()
			w := tr.Export()
			q, err := w.QuantizeTo(4)
			if err != nil {
				t.Fatal(err)
			}
			q.Embed = w.Embed
			plain, stored := s, opt
			plain.WeightBits, stored.Out, stored.Init = 0, t.TempDir(), q
			other := start(t, plain, stored)
			a, err := tr.Network().Evaluate(tr.held, s.EvalTokens)
			if err != nil {
				t.Fatal(err)
			}
			b, err := other.Network().Evaluate(other.held, s.EvalTokens)
			if err != nil {
				t.Fatal(err)
			}
			if (a.AR == b.AR) != (bits == 4) {
				t.Errorf("%s, with weight_bits %d: %.6f nats a token, stored in 4 bits %.6f", when, bits, a.AR, b.AR)
			}
		}
		same("at the start")
		losses := lossesOf(t, tr, -1)
		fell(t, "ar", losses, LossAR, 3)
		same("at the end")
	}
}
