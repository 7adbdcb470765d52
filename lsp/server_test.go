package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seedling-lsp/seedling/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type items struct {
	Items []struct {
		InsertText string `json:"insertText"`
		Range      struct {
			Start struct{ Line, Character int }
			End   struct{ Line, Character int }
		} `json:"range"`
	} `json:"items"`
}

func (r reply) items(t testing.TB) items {
	t.Helper()
	var list items
	if r.Error != nil {
		t.Fatalf("error %d: %s", r.Error.Code, r.Error.Message)
	}
	if err := json.Unmarshal(r.Result, &list); err != nil || list.Items == nil {
		t.Fatalf("%s is no list: %v", r.Result, err)
	}
	return list
}

// TestSession is the ordinary life of a server: it breaks when anything an editor needs
// at first contact is gone.
func TestSession(t *testing.T) {
	for _, enc := range []string{"utf-8", "utf-16", "utf-32"} {
		w := dial(t, says("x := 1\n"), Options{Version: "1.2", Model: "m"})
		r := w.hello(enc, nil)
		var init struct {
			Capabilities struct {
				PositionEncoding         string `json:"positionEncoding"`
				InlineCompletionProvider bool   `json:"inlineCompletionProvider"`
				TextDocumentSync         struct {
					OpenClose bool
					Change    int
				}
			}
			ServerInfo struct{ Name, Version string }
		}
		if err := json.Unmarshal(r.Result, &init); err != nil {
			t.Fatal(err)
		}
		if c := init.Capabilities; c.PositionEncoding != enc || !c.InlineCompletionProvider || c.TextDocumentSync.Change != 2 || !c.TextDocumentSync.OpenClose || init.ServerInfo.Version != "1.2" {
			t.Fatalf("initialize answered %s", r.Result)
		}
		w.open("package main\n\nfunc main() {\n\t😀é\n}\n")
		column := map[string]int{"utf-8": 7, "utf-16": 4, "utf-32": 3}[enc]
		w.change(2, 3, 1, column, "y := 2; ")
		list := w.wait(w.inline(3, 9)).items(t)
		if len(list.Items) != 1 || list.Items[0].InsertText != "\ty := 2; x := 1" {
			t.Fatalf("%s: suggestion %+v", enc, list)
		}
		if g := list.Items[0].Range; g.Start.Line != 3 || g.Start.Character != 0 || g.End.Line != 3 || g.End.Character != 9 {
			t.Fatalf("%s: range %+v", enc, g)
		}
		if err := w.bye(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// TestNoShutdown: exit without shutdown is an error (exit code 1), so is the client's end.
func TestNoShutdown(t *testing.T) {
	w := dial(t, says("x"), Options{})
	w.hello("utf-16", nil)
	w.notify("exit", nil)
	err := <-w.done
	w.done <- err
	if !errors.Is(err, ErrNoShutdown) {
		t.Errorf("Serve: %v", err)
	}
}

// TestCancel: $/cancelRequest ends the generation and is answered with -32800.
func TestCancel(t *testing.T) {
	started, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	w := dial(t, generator(func(ctx context.Context, _ engine.Request) (engine.Result, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return engine.Result{}, ctx.Err()
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\t\n}\n")
	id := w.inline(3, 1)
	<-started
	w.notify("$/cancelRequest", map[string]any{"id": id})
	if r := w.wait(id); r.Error == nil || r.Error.Code != -32800 {
		t.Errorf("a cancelled request: %+v", r)
	}
	<-ended
	// A change under a request ends it too, with ContentModified.
	id = w.inline(3, 1)
	<-started
	w.change(2, 3, 1, 1, "a")
	if r := w.wait(id); r.Error == nil || r.Error.Code != -32801 {
		t.Errorf("a request overtaken by a change: %+v", r)
	}
	<-ended
	w.bye()
}

// TestOverlap: a slow request does not hold up a fast one, nor a change.
func TestOverlap(t *testing.T) {
	gate := make(chan struct{})
	var n atomic.Int32
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		if n.Add(1) == 1 {
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		return says("x := 1").Generate(ctx, r)
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\t\n}\n")
	slow := w.inline(3, 1)
	for n.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 1 {
		t.Errorf("the second request: %+v", list)
	}
	close(gate)
	w.wait(slow)
	w.bye()
}

// TestHostile sends what no editor should. Each time the server must answer a proper
// request afterwards.
func TestHostile(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	if r := w.call("textDocument/inlineCompletion", map[string]any{}); r.Error == nil || r.Error.Code != -32002 {
		t.Errorf("before initialize: %+v", r)
	}
	w.hello("utf-16", map[string]any{"deadlineMs": "soon"})
	alive := func(what string) {
		t.Helper()
		w.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": testURI, "languageId": "go", "version": 1, "text": "package main\n\nfunc main() {\n\t\n}\n"}})
		if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 1 || !strings.HasSuffix(list.Items[0].InsertText, "x := 1") {
			t.Fatalf("after %s: %+v", what, list)
		}
	}
	alive("bad settings")
	for what, body := range map[string]string{
		"no JSON":                `{"jsonrpc":"2.0","id":1,`,
		"no object":              `[1,2,3]`,
		"a number":               `17`,
		"a huge id":              `{"jsonrpc":"2.0","id":3000000000,"method":"shutdown"}`,
		"a broken id":            `{"jsonrpc":"2.0","id":1.5,"method":"shutdown"}`,
		"an object id":           `{"jsonrpc":"2.0","id":{},"method":"shutdown"}`,
		"a method that is none":  `{"jsonrpc":"2.0","id":1,"method":7}`,
		"unknown notification":   `{"jsonrpc":"2.0","method":"$/foo"}`,
		"unknown notification 2": `{"jsonrpc":"2.0","method":"bar/baz","params":{"a":[]}}`,
		"unknown request":        `{"jsonrpc":"2.0","id":77777,"method":"bar/baz","params":{}}`,
		"malformed change":       `{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":7}}`,
		"change without params":  `{"jsonrpc":"2.0","method":"textDocument/didChange"}`,
		"change of no document":  `{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///nowhere.go","version":1},"contentChanges":[{"text":"a"}]}}`,
		"cancel of nothing":      `{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":null}}`,
		"cancel of a half":       `{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1.5}}`,
		"cancel of a huge one":   `{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":99999999999}}`,
		"open without a URI":     `{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{}}}`,
		"an answer nobody asked": `{"jsonrpc":"2.0","id":123456,"result":null}`,
		"a surrogate":            `{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///s.go","languageId":"go","version":1,"text":"a\ud800b"}}}`,
		"inline without params":  `{"jsonrpc":"2.0","id":88888,"method":"textDocument/inlineCompletion"}`,
		"inline far outside":     `{"jsonrpc":"2.0","id":88889,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"` + testURI + `"},"position":{"line":4000000000,"character":4000000000},"context":{"triggerKind":1}}}`,
		"inline of no document":  `{"jsonrpc":"2.0","id":88890,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///no.go"},"position":{"line":0,"character":0},"context":{"triggerKind":1}}}`,
		"wrong settings":         `{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":{"seedling":{"decode":"magic"}}}}`,
		"settings of others":     `{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":null}}`,
	} {
		w.frame(body)
		alive(what)
	}
	w.raw("Content-Length: 99999999999999999999\r\n\r\n")
	alive("a length beyond numbers")
	w.raw("Content-Length: -5\r\n\r\n")
	alive("a negative length")
	w.raw("Content-Length: 0\r\n\r\n")
	alive("an empty message")
	w.raw("what is this\r\n\r\n")
	alive("no header at all")
	w.raw("content-length: 2\r\nContent-Type: x\r\n\r\n{}")
	alive("a lower-case header and an empty object")
	if err := w.bye(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestVersions: a version that goes backwards is not applied; a reversed range neither.
func TestVersions(t *testing.T) {
	var prefix atomic.Value
	w := dial(t, generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
		prefix.Store(r.Prefix)
		return engine.Result{Text: "x", Stop: "end"}, nil
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nvar a = \n")
	w.change(5, 2, 8, 8, "1 + ")
	w.change(3, 2, 0, 8, "lost")
	w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": 6},
		"contentChanges": []any{map[string]any{"range": rng(2, 5, 1), "text": "lost"}}})
	w.wait(w.inline(2, 12))
	if got := prefix.Load(); got != "package main\n\nvar a = 1 + " {
		t.Errorf("the model saw %q", got)
	}
	w.bye()
}

// TestLargeInput: files that are too large are not completed, and nothing falls over.
func TestLargeInput(t *testing.T) {
	w := dial(t, says("x"), Options{})
	w.hello("utf-16", nil)
	for name, text := range map[string]string{"empty": "", "50 MB": strings.Repeat("var a = 1\n", 5<<20), "one 5 MB line": "var a = \"" + strings.Repeat("x", 5<<20)} {
		w.open(text)
		r := w.wait(w.inline(0, 0))
		if r.Error != nil {
			t.Errorf("%s: %+v", name, r.Error)
		}
	}
	w.bye()
}

// TestPanic: a failure inside of a handler is answered, and the server lives.
func TestPanic(t *testing.T) {
	first := true
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		if first {
			first = false
			panic("boom")
		}
		return says("x := 1").Generate(ctx, r)
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\t\n}\n")
	if r := w.wait(w.inline(3, 1)); r.Error == nil || r.Error.Code != -32603 {
		t.Errorf("a panic was answered with %+v", r)
	}
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 1 {
		t.Error("the server did not survive it")
	}
	w.bye()
}

// TestWidget: with the completion list open, the suggestion goes on from its entry.
func TestWidget(t *testing.T) {
	var prefix atomic.Value
	w := dial(t, generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
		prefix.Store(r.Prefix)
		return engine.Result{Text: "(a)", Stop: "end"}, nil
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\tfmt.Pri\n}\n")
	id := w.send("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI}, "position": map[string]any{"line": 3, "character": 8},
		"context": map[string]any{"triggerKind": 2, "selectedCompletionInfo": map[string]any{"range": rng(3, 5, 8), "text": "Println"}}})
	list := w.wait(id).items(t)
	if p, _ := prefix.Load().(string); !strings.HasSuffix(p, "\tfmt.Println") {
		t.Errorf("the model saw %q", p)
	}
	if len(list.Items) != 1 || list.Items[0].InsertText != "Println(a)" || list.Items[0].Range.Start.Character != 5 || list.Items[0].Range.End.Character != 8 {
		t.Errorf("%+v", list)
	}
	w.bye()
}

// TestSettings: every refusal names the key.
func TestSettings(t *testing.T) {
	for raw, want := range map[string]string{
		`{"decode":"magic"}`: "decode", `{"nonsense":1}`: "nonsense", `{"deadlineMs":1}`: "deadlineMs", `{"enable":"yes"}`: "enable",
		`{"seedling":{"maxFileKB":0}}`: "maxFileKB", `{"minLogProb":1}`: "minLogProb", `7`: "object",
	} {
		s, err := DefaultSettings().merge([]byte(raw))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", raw, err)
		}
		if fmt.Sprint(s) != fmt.Sprint(DefaultSettings()) {
			t.Errorf("%s changed the settings", raw)
		}
	}
	s, err := DefaultSettings().merge([]byte(`{"seedling":{"decode":"verify","languages":["go"]}}`))
	if err != nil || s.Decode != "verify" || !s.speaks("Go") || s.speaks("python") {
		t.Errorf("%+v, %v", s, err)
	}
}
