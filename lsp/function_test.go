package lsp

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"go.lsp.dev/protocol"

	"github.com/seedling-lsp/seedling/engine"
)

// greets is a client with capabilities of its own.
func (w *wireClient) greets(capabilities string, options any) json.RawMessage {
	w.t.Helper()
	var c any
	if err := json.Unmarshal([]byte(capabilities), &c); err != nil {
		w.t.Fatal(err)
	}
	r := w.call("initialize", map[string]any{"processId": nil, "rootUri": nil, "initializationOptions": options, "capabilities": c})
	w.notify("initialized", map[string]any{})
	return r.Result
}

// able is a client that can do what VS Code can.
const able = `{"general":{"positionEncodings":["utf-16"]},"window":{"workDoneProgress":true},
	"workspace":{"applyEdit":true,"workspaceEdit":{"documentChanges":true,"changeAnnotationSupport":{}}},
	"textDocument":{"codeAction":{"codeActionLiteralSupport":{"codeActionKind":{"valueSet":["quickfix","refactor"]}},"dataSupport":true,
	"resolveSupport":{"properties":["edit"]},"tagSupport":{"valueSet":[1]}},"publishDiagnostics":{}}}`

// plain is one that takes edits and knows nothing else of them.
const plain = `{"workspace":{"applyEdit":true}}`

const stubText = "package main\n\nfunc sum(a, b int) int {\n\tpanic(\"not implemented\")\n}\n"

func (w *wireClient) writes(version int, token any) int {
	w.t.Helper()
	p := map[string]any{"command": writeFunction, "arguments": []any{map[string]any{"uri": testURI, "version": version, "position": map[string]any{"line": 3, "character": 2}}}}
	if token != nil {
		p["workDoneToken"] = token
	}
	return w.send("workspace/executeCommand", p)
}

// waits is a generator that tells when it runs, shows a line, and waits for its end.
func waits(runs chan<- struct{}) generator {
	return func(ctx context.Context, r engine.Request) (engine.Result, error) {
		if r.Watch != nil {
			r.Watch(engine.Step{Done: "a\n"})
		}
		runs <- struct{}{}
		<-ctx.Done()
		return engine.Result{}, context.Cause(ctx)
	}
}

// asked is the server's request of a method, of which there must be one.
func (w *wireClient) one(method string) json.RawMessage {
	w.t.Helper()
	var found json.RawMessage
	for _, r := range w.asked {
		if r.Method == method {
			if found != nil {
				w.t.Errorf("%s came twice", method)
			}
			found = r.Params
		}
	}
	return found
}

// TestWriteFunction: a function is written under the eyes of the person: the whole way from
// the lens to the versioned, annotated edit.
func TestWriteFunction(t *testing.T) {
	w := dial(t, says("return a + b\n}\n\nfunc next() {\n"), Options{})
	w.answers = map[string]string{"workspace/applyEdit": `{"applied":true}`}
	w.greets(able, nil)
	w.open(stubText)
	var lenses []struct {
		Range   protocol.Range
		Command struct {
			Title, Command string
			Arguments      []json.RawMessage
		}
	}
	r := w.call("textDocument/codeLens", map[string]any{"textDocument": map[string]any{"uri": testURI}})
	if err := json.Unmarshal(r.Result, &lenses); err != nil || len(lenses) != 1 || lenses[0].Range.Start.Line != 2 || !strings.Contains(lenses[0].Command.Title, "stub") {
		t.Fatalf("lenses: %s, %v", r.Result, err)
	}
	r = w.call("workspace/executeCommand", map[string]any{"command": lenses[0].Command.Command, "arguments": lenses[0].Command.Arguments, "workDoneToken": "mine"})
	if r.Error != nil || string(r.Result) != `{"applied":true}` {
		t.Fatalf("%s %+v", r.Result, r.Error)
	}
	want := `{"label":"Write the function","edit":{"documentChanges":[{"textDocument":{"uri":"` + testURI + `","version":1},"edits":[{"range":{"start":{"line":2,"character":24},"end":{"line":4,"character":0}},"newText":"\n\treturn a + b\n","annotationId":"seedling"}]}],"changeAnnotations":{"seedling":{"label":"Write the function","needsConfirmation":true,"description":"written by Seedling's model : read it before you keep it"}}}}`
	if got := string(w.one("workspace/applyEdit")); got != want {
		t.Errorf("edit\n%s, want\n%s", got, want)
	}
	w.hears("$/progress", `"kind":"begin"`)
	if end := w.hears("$/progress", `"kind":"end"`); !strings.Contains(string(end.Params), `"token":"mine"`) || !strings.Contains(string(end.Params), "done") {
		t.Errorf("end of the progress: %s", end.Params)
	}
	if w.one("window/workDoneProgress/create") != nil {
		t.Error("a progress of ours, too")
	}
	if err := w.bye(); err != nil {
		t.Error(err)
	}
}

// TestWriteFunctionPlainly: a client without versions, annotations and progress gets the edit.
func TestWriteFunctionPlainly(t *testing.T) {
	w := dial(t, says("return a + b\n}\n"), Options{})
	w.answers = map[string]string{"workspace/applyEdit": `{"applied":false,"failureReason":"busy"}`}
	w.greets(plain, nil)
	w.open(strings.ReplaceAll(stubText, "\n", "\r\n"))
	if r := w.wait(w.writes(1, nil)); r.Error != nil || string(r.Result) != `{"applied":false}` {
		t.Fatalf("%s %+v", r.Result, r.Error)
	}
	want := `"edit":{"changes":{"` + testURI + `":[{"range":{"start":{"line":2,"character":24},"end":{"line":4,"character":0}},"newText":"\r\n\treturn a + b\r\n"}]}}`
	if got := string(w.one("workspace/applyEdit")); !strings.Contains(got, want) {
		t.Errorf("edit %s, want %s", got, want)
	}
	for _, n := range w.notes {
		if n.Method == "$/progress" {
			t.Errorf("progress for a client that shows none: %s", n.Params)
		}
	}
}

// TestWriteFunctionUnsaid: a client that does not say whether it takes edits is asked (Kate
// takes them); one that cannot is told so in one sentence.
func TestWriteFunctionUnsaid(t *testing.T) {
	for _, can := range []bool{true, false} {
		w := dial(t, says("return a + b\n}\n"), Options{})
		w.answers = map[string]string{"workspace/applyEdit": `{"applied":true}`}
		if !can {
			w.lacks = "workspace/applyEdit"
		}
		w.greets(`{}`, nil)
		w.open(stubText)
		switch r := w.wait(w.writes(1, nil)); {
		case can && (r.Error != nil || string(r.Result) != `{"applied":true}`):
			t.Errorf("%s %+v", r.Result, r.Error)
		case !can && (r.Error == nil || r.Error.Message != "this editor takes no edits from a server (workspace/applyEdit)"):
			t.Errorf("%s %+v", r.Result, r.Error)
		}
		w.bye()
	}
}

// TestWriteFunctionEnds: each way to end the writing ends it, says so, and leaves the
// document alone.
func TestWriteFunctionEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		end     func(w *wireClient, id int, token json.RawMessage)
		code    int
		message string
	}{
		{"cancelRequest", func(w *wireClient, id int, _ json.RawMessage) { w.notify("$/cancelRequest", map[string]any{"id": id}) }, -32800, "cancelled"},
		{"progress", func(w *wireClient, _ int, token json.RawMessage) {
			w.notify("window/workDoneProgress/cancel", map[string]any{"token": "another's"})
			w.notify("window/workDoneProgress/cancel", map[string]any{"token": token})
		}, -32800, "cancelled"},
		{"change", func(w *wireClient, _ int, _ json.RawMessage) { w.change(2, 0, 0, 0, "//\n") }, -32801, "nothing was written: the document changed meanwhile"},
		{"close", func(w *wireClient, _ int, _ json.RawMessage) {
			w.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": testURI}})
		}, -32801, "nothing was written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs := make(chan struct{}, 1)
			w := dial(t, waits(runs), Options{})
			w.answers = map[string]string{"workspace/applyEdit": `{"applied":true}`}
			w.greets(able, nil)
			w.open(stubText)
			id := w.writes(1, nil)
			begun := w.hears("$/progress", `"kind":"begin"`)
			w.hears("$/progress", `"message":"line 2"`)
			<-runs
			var p struct{ Token json.RawMessage }
			if err := json.Unmarshal(begun.Params, &p); err != nil {
				t.Fatal(err)
			}
			c.end(w, id, p.Token)
			r := w.wait(id)
			if r.Error == nil || r.Error.Code != c.code {
				t.Errorf("%s %+v, want an error %d", r.Result, r.Error, c.code)
			}
			if end := w.hears("$/progress", `"kind":"end"`); !strings.Contains(string(end.Params), c.message) {
				t.Errorf("the person reads %s, want %q", end.Params, c.message)
			}
			if w.one("workspace/applyEdit") != nil {
				t.Error("the document was edited all the same")
			}
			if err := w.bye(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWriteFunctionTypedOn: ghost text that is asked for does not end the writing of a
// function, nor the other way round: they are different questions.
func TestWriteFunctionTypedOn(t *testing.T) {
	runs := make(chan struct{}, 1)
	go1 := make(chan struct{})
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		if strings.HasSuffix(r.Document, "#function") {
			runs <- struct{}{}
			select {
			case <-go1:
			case <-ctx.Done():
				return engine.Result{}, context.Cause(ctx)
			}
		}
		return says("return 1\n}\n").Generate(ctx, r)
	}), Options{})
	w.answers = map[string]string{"workspace/applyEdit": `{"applied":true}`}
	w.greets(able, nil)
	w.open(stubText)
	id := w.writes(1, nil)
	w.hears("$/progress", `"kind":"begin"`)
	<-runs
	if r := w.wait(w.inline(3, 1)); r.Error != nil {
		t.Errorf("ghost text: %+v", r.Error)
	}
	close(go1)
	if r := w.wait(id); r.Error != nil {
		t.Errorf("the function: %+v", r.Error)
	}
}

// TestWriteFunctionRefused: what cannot be done is said in words that help.
func TestWriteFunctionRefused(t *testing.T) {
	w := dial(t, says("\n"), Options{})
	w.greets(able, nil)
	w.open(stubText)
	for _, c := range []struct {
		params any
		want   string
	}{
		{map[string]any{"command": "other"}, "there is no command"},
		{map[string]any{"command": writeFunction}, "takes one argument"},
		{map[string]any{"command": writeFunction, "arguments": []any{map[string]any{"uri": testURI, "version": 1}}}, "takes one argument"},
		{map[string]any{"command": writeFunction, "arguments": []any{map[string]any{"uri": "file:///other.go", "version": 1, "position": map[string]any{"line": 3, "character": 2}}}}, "is not open"},
		{map[string]any{"command": writeFunction, "arguments": []any{map[string]any{"uri": testURI, "version": 0, "position": map[string]any{"line": 3, "character": 2}}}}, "ask again"},
		{map[string]any{"command": writeFunction, "arguments": []any{map[string]any{"uri": testURI, "version": 1, "position": map[string]any{"line": 0, "character": 2}}}}, "no function to write"},
		{map[string]any{"command": writeFunction, "arguments": []any{map[string]any{"uri": testURI, "version": 1, "position": map[string]any{"line": 3, "character": 2}}}}, "no answer"},
	} {
		if r := w.call("workspace/executeCommand", c.params); r.Error == nil || !strings.Contains(r.Error.Message, c.want) {
			t.Errorf("%v: %s %+v, want %q", c.params, r.Result, r.Error, c.want)
		}
	}
}
