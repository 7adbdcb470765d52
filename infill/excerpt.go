package infill

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/treesitter"
)

// A document is parsed, scanned and finished in an excerpt around the cursor, between two
// lines that stand between declarations: what a key costs must not grow with the file. (A
// parse after a change reads on to where the syntax is as it was, behind an open bracket to
// the text's end: some 5 ms in 50 KB. The first one of 100,000 lines takes most of a second.)
// What the model and the memory see is taken of the whole.
const (
	excerptFrom = 24 << 10 // bytes: shorter documents are taken whole
	excerptSide = 3 << 10  // before the cursor and after it, at least
	// excerptStep: the edges are looked for from multiples of it on, counted from the
	// document's start and from its end, so that typing leaves both where they are.
	excerptStep = 1 << 10
	// excerptReach is how far from there an edge is looked for: a function may be long.
	excerptReach = 128 << 10
	// excerptWhole: where there is no edge, documents up to so many bytes are taken whole.
	excerptWhole = 2 << 20
)

// Stretch is a part of a text. Cut says that it ends in the middle of something
// ([Document].Cut).
type Stretch struct {
	From, To int
	Cut      bool

	near, sound int // the nearest edge before the cursor, and the one taken; -1: none could be
}

// Excerpt is the stretch of a text in which a plan for the cursor at an offset is best made: all
// of it where it is short, or where there is no better one. That an edge lies in no string or
// comment is known when all before it was scanned, unless last has it, the stretch of the
// document before this one (zero: there was none).
func Excerpt(lang treesitter.Language, text string, at int, last Stretch) Stretch {
	all := Stretch{To: len(text)}
	if len(text) <= excerptFrom || at < 0 || at > len(text) {
		return all
	}
	s := all
	if edge := (at - excerptSide) / excerptStep * excerptStep; edge > 0 {
		s.soundEdge(lang, text, edge, last)
		s.From = s.sound
	}
	if rest := (len(text) - at - excerptSide) / excerptStep * excerptStep; rest > 0 {
		edge := len(text) - rest
		if s.To = between(text, edge, min(len(text), edge+excerptReach)); s.To < 0 && rest <= excerptReach {
			s.To = len(text)
		}
	}
	if s.From >= 0 && s.To >= 0 {
		return s
	}
	if len(text) <= excerptWhole {
		all.near, all.sound = s.near, s.sound
		return all
	}
	if s.From < 0 {
		s.From = lineFrom(text, at-excerptSide)
	}
	if s.To < 0 {
		s.To, s.Cut = lineFrom(text, at+excerptSide), true
	}
	return s
}

// soundEdge sets near and sound to places between declarations up to an edge. The text's
// start is one, too.
func (s *Stretch) soundEdge(lang treesitter.Language, text string, edge int, last Stretch) {
	low := max(0, edge-excerptReach)
	var found []int // from the edge backwards
	for i := edge; ; {
		n := strings.LastIndexByte(text[low:i], '\n')
		if n < 0 {
			break
		}
		if i = low + n; isBetween(text, i+1) {
			if len(found) == 0 && i+1 == last.near {
				s.near, s.sound = last.near, last.sound
				return
			}
			found = append(found, i+1)
		}
	}
	if s.sound = -1; low == 0 {
		s.sound = 0
	}
	sc, done := newScanner(dialectOf(lang), 0), 0
	for _, at := range slices.Backward(found) {
		done = sc.run(text[:at], done, true)
		if s.near = at; sc.in == inCode {
			s.sound = at
		}
	}
}

// between is the first place between declarations in [low, high); -1: there is none.
func between(text string, low, high int) int {
	for i := max(low-1, 0); i < high; {
		n := strings.IndexByte(text[i:high], '\n')
		if n < 0 {
			break
		}
		if i += n + 1; i < high && isBetween(text, i) {
			return i
		}
	}
	return -1
}

// isBetween says whether a line that begins at an offset is not indented, closes nothing and
// comes after an empty one.
func isBetween(text string, at int) bool {
	if at >= len(text) || at < 2 || strings.IndexByte(" \t\r\n)}]*", text[at]) >= 0 {
		return false
	}
	return strings.HasSuffix(strings.TrimSuffix(text[:at-1], "\r"), "\n")
}

// lineFrom is the first start of a line from an offset on; in an endless line the start of a
// character.
func lineFrom(text string, at int) int {
	if n := strings.IndexByte(text[at:min(len(text), at+excerptStep)], '\n'); n >= 0 {
		return at + n + 1
	}
	for at < len(text) && !utf8.RuneStart(text[at]) {
		at++
	}
	return at
}
