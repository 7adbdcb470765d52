package infill

import (
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/treesitter"
)

// ByteOffset is a position between the bytes of a document, 0-based.
type ByteOffset = treesitter.ByteOffset

// Document is a text to be completed, as it stands in the editor.
type Document struct {
	Path     string // as the user knows it; may be empty
	Language treesitter.Language
	Text     string // of any bytes
	// Tree is the syntax of Text, or nil. One of another text is not used.
	Tree *treesitter.Tree
	// Whole is the text of which Text is an excerpt that begins at From ([Excerpt]), for what
	// the model and the memory see of it; empty: there is no more than Text. Cut says that
	// the excerpt ends in the middle of a declaration. Plans know of it, edits do not.
	Whole string
	From  int
	Cut   bool
	// Parser reads the text with a suggestion in its place; nil: that is left out.
	Parser *treesitter.Parser
}

// whole is all of the document's text, and where Text begins in it.
func (d Document) whole() (text string, from int) {
	if d.Whole == "" {
		return d.Text, 0
	}
	return d.Whole, d.From
}

// longLine is the length in bytes from which a line is no longer written by people.
const longLine = 64 << 10

// lineStart is the offset of the first byte of the line that holds at. ok is false when
// the line is too long to be looked through.
func lineStart(text string, at int) (start int, ok bool) {
	low := max(0, at-longLine)
	if i := strings.LastIndexByte(text[low:at], '\n'); i >= 0 {
		return low + i + 1, true
	}
	return low, low == 0
}

// lineEnd is the offset behind the last byte of the line that holds at, without its
// line end.
func lineEnd(text string, at int) (end int, ok bool) {
	high := min(len(text), at+longLine)
	if i := strings.IndexByte(text[at:high], '\n'); i >= 0 {
		end = at + i
		if end > at && text[end-1] == '\r' {
			end--
		}
		return end, true
	}
	return high, high == len(text)
}

// boundary moves an offset back to the character it is in, and out of a CR LF.
func boundary(text string, at int) int {
	if at > 0 && at < len(text) && text[at] == '\n' && text[at-1] == '\r' {
		return at - 1
	}
	for back := 1; back < utf8.UTFMax && at-back >= 0 && at < len(text) && !utf8.RuneStart(text[at]); back++ {
		if _, size := utf8.DecodeRuneInString(text[at-back:]); size > back {
			return at - back
		}
	}
	return at
}

// indentOf is the leading white space of a line.
func indentOf(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// width of an indentation in columns, tabs to every eighth as Python counts them.
func width(indent string) int {
	w := 0
	for i := 0; i < len(indent); i++ {
		if indent[i] == '\t' {
			w = w/8*8 + 8
		} else {
			w++
		}
	}
	return w
}

func blank(s string) bool { return strings.TrimLeft(s, " \t\r\n\f\v") == "" }

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= utf8.RuneSelf || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
