package train

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var testTokens = specials{mask: 0, end: 1, del: 7, ins: 8, first: 9}

// apply plays a round of labels as the decoder does: deleted places go, opened places
// get a mask, the others take their target.
func apply(draft, target []int32) []int32 {
	var out []int32
	for i, t := range target {
		switch t {
		case testTokens.del:
		case testTokens.ins:
			out = append(out, testTokens.mask, draft[i])
		default:
			out = append(out, t)
		}
	}
	return out
}

// TestAlignmentRepairs: following the labels round after round gives the clean text
// back, whatever was done to it. Without it the edit stage would teach the wrong repair.
func TestAlignmentRepairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Int32Range(9, 20), 1, 12).Draw(t, "clean")
		draft := rapid.SliceOfN(rapid.SampledFrom([]int32{0, 9, 10, 11, 12, 13, 14, 20}), 1, 12).Draw(t, "draft")
		draft = append(draft, 99) // an anchor at the end, as text after an edit is
		x = append(x, 99)
		for range 30 {
			if slices.Equal(draft, x) {
				return
			}
			draft = apply(draft, alignment(draft, x, testTokens))
		}
		t.Fatalf("still %v for %v", draft, x)
	})
}

// TestMaskRate: the share of masked positions follows u, at least one is masked, and a
// visible position carries no loss.
func TestMaskRate(t *testing.T) {
	s := DefaultSettings("tsc")
	c := s.corruptionAt(s.MaskRamp, testTokens, 300)
	c.edits, c.allMask = 0, 0
	r := rand.New(rand.NewPCG(1, 1))
	masked, rows := 0, 0
	for range 4000 {
		x := []int32{20, 21, 22, 23, 24, 25, 26, 27}
		b := c.make(5, x, 0, nil, r)
		n := 0
		for i := range x {
			if !b.visible[i] {
				n++
				if b.weight[i] == 0 || b.input[i] != testTokens.mask {
					t.Fatalf("masked row without a loss: %+v", b)
				}
			} else if b.weight[i] != 0 || b.input[i] != x[i] {
				t.Fatalf("visible row with a loss: %+v", b)
			}
		}
		if n == 0 {
			t.Fatal("a block without a mask")
		}
		masked, rows = masked+n, rows+len(x)
	}
	if share := float64(masked) / float64(rows); share < 0.48 || share > 0.56 {
		t.Errorf("masked share %.3f, want about 0.52", share)
	}
}

// TestMaskRamp: at the change from AR the noise starts near nothing and has no
// all-mask blocks; gradients would spike otherwise.
func TestMaskRamp(t *testing.T) {
	s := DefaultSettings("tsc")
	first, later := s.corruptionAt(0, testTokens, 300), s.corruptionAt(s.MaskRamp, testTokens, 300)
	if first.uMax > 0.05 || first.allMask > 0.05 || later.uMax != 1 || later.allMask != s.AllMask {
		t.Errorf("ramp from %+v to %+v", first, later)
	}
	if s.corruptionAt(s.Steps*79/100, testTokens, 300).edits != 0 || s.corruptionAt(s.Steps*81/100, testTokens, 300).edits == 0 {
		t.Error("edits must begin at 80 % of the steps")
	}
}
