package engine_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// TestUnlikelyIsGivenUp: an answer whose first line falls below the bound is written no
// further, and otherwise a bound changes nothing: neither what is answered nor which answers
// are withheld. Without it a key would cost a whole line that nobody sees, or a suggestion would
// be lost that is likely enough.
func TestUnlikelyIsGivenUp(t *testing.T) {
	e, _ := start(t, engine.Options{})
	r := rand.New(rand.NewPCG(3, 3))
	words := strings.Fields("return err nil if values := range func ( ) { } x y , . print 漢字")
	withheld, shown, spared := 0, 0, 0
	for i := range 120 {
		var text strings.Builder
		for range 4 + r.IntN(20) {
			text.WriteString(words[r.IntN(len(words))] + []string{" ", "", "\n"}[r.IntN(3)])
		}
		req := ask("", text.String())
		req.Decode = []denoise.Mode{denoise.Verify, denoise.Causal, denoise.Diffusion}[i%3]
		req.Score = true
		whole, err := e.Generate(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		req.MinLogProb = -float64(1 + r.IntN(30))
		got, err := e.Generate(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		if whole.LineLogProb < req.MinLogProb {
			withheld++
			if got.Text != "" || got.Tokens != 0 || got.Stop != "withheld" {
				t.Fatalf("%v after %q: %q (%s) at %g, bound %g", req.Decode, text.String(), got.Text, got.Stop, whole.LineLogProb, req.MinLogProb)
			}
			if got.Forwards < whole.Forwards {
				spared++
			}
		} else {
			shown++
			if got.Text != whole.Text || got.Stop != whole.Stop || got.LineLogProb != whole.LineLogProb {
				t.Fatalf("%v after %q: %q (%s, %g), without a bound %q (%s, %g)", req.Decode, text.String(), got.Text, got.Stop, got.LineLogProb, whole.Text, whole.Stop, whole.LineLogProb)
			}
		}
		if got.Forwards > whole.Forwards {
			t.Fatalf("%v: %d forwards with a bound, %d without", req.Decode, got.Forwards, whole.Forwards)
		}
	}
	if withheld < 20 || shown < 20 || spared < 10 {
		t.Errorf("%d withheld, %d of them in fewer forwards, %d shown: the test tests little", withheld, spared, shown)
	}
}
