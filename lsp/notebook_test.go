package lsp

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
)

// notebookClient has a notebook of four cells open: Python, Markdown, a shell's, Python. Its
// cells' URIs say nothing of the file.
func notebookClient(t *testing.T, answer string, settings map[string]any) (w *wireClient, asked *atomic.Pointer[engine.Request]) {
	t.Helper()
	asked = &atomic.Pointer[engine.Request]{}
	w = dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		asked.Store(&r)
		return says(answer).Generate(ctx, r)
	}), Options{})
	r := w.call("initialize", map[string]any{"initializationOptions": settings, "capabilities": map[string]any{
		"general":          map[string]any{"positionEncodings": []string{"utf-16"}},
		"textDocument":     map[string]any{"inlineCompletion": map[string]any{}},
		"notebookDocument": map[string]any{"synchronization": map[string]any{}}}})
	if !strings.Contains(string(r.Result), `"notebookDocumentSync":{"notebookSelector":[{"notebook":"*"}]}`) {
		t.Fatalf("initialize: %s", r.Result)
	}
	w.notify("initialized", map[string]any{})
	cell := func(kind int, id string) any { return map[string]any{"kind": kind, "document": "cell:" + id} }
	text := func(id, language, text string) any {
		return map[string]any{"uri": "cell:" + id, "languageId": language, "version": 1, "text": text}
	}
	w.notify("notebookDocument/didOpen", map[string]any{
		"notebookDocument":  map[string]any{"uri": "file:///p/work.ipynb", "notebookType": "jupyter-notebook", "version": 1, "cells": []any{cell(2, "a"), cell(1, "m"), cell(2, "s"), cell(2, "b"), cell(2, "c")}},
		"cellTextDocuments": []any{text("a", "python", "%matplotlib inline\nimport os\n😀 = 1"), text("m", "markdown", "# Title"), text("s", "python", "%%bash\nls -l"), text("b", "python", "x = 😀.join("), text("c", "python", "print(x)\n")}})
	return w, asked
}

// TestNotebook: a cell is completed in view of the cells of its language before and after it,
// in their order, and the edit stands in the cell.
func TestNotebook(t *testing.T) {
	w, asked := notebookClient(t, "1, 2)\nprint(x)\n", nil)
	at := func(id string, line, character int) reply { return w.wait(w.inlineAt("cell:"+id, line, character)) }
	see := func(what, prefix, suffix string) {
		t.Helper()
		r := asked.Swap(nil)
		if r == nil {
			t.Fatalf("%s: the model was not asked", what)
		}
		if r.Prefix != prefix || r.Suffix != suffix {
			t.Errorf("%s: the model saw\n%q\n%q, want\n%q\n%q", what, r.Prefix, r.Suffix, prefix, suffix)
		}
	}
	list := at("b", 0, 12).items(t)
	see("at first", "#matplotlib inline\nimport os\n😀 = 1\n\nx = 😀.join(", "\n\nprint(x)")
	if len(list.Items) != 1 || list.Items[0].InsertText != "x = 😀.join(1, 2)" || list.Items[0].Range.Start.Line != 0 || list.Items[0].Range.End.Line != 0 || list.Items[0].Range.End.Character != 12 {
		t.Errorf("%+v", list.Items)
	}
	// What another cell becomes counts.
	w.notify("notebookDocument/didChange", map[string]any{"notebookDocument": map[string]any{"uri": "file:///p/work.ipynb", "version": 2}, "change": map[string]any{"cells": map[string]any{
		"textContent": []any{map[string]any{"document": map[string]any{"uri": "cell:a", "version": 2}, "changes": []any{map[string]any{"range": map[string]any{"start": map[string]any{"line": 0, "character": 0}, "end": map[string]any{"line": 2, "character": 2}}, "text": "y"}}}}}}})
	at("b", 0, 12)
	see("after an edit of another cell", "y = 1\n\nx = 😀.join(", "\n\nprint(x)")
	// Cells come, and go.
	w.notify("notebookDocument/didChange", map[string]any{"notebookDocument": map[string]any{"uri": "file:///p/work.ipynb", "version": 3}, "change": map[string]any{"cells": map[string]any{
		"structure": map[string]any{"array": map[string]any{"start": 0, "deleteCount": 2, "cells": []any{map[string]any{"kind": 2, "document": "cell:n"}}},
			"didOpen":  []any{map[string]any{"uri": "cell:n", "languageId": "python", "version": 1, "text": "n = 1\r\n"}},
			"didClose": []any{map[string]any{"uri": "cell:a"}, map[string]any{"uri": "cell:m"}}}}}})
	at("b", 0, 12)
	see("after cells were replaced", "n = 1\n\nx = 😀.join(", "\n\nprint(x)")
	if w.s.docs.get("cell:a") != nil {
		t.Error("a cell that was deleted is still held")
	}
	// A change that cannot be, and one of a notebook that is not open, change nothing.
	for _, u := range []string{"file:///p/work.ipynb", "file:///p/other.ipynb"} {
		w.notify("notebookDocument/didChange", map[string]any{"notebookDocument": map[string]any{"uri": u, "version": 4}, "change": map[string]any{"cells": map[string]any{
			"structure": map[string]any{"array": map[string]any{"start": 4294967295, "deleteCount": 4294967295, "cells": []any{}}}}}})
	}
	w.notify("notebookDocument/didSave", map[string]any{"notebookDocument": map[string]any{"uri": "file:///p/work.ipynb"}})
	at("b", 0, 12)
	see("after a change that cannot be", "n = 1\n\nx = 😀.join(", "\n\nprint(x)")
	w.notify("notebookDocument/didClose", map[string]any{"notebookDocument": map[string]any{"uri": "file:///p/work.ipynb"}, "cellTextDocuments": []any{map[string]any{"uri": "cell:n"}, map[string]any{"uri": "cell:s"}, map[string]any{"uri": "cell:b"}, map[string]any{"uri": "cell:c"}}})
	if list := at("b", 0, 12).items(t); len(list.Items) != 0 || len(w.s.docs.all()) != 0 || len(w.s.notebooks.all()) != 0 {
		t.Errorf("closed, and still %+v, %d documents", list.Items, len(w.s.docs.all()))
	}
	w.bye()
}

// TestNotebookLeftAlone: cells are left alone with the file that they are in, whatever their
// own URIs look like.
func TestNotebookLeftAlone(t *testing.T) {
	w, asked := notebookClient(t, "1)", map[string]any{"exclude": []string{"*.ipynb"}})
	if list := w.wait(w.inlineAt("cell:b", 0, 12)).items(t); len(list.Items) != 0 || asked.Load() != nil {
		t.Errorf("%+v", list)
	}
	w.bye()
}
