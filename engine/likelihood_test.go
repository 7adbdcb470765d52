package engine

import (
	"context"
	"math"
	"strings"
	"testing"
)

// The likelihood of a text is that which decoding would give its tokens: the model's own
// answer is likelier than another one, a request that is newer ends it, and the cache holds
// what it is said to hold, so that the next answer is the same as without it.
func TestLikelihood(t *testing.T) {
	s := newScript(play)
	e := New(s.model(false), s, Options{MemoryTokens: -1})
	defer e.Close()
	at := strings.Index(play, "\tvalue7") + 1
	line := play[at : at+strings.IndexByte(play[at:], '\n')]
	req := Request{Document: "a", Prefix: play[:at], MaxTokens: 100, Stop: oneLine}
	want, err := e.Generate(context.Background(), req)
	if err != nil || want.Text != line {
		t.Fatalf("%+v, %v", want, err)
	}
	truth, err := e.Likelihood(context.Background(), req, line)
	if err != nil || truth.Tokens == 0 || truth.Bytes != len(line) || !truth.Room || truth.ContextTokens != want.ContextTokens {
		t.Fatalf("%+v, %v", truth, err)
	}
	// Where a text ends inside of a token of the play, its last token is another.
	if least := -0.03*float64(truth.Tokens-1) - 7.01; truth.LogProb > -0.02*float64(truth.Tokens-1) || truth.LogProb < least {
		t.Errorf("the truth has %g in %d tokens", truth.LogProb, truth.Tokens)
	}
	other, err := e.Likelihood(context.Background(), req, "quite(another, text)")
	if err != nil || other.LogProb > truth.LogProb-7 {
		t.Errorf("another text %+v, the truth %+v, %v", other, truth, err)
	}
	if b := truth.BitsPerByte(); math.Abs(b+truth.LogProb/math.Ln2/float64(len(line))) > 1e-9 {
		t.Errorf("%g bits a byte", b)
	}
	long, err := e.Likelihood(context.Background(), req, strings.Repeat(play, 3))
	if err != nil || long.Room || long.Tokens+long.ContextTokens > s.limits.Positions {
		t.Errorf("of a text that has no room: %+v, %v", long, err)
	}
	e.recall.forget("a")
	if again, err := e.Generate(context.Background(), req); err != nil || again.Text != line {
		t.Errorf("afterwards %+v, %v", again, err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Likelihood(gone, req, line); err == nil {
		t.Error("a cancelled one is answered")
	}
}
