package lsp

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/engine"
)

// librarian says one thing and keeps what it is to remember.
type librarian struct {
	Generator
	mu   sync.Mutex
	text map[string]string
	own  string

	remembers func(document string) // called when a document is remembered, if not nil
}

func (l *librarian) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	l.mu.Lock()
	l.own = r.Own
	l.mu.Unlock()
	return l.Generator.Generate(ctx, r)
}

func (l *librarian) Remember(document, text string) {
	if l.remembers != nil {
		l.remembers(document)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text[document] = text
}

func (l *librarian) Forget(document string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.text, document)
}

// The code around is remembered: what is open as it stands in the editor, the rest as on
// disk, kept up to date; nothing that is left alone, and no secret in what is not.
func TestLibrary(t *testing.T) {
	l := &librarian{Generator: says("x := 1"), text: map[string]string{}}
	w, root, ask := projectOf(t, l, nil, map[string]string{
		".seedlingignore": "private/\n", ".env": "A=1\n", "a.go": "package on_disk\n", "b.go": "package b\n", "sub/c.py": "c = 1\n", "private/d.go": "package d\n",
		"node_modules/e.js": "e()\n", ".hidden/f.go": "package f\n", "notes.txt": "text\n", "large.go": "package large // " + strings.Repeat("x", libraryFile),
		"docs/g.go": "package g\n", "key.go": "package key\n\nvar password = \"hunter2hunter2\"\n",
	})
	known := func() string {
		t.Helper()
		w.s.library.wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		var names []string
		for p := range maps.Keys(l.text) {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				t.Errorf("%q is remembered", p)
			}
			names = append(names, filepath.ToSlash(rel))
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	again := func() { // as after libraryReread
		w.s.library.wait()
		for k := range w.s.library.read {
			w.s.library.read[k] = time.Time{}
		}
	}
	set := func(section string) {
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": json.RawMessage(section)}})
	}
	in := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }

	set(`{"exclude":["docs/**"]}`)
	if !ask("a.go") {
		t.Fatal("no suggestion")
	}
	if got := known(); got != "b.go key.go sub/c.py" {
		t.Errorf("from a.go: %s", got)
	}
	if l.own != in("a.go") {
		t.Errorf("the request's own document is %q", l.own)
	}
	if s := l.text[in("key.go")]; strings.Contains(s, "hunter2") || !strings.Contains(s, "package key") {
		t.Errorf("of a file with a password: %q", s)
	}
	// Another document is worked in: a.go counts as it stands in the editor.
	ask("b.go")
	if got := known(); got != "a.go b.go key.go sub/c.py" || l.text[in("a.go")] != oneFunc {
		t.Errorf("from b.go: %s; a.go is %q", got, l.text[in("a.go")])
	}
	// Files change, come and go.
	if err := os.Remove(in("key.go")); err != nil {
		t.Fatal(err)
	}
	tree(t, root, map[string]string{"sub/c.py": "changed = 22\n", "sub/new.py": "new = 3\n"})
	again()
	ask("b.go")
	if got := known(); got != "a.go b.go sub/c.py sub/new.py" || l.text[in("sub/c.py")] != "changed = 22\n" {
		t.Errorf("after changes: %s, c.py is %q", got, l.text[in("sub/c.py")])
	}
	// A closed document is its file again.
	w.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": uri.File(in("a.go"))}})
	again()
	ask("b.go")
	if got := known(); got != "a.go b.go sub/c.py sub/new.py" || l.text[in("a.go")] != "package on_disk\n" {
		t.Errorf("after a.go was closed: %s; it is %q", got, l.text[in("a.go")])
	}
	for _, c := range []struct{ scope, want string }{{"folder", "a.go"}, {"open", ""}, {"nothing", ""}, {"workspace", "a.go docs/g.go sub/c.py sub/new.py"}} {
		set(`{"remember":"` + c.scope + `"}`)
		ask("b.go")
		if got := known(); got != c.want {
			t.Errorf("scope %s: %s, want %s", c.scope, got, c.want)
		}
	}
	w.bye()
}

// What changes on disk, comes or goes is told of, by the client or by the system, and known at
// the next question: without that a branch that is checked out would be followed minutes later.
func TestLibraryWatches(t *testing.T) {
	for name, capabilities := range map[string]map[string]any{"system": nil, "client": {"didChangeWatchedFiles": map[string]any{"dynamicRegistration": true}}} {
		t.Run(name, func(t *testing.T) {
			l := &librarian{Generator: says("x := 1"), text: map[string]string{}}
			w, root, ask := projectOf(t, l, capabilities, map[string]string{".seedlingignore": "private/\n", "a.go": "package a\n", "sub/b.go": "package b\n", "sub/c.go": "package c\n", "private/d.go": "package d\n"})
			if capabilities != nil { // it is told what to tell
				for w.lastAsked == nil || !strings.Contains(string(w.asked[len(w.asked)-1].Params), ".go,") {
					w.noted(w.read())
				}
			}
			tell := func(names ...string) {
				if capabilities == nil {
					return
				}
				for _, n := range names {
					w.notify("workspace/didChangeWatchedFiles", map[string]any{"changes": []any{map[string]any{"uri": uri.File(filepath.Join(root, n)), "type": 2}}})
				}
			}
			texts := func() string {
				ask("a.go")
				w.s.library.wait()
				l.mu.Lock()
				defer l.mu.Unlock()
				var all []string
				for p, text := range l.text {
					if filepath.Base(p) == "a.go" { // open
						continue
					}
					all = append(all, filepath.Base(p)+"="+strings.TrimPrefix(strings.TrimSpace(text), "package "))
				}
				slices.Sort(all)
				return strings.Join(all, " ")
			}
			becomes := func(want string) {
				t.Helper()
				end := time.Now().Add(10 * time.Second)
				got := texts()
				for ; got != want && time.Now().Before(end); got = texts() {
					time.Sleep(5 * time.Millisecond)
				}
				if got != want {
					t.Errorf("%s is remembered, want %s", got, want)
				}
			}
			becomes("b.go=b c.go=c")
			if capabilities != nil && w.s.library.blind {
				t.Error("the client tells, and is not believed")
			}
			tree(t, root, map[string]string{"sub/b.go": "package changed\n", "sub/e.go": "package e\n", "private/d.go": "package still\n"})
			if err := os.Remove(filepath.Join(root, "sub/c.go")); err != nil {
				t.Fatal(err)
			}
			tell("sub/b.go", "sub/c.go", "sub/e.go", "private/d.go", "sub/none.go")
			becomes("b.go=changed e.go=e")
			// What is closed is its file again, which changed meanwhile.
			ask("sub/b.go")
			tree(t, root, map[string]string{"sub/b.go": "package after\n"})
			tell("sub/b.go")
			ask("a.go")
			w.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": uri.File(filepath.Join(root, "sub/b.go"))}})
			becomes("b.go=after e.go=e")
			w.bye()
		})
	}
}

// TestLibraryClosedMeanwhile: a document that is closed while the open ones are being remembered is
// its file again, as one that is closed at any other time. The look at what is open and that at
// what was closed once were two, and what was closed between them stayed as it had stood there.
func TestLibraryClosedMeanwhile(t *testing.T) {
	var opened atomic.Bool
	var closing sync.Once
	var w *wireClient
	var b uri.URI
	l := &librarian{Generator: says("x := 1"), text: map[string]string{}}
	l.remembers = func(document string) {
		if opened.Load() && document == pathOf(b) {
			closing.Do(func() {
				if err := w.s.DidClose(t.Context(), &protocol.DidCloseTextDocumentParams{TextDocument: protocol.TextDocumentIdentifier{URI: b}}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	w2, root, ask := projectOf(t, l, nil, map[string]string{"a.go": "package a\n", "sub/b.go": "package b\n"})
	w, b = w2, uri.File(filepath.Join(root, "sub/b.go"))
	ask("a.go")
	w.s.library.wait()
	opened.Store(true)
	ask("sub/b.go")
	remembered := ""
	for end := time.Now().Add(10 * time.Second); remembered != "package b\n" && time.Now().Before(end); time.Sleep(time.Millisecond) {
		ask("a.go")
		w.s.library.wait()
		l.mu.Lock()
		remembered = l.text[pathOf(b)]
		l.mu.Unlock()
	}
	closing.Do(func() { t.Error("the open document was never remembered") })
	if remembered != "package b\n" {
		t.Errorf("after it was closed %q is remembered", remembered)
	}
	w.bye()
}
