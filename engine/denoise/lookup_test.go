package denoise

import (
	"context"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// What a draft is taken from decides what it is worth: the longest match, of equals the
// latest, as long as the match and no longer.
func TestLookup(t *testing.T) {
	for _, tt := range []struct {
		name       string
		text, want []backend.TokenID
	}{
		{"nothing", nil, nil},
		{"one token", []backend.TokenID{5}, nil},
		{"one token matches", []backend.TokenID{5, 6, 5}, nil},
		{"two match", []backend.TokenID{5, 6, 7, 8, 9, 5, 6}, []backend.TokenID{7, 8}},
		{"the latest of two", []backend.TokenID{5, 6, 7, 7, 5, 6, 8, 8, 5, 6}, []backend.TokenID{8, 8}},
		{"the longest, though earlier", []backend.TokenID{4, 5, 6, 7, 7, 7, 9, 5, 6, 8, 8, 4, 5, 6}, []backend.TokenID{7, 7, 7}},
		{"up to the end", []backend.TokenID{5, 6, 5, 6, 5, 6}, []backend.TokenID{5, 6}},
		{"a loop of one", []backend.TokenID{5, 5, 5, 5}, []backend.TokenID{5}},
		{"eight at the most", append(append([]backend.TokenID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
			[]backend.TokenID{11, 12, 13, 14, 15, 16, 17, 18}},
	} {
		if got := lookup(tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A text that stands there already is read, not written: many tokens a forward, no canvas
// beside them, no row behind the end of the answer.
func TestRepetitionIsRead(t *testing.T) {
	f := newFake(3)
	f.enders, f.agree = -20, 0
	text := []backend.TokenID{7, 8, 9}
	for range 40 {
		text = append(text, f.greedy(text))
	}
	said := append(slices.Clone(text), text[:3]...)
	run := func(m Mode) (Result, int) {
		seq, _ := f.Fork(backend.Root)
		f.seqs[seq], f.asked = slices.Clone(said[:len(said)-1]), 0
		stop := func(decided []backend.TokenID) (int, bool) { return len(decided), len(decided) >= 24 }
		r, err := Run(context.Background(), f, seq, said[len(said)-1:], Options{Mode: m, BlockSize: 8, MaxTokens: 60, Tokens: fakeTokens, Stop: stop, Context: said})
		if err != nil {
			t.Fatal(err)
		}
		return r, f.asked
	}
	causal, rows := run(Causal)
	if causal.Forwards != 24 || rows != 24 {
		t.Errorf("causal took %d forwards, %d rows", causal.Forwards, rows)
	}
	verify, rows := run(Verify)
	// Drafts of 3, 7 and 8 tokens (as many as match), each with the token after it, and the
	// last of 3, cut before the one that ends the answer.
	if !slices.Equal(verify.Tokens, causal.Tokens) || verify.Forwards != 4 || rows != 24 {
		t.Errorf("verify took %d forwards, %d rows: %v, want %v", verify.Forwards, rows, verify.Tokens, causal.Tokens)
	}
}
