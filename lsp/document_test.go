package lsp

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"go.lsp.dev/protocol"
	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/treesitter"
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

// TestSyntax: whichever snapshots were parsed, the newest has the tree of its own text, and
// the trees of older ones are given back.
func TestSyntax(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	rapid.Check(t, func(t *rapid.T) {
		doc := newSnapshot("file:///a.go", "go", 1, "// Package a.\npackage a\n\nfunc f() {\n\tg(1)\n}\n")
		var parsed []*treesitter.Tree
		for i := range rapid.IntRange(1, 8).Draw(t, "edits") {
			if rapid.Bool().Draw(t, "parse") {
				parsed = append(parsed, doc.syntax(parser))
			}
			at := protocol.Position{Line: rapid.Uint32Range(1, 7).Draw(t, "line"), Character: rapid.Uint32Range(0, 9).Draw(t, "character")}
			next, err := doc.change(UTF16, int32(i+2), []protocol.TextDocumentContentChangeEvent{&protocol.TextDocumentContentChangePartial{
				Range: protocol.Range{Start: at, End: at}, Text: rapid.SampledFrom([]string{"x", "(", "}\n", "\n\tif a {", "é"}).Draw(t, "text")}})
			if err != nil {
				t.Fatal(err)
			}
			doc = next
		}
		tree := doc.syntax(parser)
		if tree.Text() != doc.text() {
			t.Fatalf("the tree is of %q, the document is %q", tree.Text(), doc.text())
		}
		fresh, err := parser.Parse(doc.language, nil, doc.text())
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		defer tree.Close()
		for at := range treesitter.ByteOffset(len(doc.text())) {
			if tree.At(at) != fresh.At(at) {
				t.Fatalf("at %d of %q the tree says %+v, one made anew %+v", at, doc.text(), tree.At(at), fresh.At(at))
			}
		}
		if tree.At(3).Comment.IsZero() {
			t.Fatal("the newest tree is closed")
		}
		for _, old := range parsed {
			if !old.At(3).Comment.IsZero() && doc.parsed() != old {
				t.Fatal("an old tree is still held")
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
