package nextedit

import (
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/treesitter"
)

// Document is a text with its syntax.
type Document struct {
	Path     string // with slashes
	Language treesitter.Language
	Text     string
	Tree     *treesitter.Tree // of Text; nil: nothing is found but what is written the same
}

// Change is what became of a document by one edit: Before.Text[Start:OldEnd] became
// After.Text[Start:NewEnd], all else is the same. A Change of a Log is of a person's edit
// in one place, however many keys it took.
type Change struct {
	Before, After         Document
	Start, OldEnd, NewEnd int
}

// Old is the text that was replaced.
func (c Change) Old() string { return c.Before.Text[c.Start:c.OldEnd] }

// New is the text that replaced it.
func (c Change) New() string { return c.After.Text[c.Start:c.NewEnd] }

// now is where an offset of the text before is in the text after; false: in the edit.
func (c Change) now(at treesitter.Range) (treesitter.Range, bool) {
	switch {
	case int(at.End) <= c.Start:
		return at, true
	case int(at.Start) >= c.OldEnd:
		d := treesitter.ByteOffset(c.NewEnd - c.OldEnd)
		return treesitter.Range{Start: at.Start + d, End: at.End + d}, true
	}
	return at, false
}

// Edit of a text.
type Edit struct {
	treesitter.Range
	Text string
}

// maxChange is how long, in bytes, a change may be that is taken for a pattern.
const maxChange = 200

// small says whether a change can be a pattern.
func (c Change) small() bool {
	return len(c.Old()) <= maxChange && len(c.New()) <= maxChange && !strings.Contains(c.Old(), "\n") && !strings.Contains(c.New(), "\n") &&
		c.Old() != c.New()
}

// Difference finds the one replacement that makes b of a: a[start:endA] became
// b[start:endB], cut between characters.
func Difference(a, b string) (start, endA, endB int) {
	n := min(len(a), len(b))
	for start < n && a[start] == b[start] {
		start++
	}
	for start > 0 && start < len(a) && !utf8.RuneStart(a[start]) {
		start--
	}
	endA, endB = len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	for endA < len(a) && !utf8.RuneStart(a[endA]) {
		endA, endB = endA+1, endB+1
	}
	return start, endA, endB
}
