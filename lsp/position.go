package lsp

import (
	"sort"
	"strings"
	"unicode/utf8"

	"go.lsp.dev/protocol"
)

// Encoding is the unit in which a client counts columns.
type Encoding uint8

const (
	UTF16 Encoding = iota // what every client speaks, and the default
	UTF8
	UTF32
)

// encodings by their name on the wire.
var encodings = map[protocol.PositionEncodingKind]Encoding{
	protocol.PositionEncodingKindUTF8: UTF8, protocol.PositionEncodingKindUTF16: UTF16, protocol.PositionEncodingKindUTF32: UTF32,
}

// negotiate picks the encoding that costs least among those offered. Clients that offer
// none count in UTF-16.
func negotiate(offered []protocol.PositionEncodingKind) (Encoding, protocol.PositionEncodingKind) {
	for _, want := range []protocol.PositionEncodingKind{protocol.PositionEncodingKindUTF8, protocol.PositionEncodingKindUTF16, protocol.PositionEncodingKindUTF32} {
		for _, o := range offered {
			if o == want {
				return encodings[o], o
			}
		}
	}
	return UTF16, protocol.PositionEncodingKindUTF16
}

// lines is the index of a text: the byte offset at which each line starts. A line ends
// with \n, \r\n or \r, as LSP has it.
type lines struct {
	text   string
	starts []int
}

func newLines(text string) *lines {
	l := &lines{text: text, starts: make([]int, 1, strings.Count(text, "\n")+2)}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			l.starts = append(l.starts, i+1)
		case '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// line is the text of line n without its line end, and the offset of its start.
func (l *lines) line(n int) (string, int) {
	start, end := l.starts[n], len(l.text)
	if n+1 < len(l.starts) {
		end = l.starts[n+1]
		if end > start && l.text[end-1] == '\n' {
			end--
		}
		if end > start && l.text[end-1] == '\r' {
			end--
		}
	}
	return l.text[start:end], start
}

// width is how many units a rune of that many bytes takes. A byte that is no UTF-8 is
// one character, as the editor shows one (U+FFFD).
func (e Encoding) width(r rune, size int) int {
	switch {
	case e == UTF8:
		return size
	case e == UTF16 && r >= 0x10000:
		return 2
	}
	return 1
}

// offset turns a position into a byte offset. Columns beyond a line's end are its end,
// lines beyond the text are its end, and a column inside of a character is its start: as
// LSP asks for, and so that nothing a client sends can point outside.
func (l *lines) offset(e Encoding, p protocol.Position) int {
	if int64(p.Line) >= int64(len(l.starts)) {
		return len(l.text)
	}
	line, start := l.line(int(p.Line))
	if e == UTF8 {
		at := min(int(min(int64(p.Character), int64(len(line)))), len(line))
		for at > 0 && at < len(line) && !utf8.RuneStart(line[at]) {
			at--
		}
		return start + at
	}
	units, at := int64(p.Character), 0
	for at < len(line) && units > 0 {
		r, size := utf8.DecodeRuneInString(line[at:])
		units -= int64(e.width(r, size))
		if units < 0 {
			break
		}
		at += size
	}
	return start + at
}

// position turns a byte offset into a position. Offsets are clamped to the text; one
// inside of a line end is the end of its line.
func (l *lines) position(e Encoding, offset int) protocol.Position {
	offset = max(0, min(offset, len(l.text)))
	n := sort.SearchInts(l.starts, offset+1) - 1
	line, start := l.line(n)
	units := 0
	for at := 0; at < len(line) && start+at < offset; {
		r, size := utf8.DecodeRuneInString(line[at:])
		if start+at+size > offset && e != UTF8 {
			break
		}
		if e == UTF8 {
			size = min(size, offset-start-at)
		}
		units += e.width(r, size)
		at += size
	}
	return protocol.Position{Line: uint32(n), Character: uint32(units)}
}

// rangeOf is the range between two byte offsets.
func (l *lines) rangeOf(e Encoding, start, end int) protocol.Range {
	return protocol.Range{Start: l.position(e, start), End: l.position(e, end)}
}
