package lsp

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"go.lsp.dev/protocol"
	"pgregory.net/rapid"
)

// texts draws documents with every kind of line end and of character.
func texts(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "bc", "\n", "\r\n", "\r", "\t", "é", "漢", "😀", "👩‍👩‍👧", "  "}), 0, 30).Draw(t, label), "")
}

// TestReplacedIndex: an edit gives the text of cutting and pasting, and the line index of
// reading it anew. Without it a document would slowly drift from the editor's.
func TestReplacedIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLines(texts(t, "text"))
		for range rapid.IntRange(1, 8).Draw(t, "edits") {
			from := rapid.IntRange(0, len(l.text)).Draw(t, "from")
			to := rapid.IntRange(from, len(l.text)).Draw(t, "to")
			with := texts(t, "with")
			want := l.text[:from] + with + l.text[to:]
			l = l.replaced(from, to, with)
			if l.text != want {
				t.Fatalf("text %q, want %q", l.text, want)
			}
			if fresh := newLines(want); !slices.Equal(fresh.starts, l.starts) {
				t.Fatalf("lines of %q start at %v, want %v", want, l.starts, fresh.starts)
			}
		}
	})
}

// TestPositions: offsets at characters survive the way to a position and back, columns
// count what the encoding counts, and no position points outside.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLines(texts(t, "text"))
		for _, e := range []Encoding{UTF8, UTF16, UTF32} {
			for n := range l.starts {
				line, start := l.line(n)
				for at := 0; at <= len(line); at++ {
					if at < len(line) && !utf8.RuneStart(line[at]) {
						continue
					}
					p := l.position(e, start+at)
					want := map[Encoding]int{UTF8: at, UTF16: len(utf16.Encode([]rune(line[:at]))), UTF32: utf8.RuneCountInString(line[:at])}[e]
					if int(p.Line) != n || int(p.Character) != want {
						t.Fatalf("encoding %d: byte %d of line %d is %+v, want column %d", e, at, n, p, want)
					}
					if back := l.offset(e, p); back != start+at {
						t.Fatalf("encoding %d: %+v is byte %d, want %d", e, p, back, start+at)
					}
				}
			}
			p := protocol.Position{Line: rapid.Uint32().Draw(t, "line") % 40, Character: rapid.Uint32().Draw(t, "character")}
			if off := l.offset(e, p); off < 0 || off > len(l.text) {
				t.Fatalf("%+v points to %d of %d", p, off, len(l.text))
			}
		}
	})
}

// FuzzPositions: any text, any position.
func FuzzPositions(f *testing.F) {
	f.Add("a\r\nb😀\xff", uint32(1), uint32(2))
	f.Fuzz(func(t *testing.T, text string, line, character uint32) {
		l := newLines(text)
		for _, e := range []Encoding{UTF8, UTF16, UTF32} {
			off := l.offset(e, protocol.Position{Line: line, Character: character})
			if off < 0 || off > len(text) {
				t.Fatalf("%d of %d", off, len(text))
			}
			l.position(e, off)
		}
	})
}
