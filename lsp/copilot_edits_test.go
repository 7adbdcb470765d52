package lsp

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.lsp.dev/uri"
)

// edit sends a change in UTF-16 on one line.
func (w *wireClient) edit(version, line, from, to int, text string) {
	w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": version},
		"contentChanges": []any{map[string]any{"range": map[string]any{"start": map[string]any{"line": line, "character": from}, "end": map[string]any{"line": line, "character": to}}, "text": text}}})
}

func (w *wireClient) nextEdits(version int) string {
	w.t.Helper()
	return w.result("textDocument/copilotInlineEdit", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": version}, "position": map[string]any{"line": 0, "character": 0}})
}

// TestCopilotInlineEdit: a renamed variable's uses are offered, none of a shadowing one, in
// UTF-16 and at their version; one that is taken leaves the rest, another edit ends them.
func TestCopilotInlineEdit(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.copilotHello()
	w.open("package a\n\nfunc f() int {\n\tsum := 1\n\t{\n\t\tsum := 2\n\t\tuse(sum)\n\t}\n\tuse(\"😀\", sum)\n\treturn sum // sum\n}\n")
	const none = `{"edits":[]}`
	if got := w.nextEdits(1); got != none {
		t.Errorf("before any edit: %s", got)
	}
	w.edit(2, 3, 1, 4, "t")
	w.edit(3, 3, 2, 2, "otal")
	at := func(line, from, to, version string) string {
		return `{"range":{"end":{"character":` + to + `,"line":` + line + `},"start":{"character":` + from + `,"line":` + line + `}},"text":"total","textDocument":{"uri":"` + testURI + `","version":` + version + `}}`
	}
	if got, want := w.nextEdits(3), `{"edits":[`+at("8", "11", "14", "3")+","+at("9", "8", "11", "3")+`]}`; got != want {
		t.Errorf("renamed: %s\nwant     %s", got, want)
	}
	if got := w.nextEdits(2); !strings.HasPrefix(got, "error -32801") {
		t.Errorf("of a version that is gone: %s", got)
	}
	w.edit(4, 8, 11, 14, "total") // taken
	if got, want := w.nextEdits(4), `{"edits":[`+at("9", "8", "11", "4")+`]}`; got != want {
		t.Errorf("one taken: %s\nwant      %s", got, want)
	}
	w.edit(5, 9, 1, 1, "\n\t")
	if got := w.nextEdits(5); got != none {
		t.Errorf("after another edit: %s", got)
	}
	w.bye()
}

// TestNextEditsOff: the setting is obeyed.
func TestNextEditsOff(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.copilotHello()
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"nextEdits": false}}})
	w.open("package a\n\nfunc f(a int) int { return a }\n")
	w.edit(2, 2, 7, 8, "b")
	if got := w.nextEdits(2); got != `{"edits":[]}` {
		t.Error(got)
	}
	w.bye()
}

// Next edits go to files that are not open, in clients that can go there: those that hold the
// name and are not left alone, nearest first, without a version. What is left when those of the
// document are taken goes on being offered; opened, a file is offered its own. Other clients
// are told of other documents only behind an edit of their own.
func TestNextEditsElsewhere(t *testing.T) {
	const decl, use = "package shop\n\nfunc Total(n int) int { return n }\n", "package shop\n\nvar a = Total(1)\n"
	for _, can := range []bool{true, false} {
		t.Run(fmt.Sprint(can), func(t *testing.T) {
			hermetic(t)
			root := filepath.Join(t.TempDir(), "shop")
			tree(t, root, map[string]string{".seedlingignore": "private.go\n", "shop.go": decl, "use.go": use, "private.go": use, "none.go": "package shop\n",
				"cmd/main.go": "package main\n\nimport \"x/shop\"\n\nvar b = shop.Total(2)\n", "latin.go": "package shop // \xe9\n\nvar c = Total(3)\n"})
			w := dial(t, &librarian{Generator: says("x := 1"), text: map[string]string{}}, Options{})
			w.call("initialize", map[string]any{"processId": nil, "rootUri": uri.File(root), "capabilities": map[string]any{"experimental": map[string]any{"seedlingNextEditsElsewhere": can}}})
			w.notify("initialized", map[string]any{})
			at := func(name string) string { return string(uri.File(filepath.Join(root, name))) }
			type place struct{ file, version, text string }
			next := func(name string) (all []place) {
				t.Helper()
				var r struct {
					Edits []struct {
						Text         string
						TextDocument struct {
							URI     uri.URI
							Version json.RawMessage
						}
					}
				}
				if err := json.Unmarshal([]byte(w.result("textDocument/copilotInlineEdit", map[string]any{"textDocument": map[string]any{"uri": at(name)}, "position": map[string]any{"line": 0, "character": 0}})), &r); err != nil {
					t.Fatal(err)
				}
				for _, e := range r.Edits {
					rel, _ := filepath.Rel(root, e.TextDocument.URI.FsPath())
					all = append(all, place{filepath.ToSlash(rel), string(e.TextDocument.Version), e.Text})
				}
				return all
			}
			change := func(name string, version, line, from, to int, text string) {
				w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": at(name), "version": version},
					"contentChanges": []any{map[string]any{"range": map[string]any{"start": map[string]any{"line": line, "character": from}, "end": map[string]any{"line": line, "character": to}}, "text": text}}})
			}
			text := decl + "\nvar own = Total(0)\n"
			w.openAt(at("shop.go"), text)
			w.wait(w.inlineAt(at("shop.go"), 3, 0))
			w.s.library.wait()
			change("shop.go", 2, 2, 5, 10, "Sum")
			want := []place{{"shop.go", "2", "Sum"}}
			if can {
				want = append(want, place{"use.go", "null", "Sum"}, place{"cmd/main.go", "null", "Sum"})
			}
			if got := next("shop.go"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
			change("shop.go", 3, 4, 10, 15, "Sum") // taken
			if got := next("shop.go"); fmt.Sprint(got) != fmt.Sprint(append([]place(nil), want[1:]...)) && len(got)+len(want) != 1 {
				t.Errorf("one taken: got %v, want %v", got, want[1:])
			}
			if !can {
				w.bye()
				return
			}
			w.openAt(at("use.go"), use)
			if got := next("use.go"); len(got) == 0 || got[0] != (place{"use.go", "1", "Sum"}) {
				t.Errorf("opened: %v", got)
			}
			// A file that is another by now is not offered what was found in the old one.
			if err := os.WriteFile(filepath.Join(root, "cmd/main.go"), []byte("package main\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			w.openAt(at("cmd/main.go"), "package main\n")
			for _, p := range next("cmd/main.go") {
				if p.file == "cmd/main.go" {
					t.Errorf("offered in another text: %v", p)
				}
			}
			w.bye()
		})
	}
}

// A client that does not say that it goes elsewhere is given nothing where only another
// document has places: copilot-lsp would draw them in this one.
func TestNextEditsOnlyElsewhere(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.copilotHello()
	w.open("package a\n\nfunc Total() {}\n")
	w.openAt("file:///tmp/project/use.go", "package a\n\nvar b = Total()\n")
	w.edit(2, 2, 5, 10, "Sum")
	if got := w.nextEdits(2); got != `{"edits":[]}` {
		t.Error(got)
	}
	w.bye()
}
