package memory

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/backend"
)

type ids = []backend.TokenID

// What a guess is taken from decides what it is worth: the longest match, wherever it is,
// and all that followed it.
func TestGuess(t *testing.T) {
	for _, tt := range []struct {
		name          string
		after, before ids
		stored        map[string]ids
		match, count  int
		said          []Said
	}{
		{name: "nothing"},
		{name: "one token", before: ids{5}},
		{name: "one token matches", before: ids{5, 6, 5}},
		{name: "two match", before: ids{5, 6, 7, 8, 9, 5, 6}, match: 2, count: 1, said: []Said{{7, 1}}},
		{name: "more often goes first", before: ids{5, 6, 7, 5, 6, 7, 5, 6, 8, 5, 6}, match: 2, count: 3, said: []Said{{7, 2. / 3}, {8, 1. / 3}}},
		{name: "of equals the latest", before: ids{5, 6, 7, 5, 6, 8, 5, 6}, match: 2, count: 2, said: []Said{{8, 0.5}, {7, 0.5}}},
		{name: "the longest, though earlier", before: ids{4, 5, 6, 7, 9, 5, 6, 8, 4, 5, 6}, match: 3, count: 1, said: []Said{{7, 1}}},
		{name: "after the gap", after: ids{5, 6, 7}, before: ids{1, 5, 6}, match: 2, count: 1, said: []Said{{7, 1}}},
		{name: "not over the gap", after: ids{8, 5, 6}, before: ids{9, 5, 6}},
		{name: "not a match over the gap", after: ids{5}, before: ids{6, 7, 5, 6}},
		{name: "stored", before: ids{1, 5, 6}, stored: map[string]ids{"a": {5, 6, 7}}, match: 2, count: 1, said: []Said{{7, 1}}},
		{name: "stored, longer", before: ids{5, 6, 8, 4, 5, 6}, stored: map[string]ids{"a": {4, 5, 6, 7}}, match: 3, count: 1, said: []Said{{7, 1}}},
		{name: "stored, shorter", before: ids{4, 5, 6, 8, 4, 5, 6}, stored: map[string]ids{"a": {5, 6, 7}}, match: 3, count: 1, said: []Said{{8, 1}}},
		{name: "near and far together", before: ids{5, 6, 8, 5, 6}, stored: map[string]ids{"a": {5, 6, 8, 9}}, match: 2, count: 2, said: []Said{{8, 1}}},
		{name: "not what the document itself was", before: ids{1, 5, 6}, stored: map[string]ids{"own": {5, 6, 7}}},
		{name: "not over documents' ends", before: ids{1, 5, 6}, stored: map[string]ids{"a": {5, 6}, "b": {7, 8}}},
		{name: "eight at the most", before: append(ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
			match: 8, count: 2, said: []Said{{12, 0.5}, {11, 0.5}}},
	} {
		s := NewStore(1000)
		for id, text := range tt.stored {
			s.Put(id, text)
		}
		got := Recall(tt.before, tt.after, Source{s, "own"}, Source{}).Guess(nil)
		if got.Match != tt.match || got.Count != tt.count || !slices.Equal(got.Said, tt.said) {
			t.Errorf("%s: %+v", tt.name, got)
		}
		// What is decided is as good as what stands before.
		if n := len(tt.before); n > 0 {
			if got := Recall(tt.before[:n-1], tt.after, Source{s, "own"}).Guess(tt.before[n-1:]); got.Match != tt.match || !slices.Equal(got.Said, tt.said) {
				t.Errorf("%s, the last one decided: %+v", tt.name, got)
			}
		}
	}
}

// The index must find what looking everywhere finds, whatever was put, put anew and
// forgotten: else guesses get worse unseen, or show what is gone.
func TestStoreFindsAll(t *testing.T) {
	compacted := false
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.Map(rapid.IntRange(1, 4), func(i int) backend.TokenID { return backend.TokenID(i) }), 0, 40)
		s := NewStore(100000)
		docs := map[string]ids{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			id := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "id"))
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				s.Forget(id)
				delete(docs, id)
				continue
			}
			docs[id] = text.Draw(t, "text")
			s.Put(id, docs[id])
			if rapid.Bool().Draw(t, "compact") {
				s.mu.Lock()
				s.compact()
				s.mu.Unlock()
				compacted = true
			}
		}
		tokens := 0
		for _, d := range docs {
			tokens += len(d)
		}
		if n, m := s.Len(); n != len(docs) || m != tokens {
			t.Fatalf("%d documents of %d tokens, want %d of %d", n, m, len(docs), tokens)
		}
		end := text.Draw(t, "end")
		without := fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "without"))
		var want tally
		for id, d := range docs {
			for i := range d {
				if id != without {
					want.add(d[i], matches(d, i, end, len(end)))
				}
			}
		}
		var got tally
		s.collect(&got, end, without)
		count := func(t tally) map[backend.TokenID]int {
			m := map[backend.TokenID]int{}
			for _, x := range t.said {
				m[x.token] = x.n
			}
			return m
		}
		if want.count > walk { // a chain is not walked to its end
			return
		}
		// Shorter matches may hide behind a chain that is full of others.
		if fmt.Sprint(count(got)) != fmt.Sprint(count(want)) || got.match != want.match && want.count > 0 {
			t.Fatalf("found %+v, want %+v of %v after %v", got, want, docs, end)
		}
	})
	if !compacted {
		t.Error("nothing was compacted")
	}
}

// A store is bounded, and what was put first goes first.
func TestStoreIsBounded(t *testing.T) {
	s := NewStore(1000)
	text := make(ids, 90)
	for i := range 100 {
		for j := range text {
			text[j] = backend.TokenID(100*i + j)
		}
		s.Put(fmt.Sprint(i), text)
		if _, n := s.Len(); n > 1000 || len(s.text) > 2600 {
			t.Fatalf("%d tokens, %d with the dead ones", n, len(s.text))
		}
	}
	if n, _ := s.Len(); n != 10 || s.Has("89") || !s.Has("90") {
		t.Errorf("%d documents, 89 %v, 90 %v", n, s.Has("89"), s.Has("90"))
	}
	if g := Recall(ids{100 * 95, 100*95 + 1}, nil, Source{Store: s}).Guess(nil); len(g.Said) != 1 || g.Said[0].Token != 100*95+2 {
		t.Errorf("of what is kept: %+v", g)
	}
	if g := Recall(ids{100 * 5, 100*5 + 1}, nil, Source{Store: s}).Guess(nil); g.Match != 0 {
		t.Errorf("of what is gone: %+v", g)
	}
	s.Put("large", make(ids, 5000))
	if _, n := s.Len(); n > 1000 {
		t.Errorf("%d tokens with a large one", n)
	}
}

// Weights must make a distribution of the mixture, and grow with the evidence: a table
// mistyped would make answers worse, and no other test would see it.
func TestTable(t *testing.T) {
	for m := Least; m <= Longest; m++ {
		for a := range 4 {
			w := table[m][a]
			if !(w.weight > 0 && w.weight < 1) || !(w.right > 0 && w.right < 1) {
				t.Errorf("match %d, agreement %d: %+v", m, a, w)
			}
			if a > 0 && (w.weight <= table[m][a-1].weight || w.right <= table[m][a-1].right) {
				t.Errorf("match %d: agreement %d is worth no more than %d", m, a, a-1)
			}
			if m > Least && (w.weight < table[m-1][a].weight || w.right < table[m-1][a].right) {
				t.Errorf("agreement %d: match %d is worth less than %d", a, m, m-1)
			}
		}
	}
	if (Guess{}).Weight() != 0 || (Guess{Match: 8}).Weight() != 0 {
		t.Error("no guess has a weight")
	}
}

func TestOnly(t *testing.T) {
	g := Guess{Match: 3, Count: 4, Said: []Said{{1, 0.5}, {2, 0.25}, {3, 0.25}}}
	got := g.Only(func(t backend.TokenID) bool { return t != 1 })
	if len(got.Said) != 2 || got.Share(1) != 0 || math.Abs(float64(got.Share(2))-0.5) > 1e-6 || len(g.Said) != 3 {
		t.Errorf("%+v of %+v", got, g)
	}
	if got := g.Only(func(backend.TokenID) bool { return false }); got.Match != 0 || got.Weight() != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}

// A draft goes on while it is likely right: as a whole text that stands elsewhere, not a
// token longer than asked, and never where continuations differ.
func TestDraft(t *testing.T) {
	var far ids
	for i := range backend.TokenID(30) {
		far = append(far, 100+i)
	}
	s := NewStore(1000)
	for _, id := range []string{"a", "b", "c"} {
		s.Put(id, append(slices.Clone(far), backend.TokenID(len(id))))
	}
	r := Recall(far[:8], nil, Source{Store: s})
	if got := r.Draft(nil, 5); !slices.Equal(got, far[8:13]) {
		t.Errorf("five: %v", got)
	}
	if got := r.Draft(far[8:10], 100); !slices.Equal(got[:20], far[10:30]) {
		t.Errorf("all: %v", got)
	}
	if got := Recall(ids{1, 2, 3, 1, 2, 4, 1, 2}, nil).Draft(nil, 5); len(got) != 0 {
		t.Errorf("of two ways: %v", got)
	}
}

func BenchmarkGuess(b *testing.B) {
	s := NewStore(0)
	x := uint32(1)
	next := func() backend.TokenID {
		x = x*1664525 + 1013904223
		return backend.TokenID((x >> 16) % 64 * ((x >> 8) % 8)) // some tokens are much more frequent
	}
	text := make(ids, 1<<20)
	for i := range text {
		text[i] = next()
	}
	s.Put("far", text)
	r := Recall(text[5000:9000], text[9100:10000], Source{Store: s})
	b.ResetTimer()
	for i := range b.N {
		r.Guess(text[2000 : 2000+i%64])
	}
}
