package memory

import "github.com/seedling-lsp/seedling/engine/backend"

const (
	// Longest match that is told from a longer one, in tokens.
	Longest = 8
	// Least match that is one: what followed a single token says little.
	Least = 2
	// Most continuations that a guess names.
	Most = 4
)

// Said is a continuation: a token, and its share of what followed the match.
type Said struct {
	Token backend.TokenID
	Share float32
}

// Guess is what followed the longest match of a text's end.
type Guess struct {
	Match int    // tokens that matched, Least to Longest; 0: there is no guess
	Count int    // places with that match
	Said  []Said // at most Most, by share, of equals what was met first
}

// Weight is the share of the mixture that a guess is worth: p = (1-w)·model + w·memory.
func (g Guess) Weight() float32 { return g.row().weight }

// Right is how often the first continuation is right: what a draft of it is worth.
func (g Guess) Right() float32 { return g.row().right }

// Share is the share of a token among the continuations that are named.
func (g Guess) Share(t backend.TokenID) float32 {
	for _, s := range g.Said {
		if s.Token == t {
			return s.Share
		}
	}
	return 0
}

// Only keeps the continuations that may be, with their shares made whole again.
func (g Guess) Only(may func(backend.TokenID) bool) Guess {
	var kept []Said
	sum := float32(0)
	for _, s := range g.Said {
		if may(s.Token) {
			kept = append(kept, s)
			sum += s.Share
		}
	}
	if len(kept) == 0 {
		return Guess{}
	}
	for i := range kept {
		kept[i].Share /= sum
	}
	g.Said = kept
	return g
}

// row is the guess's place in the table.
func (g Guess) row() worth {
	if g.Match < Least || len(g.Said) == 0 {
		return worth{}
	}
	return table[min(g.Match, Longest)][g.Agreement()]
}

// Agreement is 0 where the continuations differ, else the number of places, up to 3.
func (g Guess) Agreement() int {
	if len(g.Said) != 1 {
		return 0
	}
	return min(g.Count, 3)
}

// tally counts continuations of the longest match met so far.
type tally struct {
	match, count int
	said         []counted
}

type counted struct {
	token backend.TokenID
	n     int
}

// add counts a continuation after a match of m tokens; longer matches drop shorter ones.
func (t *tally) add(token backend.TokenID, m int) {
	if m < t.match || m < Least {
		return
	}
	if m > t.match {
		t.match, t.count, t.said = m, 0, t.said[:0]
	}
	t.count++
	for i := range t.said {
		if t.said[i].token == token {
			t.said[i].n++
			for ; i > 0 && t.said[i].n > t.said[i-1].n; i-- {
				t.said[i], t.said[i-1] = t.said[i-1], t.said[i]
			}
			return
		}
	}
	t.said = append(t.said, counted{token, 1})
}

func (t *tally) guess() Guess {
	if t.count == 0 {
		return Guess{}
	}
	g := Guess{Match: t.match, Count: t.count}
	for _, s := range t.said[:min(len(t.said), Most)] {
		g.Said = append(g.Said, Said{s.token, float32(s.n) / float32(t.count)})
	}
	return g
}

// matches is how many tokens before a[i] and b[j] are alike, at most Longest.
func matches(a []backend.TokenID, i int, b []backend.TokenID, j int) int {
	n := 0
	for n < Longest && n < i && n < j && a[i-1-n] == b[j-1-n] && a[i-1-n] != backend.NoToken {
		n++
	}
	return n
}
