package lsp

import (
	"strings"
	"testing"
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
