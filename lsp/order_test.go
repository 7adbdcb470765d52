package lsp

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"go.lsp.dev/protocol"
	"pgregory.net/rapid"
)

// lineEnds as LSP has them.
var lineEnds = regexp.MustCompile("\r\n|\n|\r")

// naiveOffset turns a position into a byte offset the slow and plain way, through the
// client's own units.
func naiveOffset(text string, e Encoding, p protocol.Position) int {
	start := 0
	for range p.Line {
		at := lineEnds.FindStringIndex(text[start:])
		if at == nil {
			return len(text)
		}
		start += at[1]
	}
	line := text[start:]
	if at := lineEnds.FindStringIndex(line); at != nil {
		line = line[:at[0]]
	}
	switch e {
	case UTF16:
		units := utf16.Encode([]rune(line))
		n := min(int64(p.Character), int64(len(units)))
		if n > 0 && n < int64(len(units)) && utf16.IsSurrogate(rune(units[n])) && units[n] >= 0xDC00 {
			n-- // between the halves of a pair
		}
		return start + len(string(utf16.Decode(units[:n])))
	case UTF32:
		runes := []rune(line)
		return start + len(string(runes[:min(int64(p.Character), int64(len(runes)))]))
	}
	n := int(min(int64(p.Character), int64(len(line))))
	for n > 0 && n < len(line) && !utf8.RuneStart(line[n]) {
		n--
	}
	return start + n
}

// naivePosition is the position of an offset at a character.
func naivePosition(text string, e Encoding, offset int) protocol.Position {
	ends := lineEnds.FindAllStringIndex(text[:offset], -1)
	line := text[:offset]
	if len(ends) > 0 {
		line = text[ends[len(ends)-1][1]:offset]
	}
	units := map[Encoding]int{UTF8: len(line), UTF16: len(utf16.Encode([]rune(line))), UTF32: utf8.RuneCountInString(line)}[e]
	return protocol.Position{Line: uint32(len(ends)), Character: uint32(units)}
}

// typist edits a text as an editor would, anywhere.
type typist struct {
	text string
	rnd  *rand.Rand
}

// place is an offset that has a position: at a character, not inside of a line end.
func (y *typist) place() int {
	for {
		at := y.rnd.IntN(len(y.text) + 1)
		if at == len(y.text) || utf8.RuneStart(y.text[at]) && (at == 0 || y.text[at-1] != '\r' || y.text[at] != '\n') {
			return at
		}
	}
}

// edit changes the text and tells what was done.
func (y *typist) edit() (from, to int, with string) {
	from = y.place()
	to = from
	if y.rnd.IntN(3) == 0 || len(y.text) > 3000 {
		if to = y.place(); to < from {
			from, to = to, from
		}
	}
	pieces := []string{"a", "bc ", "\n", "\r\n", "\r", "\t", "é", "漢", "😀", ""}
	for range y.rnd.IntN(4) {
		with += pieces[y.rnd.IntN(len(pieces))]
	}
	y.text = y.text[:from] + with + y.text[to:]
	return from, to, with
}

// TestOrder: twenty thousand changes sent in a row, several in a message at times, leave
// the text that the editor has. Were two of them ever taken out of order, or a position
// misread, every suggestion after it would be for another text.
func TestOrder(t *testing.T) {
	for name, e := range map[string]Encoding{"utf-8": UTF8, "utf-16": UTF16, "utf-32": UTF32} {
		w := dial(t, says("x"), Options{})
		w.hello(name, nil)
		y := typist{rnd: rand.New(rand.NewPCG(1, uint64(e)))}
		w.open("")
		for version, sent := 2, 0; sent < 20000; version++ {
			var changes []any
			for range 1 + y.rnd.IntN(2) {
				before := y.text
				from, to, with := y.edit()
				changes = append(changes, map[string]any{"range": protocol.Range{Start: naivePosition(before, e, from), End: naivePosition(before, e, to)}, "text": with})
				sent++
			}
			w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": version}, "contentChanges": changes})
		}
		w.call("shutdown", nil) // all of them are done
		if got := w.s.docs.get(testURI).text(); got != y.text {
			t.Errorf("%s: the server has %d bytes, the editor %d, and they differ", name, len(got), len(y.text))
		}
		w.notify("exit", nil)
	}
}

// TestEdits: edits with any ranges, far outside and backwards ones too, do what LSP says
// they do, in every encoding; older snapshots stay as they were.
func TestEdits(t *testing.T) {
	number := rapid.OneOf(rapid.Uint32Range(0, 12), rapid.SampledFrom([]uint32{1 << 31, 1<<32 - 1, 1000}))
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom([]Encoding{UTF8, UTF16, UTF32}).Draw(t, "encoding")
		text := texts(t, "text")
		doc := newSnapshot("file:///a.go", "go", 1, text)
		for i := range rapid.IntRange(1, 6).Draw(t, "edits") {
			r := protocol.Range{Start: protocol.Position{Line: number.Draw(t, "l0"), Character: number.Draw(t, "c0")},
				End: protocol.Position{Line: number.Draw(t, "l1"), Character: number.Draw(t, "c1")}}
			with := texts(t, "with")
			next, err := doc.change(e, int32(i+2), []protocol.TextDocumentContentChangeEvent{&protocol.TextDocumentContentChangePartial{Range: r, Text: with}})
			if doc.text() != text {
				t.Fatal("an edit changed the snapshot that it was made from")
			}
			if r.Start.Line > r.End.Line || r.Start.Line == r.End.Line && r.Start.Character > r.End.Character {
				if err == nil {
					t.Fatalf("%v was taken", r)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			text = text[:naiveOffset(text, e, r.Start)] + with + text[naiveOffset(text, e, r.End):]
			if doc = next; doc.text() != text {
				t.Fatalf("%v gave %q, want %q", r, doc.text(), text)
			}
			if fresh := newLines(text); fmt.Sprint(fresh.starts) != fmt.Sprint(doc.lines.starts) {
				t.Fatalf("lines of %q start at %v, want %v", text, doc.lines.starts, fresh.starts)
			}
		}
	})
}

// TestSurrogates: halves of a pair that come alone count as one unit each, as the client
// counts them, so that nothing behind them moves.
func TestSurrogates(t *testing.T) {
	w := dial(t, says("x"), Options{})
	w.hello("utf-16", nil)
	w.frame(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"` + testURI + `","languageId":"go","version":1,"text":"a\ud83db\ude00c"}}}`)
	w.change(2, 0, 4, 5, "d")
	w.call("shutdown", nil)
	if got, want := w.s.docs.get(testURI).text(), "a\uFFFDb\uFFFDd"; got != want {
		t.Errorf("the document is %q, want %q", got, want)
	}
	w.notify("exit", nil)
}

// BenchmarkChange is a key typed in the middle of a file of 100 KB, and of 50 MB.
func BenchmarkChange(b *testing.B) {
	for _, size := range []int{100 << 10, 50 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			doc := newSnapshot("file:///a.go", "go", 1, strings.Repeat("\tfoo(bar) // and so on\n", size/23))
			at := protocol.Position{Line: uint32(len(doc.lines.starts) / 2), Character: 4}
			for b.Loop() {
				next, err := doc.change(UTF16, 1, []protocol.TextDocumentContentChangeEvent{&protocol.TextDocumentContentChangePartial{Range: protocol.Range{Start: at, End: at}, Text: "x"}})
				if err != nil {
					b.Fatal(err)
				}
				_ = next
			}
		})
	}
}
