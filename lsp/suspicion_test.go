package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.lsp.dev/protocol"

	"github.com/seedling-lsp/seedling/engine"
)

const pulling = `{"textDocument":{"diagnostic":{},"codeAction":{"codeActionLiteralSupport":{"codeActionKind":{"valueSet":["quickfix"]}},"dataSupport":true}},
	"workspace":{"workspaceEdit":{"documentChanges":true},"diagnostics":{"refreshSupport":true}}}`

const pushed = `{"textDocument":{"publishDiagnostics":{}}}`

func (w *wireClient) diagnostics() (list []json.RawMessage) {
	w.t.Helper()
	r := w.call("textDocument/diagnostic", map[string]any{"textDocument": map[string]any{"uri": testURI}})
	var report struct {
		Kind  string
		Items []json.RawMessage
	}
	if err := json.Unmarshal(r.Result, &report); err != nil || report.Kind != "full" || report.Items == nil {
		w.t.Fatalf("%s %+v %v", r.Result, r.Error, err)
	}
	return report.Items
}

// TestSuspicionPulled: off by default; turned on, a hint with its fix, which costs no second
// search; a function that did not change is not read again.
func TestSuspicionPulled(t *testing.T) {
	f := &fixer{old: "<", with: "<=", gain: sure}
	w := dial(t, f, Options{})
	w.greets(pulling, nil)
	w.open(faultText)
	if list := w.diagnostics(); len(list) != 0 || f.asked.Load() != 0 {
		t.Fatalf("it is on by default: %s", list)
	}
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"suspicion": true}}})
	list := w.diagnostics()
	if len(list) != 1 {
		t.Fatalf("%s", list)
	}
	var d protocol.Diagnostic
	if err := protocol.Unmarshal(list[0], &d); err != nil || d.Severity != protocol.DiagnosticSeverityHint || d.Range.Start != (protocol.Position{Line: 4, Character: 7}) {
		t.Errorf("%s %v", list[0], err)
	}
	n := f.asked.Load()
	actions, raw := w.actions(1, [2]int{4, 7}, [2]int{4, 7}, map[string]any{"diagnostics": list})
	if len(actions) != 1 || actions[0].Kind != "quickfix" || !strings.Contains(string(actions[0].Edit), `"newText":"="`) {
		t.Errorf("%s", raw)
	}
	w.change(2, 0, 0, 0, "// héllo\n")
	list = w.diagnostics()
	if f.asked.Load() != n {
		t.Error("the function was read again though it did not change")
	}
	if len(list) != 1 || !strings.Contains(string(list[0]), `"line":5`) {
		t.Errorf("%s", list)
	}
	// Of an older version its fix would be in the wrong place: it is looked for again.
	if _, raw := w.actions(2, [2]int{5, 7}, [2]int{5, 7}, map[string]any{"diagnostics": []json.RawMessage{json.RawMessage(strings.ReplaceAll(string(list[0]), `"version":2`, `"version":1`))}}); f.asked.Load() == n {
		t.Errorf("%s", raw)
	}
}

// TestSuspicionPushed: for clients that do not ask; taken back when the document is closed.
func TestSuspicionPushed(t *testing.T) {
	w := dial(t, &fixer{old: "<", with: "<=", gain: sure}, Options{})
	w.greets(pushed, map[string]any{"suspicion": true})
	w.open(faultText)
	if n := w.hears("textDocument/publishDiagnostics", `"version":1`); !strings.Contains(string(n.Params), "suspicion") {
		t.Errorf("%s", n.Params)
	}
	w.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": testURI}})
	w.hears("textDocument/publishDiagnostics", `"diagnostics":[]`)
	if err := w.bye(); err != nil {
		t.Error(err)
	}
}

// TestSuspicionGivesWay: reading for suspicions is what the model does when nobody waits; cut
// off for another request, it goes on after it.
func TestSuspicionGivesWay(t *testing.T) {
	cut := 2
	f := &fixer{old: "<", with: "<=", gain: sure, edit: func(context.Context) error {
		if cut--; cut >= 0 {
			return engine.ErrSuperseded
		}
		return nil
	}}
	w := dial(t, f, Options{})
	w.greets(pulling, map[string]any{"suspicion": true})
	w.open(faultText)
	if list := w.diagnostics(); len(list) != 1 || f.asked.Load() != 3 {
		t.Errorf("%s after %d", list, f.asked.Load())
	}
}

// TestSuspicionForgets: nothing is kept of documents that are closed, whether the setting is on
// or not. An editor runs for weeks.
func TestSuspicionForgets(t *testing.T) {
	for _, on := range []bool{false, true} {
		w := dial(t, &fixer{old: "<", with: "<=", gain: sure}, Options{})
		w.greets(pushed, map[string]any{"suspicion": on})
		for i := range 20 {
			u := fmt.Sprintf("file:///tmp/project/f%d.go", i)
			w.openAt(u, faultText)
			if on {
				w.hears("textDocument/publishDiagnostics", u)
			}
			w.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": u}})
			if on {
				w.hears("textDocument/publishDiagnostics", `"diagnostics":[]`)
			}
		}
		w.call("no/such", nil)
		sus := &w.s.suspected
		sus.mu.Lock()
		if len(sus.ends) > 0 || len(sus.told) > 0 {
			t.Errorf("on %v: %d and %d documents are kept", on, len(sus.ends), len(sus.told))
		}
		sus.mu.Unlock()
		w.bye()
	}
}
