package lsp

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/engine"
)

// shownTo answers, and keeps what the last request showed of other files.
type shownTo struct {
	mu   sync.Mutex
	last []engine.Snippet
}

func (s *shownTo) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = r.Snippets
	return engine.Result{Text: "x", Stop: "end"}, nil
}

func (s *shownTo) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, x := range s.last {
		b.WriteString(x.Path + ": " + x.Text)
	}
	return b.String()
}

// What is used near the cursor is shown as the workspace defines it, when the setting says
// so: of open documents as they stand in the editor, never of what is left alone; it stays
// while a person types at one place, so that the model's cache holds, and changes when a
// definition does.
func TestContext(t *testing.T) {
	g := &shownTo{}
	w, root, _ := projectOf(t, g, nil, map[string]string{
		"go.mod": "module example.com/w\n", ".gitignore": "gen/\n",
		"store/store.go": "package store\n\nfunc Open(name string) {}\n", "gen/gen.go": "package gen\n\nfunc Made(secret int) {}\n",
		"app/more.go": "package app\n\nfunc local(n int) {}\n",
	})
	in := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	text := "package app\n\nimport (\n\t\"example.com/w/store\"\n\t\"example.com/w/gen\"\n)\n\nfunc f() {\n\tgen.Made(1)\n\tlocal(2)\n\tstore.Open()\n}\n"
	main := string(uri.File(in("app/main.go")))
	w.openAt(main, text)
	ask := func() string {
		t.Helper()
		w.wait(w.inlineAt(main, 10, 12)).items(t)
		w.s.library.wait()
		return g.text()
	}
	if ask(); ask() != "" || w.s.library.index.Files() != 0 {
		t.Errorf("unasked, %q is shown, %d files are indexed", g.text(), w.s.library.index.Files())
	}
	set := func(context string) {
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"context": context}}})
	}
	set("definitions")
	ask() // after it the workspace is read
	got := ask()
	if !strings.Contains(got, "func Open(name string)") || !strings.Contains(got, "func local(n int)") || strings.Contains(got, "Made") {
		t.Fatalf("%q", got)
	}
	// Another document is edited: its text in the editor counts, once another one is asked for.
	w.openAt(string(uri.File(in("store/store.go"))), "package store\n\nfunc Open(name string, mode int) {}\n")
	ask()
	if got := ask(); !strings.Contains(got, "func Open(name string, mode int)") {
		t.Errorf("after an edit: %q", got)
	}
	// The file is gone.
	if err := os.Remove(in("app/more.go")); err != nil {
		t.Fatal(err)
	}
	for k := range w.s.library.read {
		w.s.library.read[k] = time.Time{}
	}
	ask()
	if got := ask(); strings.Contains(got, "local(n int)") {
		t.Errorf("of a file that is gone: %q", got)
	}
	set("none")
	ask()
	if got := ask(); got != "" || w.s.library.index.Files() != 0 {
		t.Errorf("turned off, %q is shown, %d files are indexed", got, w.s.library.index.Files())
	}
	w.bye()
}

// While a person types at one place what is shown stays the very same, although other names
// come near; at another place it is chosen anew. Documents that were looked at last come
// first, closed ones not at all.
func TestVisit(t *testing.T) {
	g := &shownTo{}
	w, root, _ := projectOf(t, g, nil, map[string]string{"b.go": "package w\n\nfunc first(a int) {}\n\nfunc second(b int) {}\n"})
	file := func(name string) string { return string(uri.File(filepath.Join(root, name))) }
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"context": "all"}}})
	far := strings.Repeat("// a line\n", 100)
	w.openAt(file("a.go"), "package w\n\nfunc f() {\n\tfirst()\n}\n"+far+"func g() {\n\tsecond()\n}\n")
	ask := func(line, character int) string {
		t.Helper()
		w.wait(w.inlineAt(file("a.go"), line, character)).items(t)
		w.s.library.wait()
		return g.text()
	}
	ask(3, 7)
	if got := ask(3, 7); !strings.Contains(got, "first(a int)") || strings.Contains(got, "second") {
		t.Fatalf("%q", got)
	}
	w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": file("a.go"), "version": 2},
		"contentChanges": []any{map[string]any{"range": rng(3, 7, 7), "text": "second("}}})
	if got := ask(3, 14); strings.Contains(got, "second") {
		t.Errorf("typing changed what is shown: %q", got)
	}
	if got := ask(106, 8); !strings.Contains(got, "second(b int)") || strings.Contains(got, "first(a int)") {
		t.Errorf("at another place: %q", got)
	}
	names := func() (s string) {
		for _, u := range w.s.latest.before("") {
			s += strings.TrimPrefix(string(u), string(uri.File(root))+"/") + " "
		}
		return s
	}
	w.openAt(file("c.go"), "package w\n")
	w.openAt(file("d.go"), "package w\n")
	w.notify("textDocument/didFocus", map[string]any{"textDocument": map[string]any{"uri": file("a.go")}})
	w.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": file("c.go")}})
	ask(3, 7)
	if got := names(); got != "a.go d.go " {
		t.Errorf("the latest: %s", got)
	}
	w.bye()
}

// A command that looks at one file once sees its project as a server would.
func TestAround(t *testing.T) {
	hermetic(t)
	root := t.TempDir()
	tree(t, root, map[string]string{"go.mod": "module example.com/w\n", ".gitignore": "gen/\n", "store/store.go": "package store\n\nfunc Open() {}\n",
		"gen/g.go": "package gen\n\nfunc Made() {}\n", "app/main.go": "package app\n\nfunc main() {}\n", "app/more.go": "package app\n", "app/.env": "A=1\n"})
	src, note := Around(t.Context(), filepath.Join(root, "app", "main.go"))
	if src.Index.Files() != 2 || len(src.Recent) != 1 || filepath.Base(src.Recent[0].Path) != "more.go" || !strings.Contains(note, "2 with 1 definitions") {
		t.Errorf("%d files, recent %+v: %s", src.Index.Files(), src.Recent, note)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if src, _ := Around(gone, filepath.Join(root, "app", "main.go")); src.Index.Files() > 1 {
		t.Errorf("cancelled, %d files are read", src.Index.Files())
	}
}
