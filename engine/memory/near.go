package memory

import (
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// Source is a store to look into, without one of its documents.
type Source struct {
	Store   *Store // nil: an empty one
	Without string
}

// Recollection is what one request may remember: the texts around its gap, and stores. It
// is not safe for concurrent use.
type Recollection struct {
	sources []Source
	text    []backend.TokenID // after, NoToken, before, decided
	base    int               // of them, all but decided
}

// Recall prepares a request's lookups: before and after are the texts around the gap.
func Recall(before, after []backend.TokenID, sources ...Source) *Recollection {
	text := make([]backend.TokenID, 0, len(before)+len(after)+1+64)
	text = append(append(append(text, after...), backend.NoToken), before...)
	return &Recollection{sources: sources, text: text, base: len(text)}
}

// Guess says what followed the end of before and decided, elsewhere in the texts and in
// the stores. What is near weighs as what is far: the longest match counts, wherever it is.
func (r *Recollection) Guess(decided []backend.TokenID) Guess {
	r.text = append(r.text[:r.base], decided...)
	var t tally
	n := len(r.text)
	if n < Least || r.text[n-1] == backend.NoToken {
		return Guess{}
	}
	last := r.text[n-1]
	for i := n - 2; i >= 0; i-- { // the latest first
		if r.text[i] == last && r.text[i+1] != backend.NoToken {
			t.add(r.text[i+1], matches(r.text, i+1, r.text, n))
		}
	}
	for _, s := range r.sources {
		if s.Store != nil {
			s.Store.collect(&t, r.text[max(0, n-Longest):], s.Without)
		}
	}
	return t.guess()
}

// Draft goes on from decided by first continuations, up to n tokens, as long as all of
// them together are right more often than not.
func (r *Recollection) Draft(decided []backend.TokenID, n int) []backend.TokenID {
	text := slices.Clone(decided)
	right := float32(1)
	for len(text) < len(decided)+n {
		g := r.Guess(text)
		if right *= g.Right(); right < 0.5 {
			break
		}
		text = append(text, g.Said[0].Token)
	}
	return text[len(decided):]
}
