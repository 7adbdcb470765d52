package lsp

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"go.lsp.dev/protocol"

	"github.com/seedling-lsp/seedling/engine"
)

// ownSources are the package's own files: what is edited in a replay.
func ownSources(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) < 10 {
		t.Fatal("no sources", err)
	}
	var out []string
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// writer edits a text as a person does, by seed: it goes to a place, types words, deletes
// backwards, adds and joins lines, pastes, replaces, uses several cursors, undoes.
type writer struct {
	r    *rand.Rand
	e    Encoding
	text string
	past []string
	at   int // where it typed last
	from []string
}

// edit is one notification's changes. It keeps the text as the editor has it.
func (w *writer) edit() []any {
	w.past = append(w.past, w.text)
	switch n := w.r.IntN(100); {
	case n < 6:
		w.at = w.place()
		return []any{w.insert(w.at, w.word())}
	case n < 55: // a word behind the last one
		return []any{w.insert(min(w.at, len(w.text)), w.word())}
	case n < 68: // some characters gone
		from := w.at
		for range 1 + w.r.IntN(6) {
			_, size := utf8.DecodeLastRuneInString(w.text[:from])
			from -= size
		}
		return []any{w.replace(from, w.at, "")}
	case n < 78: // a new line with its indentation
		return []any{w.insert(w.at, []string{"\n", "\n\t", "\r\n\t\t", "\r"}[w.r.IntN(4)])}
	case n < 84: // pasted lines
		src := w.from[w.r.IntN(len(w.from))]
		lines := strings.SplitAfter(src, "\n")
		i := w.r.IntN(len(lines))
		w.at = w.place()
		return []any{w.insert(w.at, strings.Join(lines[i:min(len(lines), i+1+w.r.IntN(12))], ""))}
	case n < 90: // a selection over lines replaced
		a, b := w.place(), w.place()
		if a, b = min(a, b), max(a, b); b-a > 400 {
			b = w.whole(a + 400)
		}
		return []any{w.replace(a, b, w.word())}
	case n < 95: // several cursors: changes one after the other, each in the text of the one before
		var out []any
		for range 2 + w.r.IntN(4) {
			out = append(out, w.insert(w.place(), w.word()))
		}
		return out
	case n < 98 && len(w.past) > 3: // undone
		was := w.past[len(w.past)-2]
		return []any{w.swap(was)}
	}
	// The whole text anew, as after a formatter.
	w.text = w.from[w.r.IntN(len(w.from))]
	w.at = w.place()
	return []any{map[string]any{"text": w.text}}
}

func (w *writer) word() string {
	return []string{"x", "err", " := ", "return ", "(", ")", "{", "}", "\"é\"", "😀", "// 漢字 ", "👩‍👩‍👧", ".", ", ", "if ", "\t", "0"}[w.r.IntN(17)]
}

// whole is the offset or the start of the character, or the CR LF, that it is in.
func (w *writer) whole(at int) int {
	for at > 0 && at < len(w.text) && (!utf8.RuneStart(w.text[at]) || w.text[at] == '\n' && w.text[at-1] == '\r') {
		at--
	}
	return at
}

func (w *writer) place() int { return w.whole(w.r.IntN(len(w.text) + 1)) }

func (w *writer) insert(at int, with string) any { return w.replace(w.whole(at), w.whole(at), with) }

func (w *writer) replace(from, to int, with string) any {
	from, to = w.whole(max(0, from)), w.whole(max(0, to))
	rng := protocol.Range{Start: naivePosition(w.text, w.e, from), End: naivePosition(w.text, w.e, to)}
	w.text = w.text[:from] + with + w.text[to:]
	w.at = w.whole(from + len(with))
	return map[string]any{"range": rng, "text": with}
}

// swap changes the text to another one by the smallest range of whole characters.
func (w *writer) swap(to string) any {
	a := 0
	for a < min(len(w.text), len(to)) && w.text[a] == to[a] {
		a++
	}
	for a > 0 && (a < len(w.text) && !utf8.RuneStart(w.text[a]) || a < len(to) && !utf8.RuneStart(to[a]) || w.text[a-1] == '\r') {
		a--
	}
	b := 0
	for b < min(len(w.text), len(to))-a && w.text[len(w.text)-1-b] == to[len(to)-1-b] {
		b++
	}
	for b > 0 && (!utf8.RuneStart(w.text[len(w.text)-b]) || w.text[len(w.text)-b] == '\n') {
		b--
	}
	rng := protocol.Range{Start: naivePosition(w.text, w.e, a), End: naivePosition(w.text, w.e, len(w.text)-b)}
	change := map[string]any{"range": rng, "text": to[a : len(to)-b]}
	w.text = to
	w.at = w.whole(min(w.at, len(to)))
	return change
}

var replayEdits = flag.Int("replay.edits", 5000, "edits of the replay, over all encodings")

// TestReplay types thousands of edits at the server, in each encoding. After each one the
// server's text must be the editor's, and no request may be answered for a text that is
// gone: a suggestion drawn over another text is the worst that a completion can do.
func TestReplay(t *testing.T) {
	sources := ownSources(t)
	for _, e := range []struct {
		name string
		e    Encoding
	}{{"utf-8", UTF8}, {"utf-16", UTF16}, {"utf-32", UTF32}} {
		t.Run(e.name, func(t *testing.T) {
			var asked atomic.Pointer[engine.Request]
			var goOn atomic.Pointer[chan struct{}]
			w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
				asked.Store(&r)
				if c := goOn.Load(); c != nil {
					<-*c // whatever the context says: an engine is in its forward
				}
				return engine.Result{Text: "x", Stop: "end"}, nil
			}), Options{})
			w.hello(e.name, nil)
			k := &writer{r: rand.New(rand.NewPCG(7, uint64(e.e))), e: e.e, from: sources, text: sources[0]}
			w.open(k.text)
			answered, stale := 0, 0
			edits := *replayEdits / 3
			for n := range edits {
				version := n + 2
				held := n%7 == 3
				id := 0
				if held { // asked before the edit, and still at work after it
					c := make(chan struct{})
					goOn.Store(&c)
					p := naivePosition(k.text, k.e, k.at)
					id = w.inline(int(p.Line), int(p.Character))
				}
				w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": version}, "contentChanges": k.edit()})
				w.wait(w.send("test/sync", map[string]any{})) // its refusal comes when the edit is in
				if doc := w.s.docs.get(testURI); doc.text() != k.text || doc.version != int32(version) {
					t.Fatalf("after edit %d the server has version %d, %s", n, doc.version, difference(doc.text(), k.text))
				}
				if held {
					close(*goOn.Swap(nil))
					if r := w.wait(id); r.Error == nil && string(r.Result) != `{"items":[]}` || r.Error != nil && r.Error.Code != -32801 {
						t.Fatalf("edit %d: a request for the text before it got %s %+v", n, r.Result, r.Error)
					} else if r.Error != nil {
						stale++
					}
				}
				if n%3 == 0 {
					asked.Store(nil)
					p := naivePosition(k.text, k.e, k.at)
					r := w.wait(w.inline(int(p.Line), int(p.Character)))
					if r.Error != nil {
						t.Fatalf("edit %d: %+v", n, r.Error)
					}
					if got := asked.Load(); got != nil {
						answered++
						before := k.text[:k.at]
						for strings.Contains(before, "\r\n") { // as the model sees them
							before = strings.ReplaceAll(before, "\r\n", "\n")
						}
						if !strings.HasSuffix(before, got.Prefix[max(0, len(got.Prefix)-500):]) {
							t.Fatalf("edit %d: the model was asked behind %q, the cursor is behind %q", n, got.Prefix[max(0, len(got.Prefix)-60):], before[max(0, len(before)-60):])
						}
					}
				}
			}
			if answered < edits/20 || stale < edits/50 {
				t.Errorf("only %d requests came to the model, %d were stale", answered, stale)
			}
			t.Logf("%d edits, %d asked, %d stale", edits, answered, stale)
			w.bye()
		})
	}
}

func difference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("byte %d: %q, the editor %q", i, a[max(0, i-20):min(len(a), i+20)], b[max(0, i-20):min(len(b), i+20)])
}
