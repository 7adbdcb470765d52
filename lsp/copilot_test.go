package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp/stats"
)

// copilotHello starts a session as copilot.lua does: with all encodings of its editor on
// offer, its own settings, and then questions about who is signed in.
func (w *wireClient) copilotHello() reply {
	w.t.Helper()
	r := w.call("initialize", map[string]any{"processId": nil, "rootUri": nil, "workspaceFolders": []any{map[string]any{"uri": "file:///tmp/project", "name": "/tmp/project"}},
		"initializationOptions": map[string]any{"editorInfo": map[string]any{"name": "Neovim", "version": "0.12.4"}, "editorPluginInfo": map[string]any{"name": "copilot.lua", "version": "1.515.0"}, "copilotIntegrationId": "vim"},
		"capabilities":          map[string]any{"general": map[string]any{"positionEncodings": []string{"utf-8", "utf-16", "utf-32"}}, "workspace": map[string]any{"workspaceFolders": true}}})
	w.notify("initialized", map[string]any{})
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"telemetry": map[string]any{"telemetryLevel": "all"}, "enableAutoCompletions": true, "disabledLanguages": []any{}, "mcp": "{}"}})
	return r
}

func (w *wireClient) result(method string, params any) string {
	w.t.Helper()
	r := w.call(method, params)
	if r.Error != nil {
		return fmt.Sprint("error ", r.Error.Code, ": ", r.Error.Message)
	}
	var v any
	if err := json.Unmarshal(r.Result, &v); err != nil {
		w.t.Fatal(err)
	}
	b, _ := json.Marshal(v) // keys in order
	return string(b)
}

// TestCopilotSignIn: clients of Copilot's server go on although there is nothing to sign in
// to, are not told off for their own settings, and count in UTF-16.
func TestCopilotSignIn(t *testing.T) {
	w := dial(t, says("x := 1"), Options{Version: "1.2", Model: "m"})
	if r := w.copilotHello(); !strings.Contains(string(r.Result), `"positionEncoding":"utf-16"`) {
		t.Errorf("%s", r.Result)
	}
	w.hears("didChangeStatus", `"kind":"Normal"`)
	w.hears("statusNotification", `"status":"Normal"`)
	for _, c := range []struct{ method, params, want string }{
		{"checkStatus", `{"options":{"localChecksOnly":true}}`, `{"status":"OK","user":"local"}`},
		{"checkStatus", `{"_":true}`, `{"status":"OK","user":"local"}`},
		{"checkStatus", `null`, `{"status":"OK","user":"local"}`},
		{"signIn", `{}`, `{"status":"AlreadySignedIn","user":"local"}`},
		{"signInInitiate", `{}`, `{"status":"AlreadySignedIn","user":"local"}`},
		{"signInConfirm", `{"userCode":"x"}`, `{"status":"OK","user":"local"}`},
		{"signOut", `{}`, `{"status":"NotSignedIn"}`},
		{"setEditorInfo", `{"editorInfo":{"name":"Zed","version":"1"},"editorPluginInfo":{"name":"zed-copilot","version":"1"}}`, `"OK"`},
		{"setEditorInfo", `{"editorInfo":7}`, "error -32602"},
		{"copilot/models", `{}`, `[{"default":true,"id":"m","modelName":"m","preview":false,"scopes":["completion"]}]`},
		{"recordTelemetryConsent", `{}`, `"OK"`},
		{"notifyAccepted", `{"uuid":"nobody's"}`, `"OK"`},
		{"notifyShown", `[]`, "error -32602"},
		{"conversation/create", `{}`, "error -32601"},
	} {
		if got := w.result(c.method, json.RawMessage(c.params)); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s: %s, want %s", c.method, c.params, got, c.want)
		}
	}
	if got := w.result("getVersion", map[string]any{}); !strings.Contains(got, `"version":"1.2"`) {
		t.Errorf("getVersion: %s", got)
	}
	if err := w.bye(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	for _, n := range w.notes {
		if n.Method == "window/logMessage" && strings.Contains(string(n.Params), "there is no key") {
			t.Errorf("Copilot's settings were taken for ours: %s", n.Params)
		}
	}
}

// TestCopilotSettings: ours count in a client of Copilot's, under our section.
func TestCopilotSettings(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.copilotHello()
	w.open(oneFunc)
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"enableAutoCompletions": true, "seedling": map[string]any{"enable": false}}})
	w.hears("didChangeStatus", "turned off")
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 0 {
		t.Errorf("%+v", list)
	}
	w.bye()
}

// TestCopilotInline is a suggestion's life as copilot.el reports it, and what is counted.
func TestCopilotInline(t *testing.T) {
	store := stats.Store{Dir: t.TempDir()}
	w := dial(t, says("é := 1"), Options{Stats: stats.NewRecorder(store, func(err error) { t.Error(err) })})
	w.copilotHello()
	w.notify("textDocument/didFocus", map[string]any{"textDocument": map[string]any{"uri": testURI}}) // before it is open, as some do
	w.notify("textDocument/didFocus", map[string]any{})
	w.open(oneFunc)
	w.notify("textDocument/didFocus", map[string]any{"textDocument": map[string]any{"uri": testURI}})
	ask := func() json.RawMessage {
		r := w.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": 1}, "position": map[string]any{"line": 3, "character": 1},
			"context": map[string]any{"triggerKind": 2}, "formattingOptions": map[string]any{"tabSize": 4, "insertSpaces": false}})
		var l struct {
			Items []struct {
				Command    json.RawMessage
				InsertText string
			}
		}
		if err := json.Unmarshal(r.Result, &l); err != nil || len(l.Items) != 1 || l.Items[0].InsertText != "\té := 1" {
			t.Fatalf("%s %v", r.Result, r.Error)
		}
		return l.Items[0].Command
	}
	counted := func() stats.Counts {
		t.Helper()
		w.result("checkStatus", nil) // all before it was handled
		w.s.opt.Stats.Flush()
		f, err := store.Read()
		if err != nil {
			t.Fatal(err)
		}
		all, _ := f.Total(stats.Completion, "")
		all.Latency = stats.Latency{}
		return all
	}
	first := ask()
	if got := counted(); got != (stats.Counts{Asked: 1}) {
		t.Errorf("before it is shown: %+v", got)
	}
	for range 2 { // told twice, counted once
		w.notify("textDocument/didShowCompletion", map[string]any{"item": map[string]any{"command": first}})
		w.notify("textDocument/didPartiallyAcceptCompletion", map[string]any{"item": map[string]any{"command": first}, "acceptedLength": 2})
	}
	if got := counted(); got != (stats.Counts{Asked: 1, Shown: 1, Partial: 1}) {
		t.Errorf("%+v", got)
	}
	for range 2 {
		w.call("workspace/executeCommand", first)
	}
	w.notify("workspace/executeCommand", ask()) // copilot-nes.el sends a notification
	w.notify("textDocument/didShowCompletion", map[string]any{"item": "nonsense"})
	if got := counted(); got != (stats.Counts{Asked: 2, Shown: 1, Partial: 1, Accepted: 2, Characters: 12}) {
		t.Errorf("%+v", got)
	}
	if r := w.call("workspace/executeCommand", map[string]any{"command": "rm -rf"}); r.Error == nil || r.Error.Code != -32602 {
		t.Errorf("an unknown command: %+v", r)
	}
	f, _ := store.Read()
	if len(f.Editors) != 1 || f.Editors[0].Name != "Neovim 0.12.4 with copilot.lua 1.515.0" {
		t.Errorf("%+v", f.Editors)
	}
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"stats": false}}})
	w.call("workspace/executeCommand", ask())
	if got := counted(); got.Asked != 2 || got.Accepted != 2 {
		t.Errorf("counted although stats is off: %+v", got)
	}
	w.bye()
}

// TestCopilotAgent: the older protocol as copilot.vim 1.26 and copilot.lua speak it.
func TestCopilotAgent(t *testing.T) {
	store := stats.Store{Dir: t.TempDir()}
	rec := stats.NewRecorder(store, func(err error) { t.Error(err) })
	w := dial(t, says("rest := 1"), Options{Stats: rec})
	w.copilotHello()
	w.open("package main\n\nfunc main() {\n\ta := \"😀\"; \n}\n")
	at := map[string]any{"line": 3, "character": 12}
	doc := map[string]any{"uri": testURI, "version": 1, "relativePath": "main.go", "insertSpaces": false, "tabSize": 8, "indentSize": 8, "position": at}
	params := map[string]any{"doc": doc, "textDocument": map[string]any{"uri": testURI, "version": 1, "relativePath": "main.go"}, "position": at, "_": true}
	want := `{"completions":[{"displayText":"rest := 1","docVersion":1,"position":{"character":12,"line":3},"range":{"end":{"character":12,"line":3},"start":{"character":0,"line":3}},"text":"\ta := \"😀\"; rest := 1","uuid":"ID"}]}`
	uuid := ""
	for i, method := range []string{"getCompletions", "getCompletionsCycling"} {
		uuid = fmt.Sprint("s", i+1)
		if diff := cmp.Diff(strings.Replace(want, "ID", uuid, 1), w.result(method, params)); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
	}
	if got := w.result("getCompletions", map[string]any{"doc": map[string]any{"uri": testURI, "position": at}}); !strings.Contains(got, "rest := 1") {
		t.Errorf("without textDocument: %s", got)
	}
	if got := w.result("getCompletions", map[string]any{"doc": map[string]any{"uri": "file:///elsewhere.go", "position": at}}); got != `{"completions":[]}` {
		t.Errorf("a document that is not open: %s", got)
	}
	w.result("notifyShown", map[string]any{"uuid": uuid})
	w.result("notifyAccepted", map[string]any{"uuid": uuid, "acceptedLength": 4})
	w.result("notifyAccepted", map[string]any{"uuid": uuid, "acceptedLength": 9}) // of the ghost text, all
	w.result("notifyRejected", map[string]any{"uuids": []string{uuid, "s1", "s1"}})
	rec.Flush()
	f, err := store.Read()
	if err != nil {
		t.Fatal(err)
	}
	all, _ := f.Total(stats.Completion, "")
	all.Latency = stats.Latency{}
	if all != (stats.Counts{Asked: 3, Shown: 1, Accepted: 1, Partial: 1, Rejected: 1, Characters: 9}) {
		t.Errorf("%+v", all)
	}
	if got := w.result("getPanelCompletions", map[string]any{"doc": doc, "panelId": "panel 1"}); got != `{"solutionCountTarget":1}` {
		t.Errorf("the panel: %s", got)
	}
	n := w.hears("PanelSolution", `"panelId":"panel 1"`)
	if !strings.Contains(string(n.Params), `"displayText":"rest := 1"`) || !strings.Contains(string(n.Params), `"score":99`) {
		t.Errorf("%s", n.Params)
	}
	w.hears("PanelSolutionsDone", `"status":"OK"`)
	w.bye()
}

// TestCopilotPanelAhead: a suggestion goes to the panel while the engine looks for the next
// one, and none goes twice.
func TestCopilotPanelAhead(t *testing.T) {
	seen := make(chan struct{})
	w := dial(t, generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
		first, second := engine.Result{Text: "1)", Stop: "line"}, engine.Result{Text: "2)", Stop: "line"}
		third := engine.Result{Text: "3)", Stop: "line"} // at hand: not told of ahead
		r.Show(first)
		select {
		case <-seen:
		case <-time.After(20 * time.Second):
			t.Error("the first suggestion waits for the others")
		}
		r.Show(second)
		second.Alternatives = []engine.Result{first, third}
		return second, nil
	}), Options{})
	w.copilotHello()
	w.open("package main\n\nfunc main() {\n\tf(x, )\n}\n")
	id := w.send("textDocument/copilotPanelCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": 1},
		"position": map[string]any{"line": 3, "character": 6}, "partialResultToken": "p"})
	w.hears("$/progress", `f(x, 1`)
	close(seen)
	w.hears("$/progress", `f(x, 2`)
	w.hears("$/progress", `f(x, 3`)
	if list := w.wait(id).items(t); len(list.Items) != 0 {
		t.Errorf("both ahead and in the answer: %+v", list)
	}
	w.call("no/such", nil)
	for _, n := range w.notes {
		if n.Method == "$/progress" {
			t.Errorf("twice: %s", n.Params)
		}
	}
	w.bye()
}

// TestCopilotPanel: with a token each item goes ahead of the answer, without one they are
// the answer.
func TestCopilotPanel(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.copilotHello()
	w.open(oneFunc)
	params := map[string]any{"textDocument": map[string]any{"uri": testURI, "version": 1}, "position": map[string]any{"line": 3, "character": 1}}
	if list := w.call("textDocument/copilotPanelCompletion", params).items(t); len(list.Items) != 1 || list.Items[0].InsertText != "\tx := 1" {
		t.Errorf("%+v", list)
	}
	for _, token := range []any{"some token", 7} {
		params["partialResultToken"] = token
		if list := w.call("textDocument/copilotPanelCompletion", params).items(t); len(list.Items) != 0 {
			t.Errorf("both ahead and in the answer: %+v", list)
		}
		b, _ := json.Marshal(token)
		if n := w.hears("$/progress", `"token":`+string(b)); !strings.Contains(string(n.Params), `"insertText":"\tx := 1"`) || !strings.Contains(string(n.Params), acceptedCommand) {
			t.Errorf("%s", n.Params)
		}
	}
	w.bye()
}
