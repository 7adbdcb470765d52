package lsp

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
)

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
		"a huge id":              `{"jsonrpc":"2.0","id":3000000000,"method":"bar/baz"}`,
		"an id beyond numbers":   `{"jsonrpc":"2.0","id":300000000000000000000000,"method":"shutdown"}`,
		"no version":             `{"id":77,"method":"shutdown"}`,
		"another version":        `{"jsonrpc":"1.0","id":78,"method":"shutdown"}`,
		"a method in capitals":   `{"jsonrpc":"2.0","ID":79,"Method":"shutdown"}`,
		"request and answer":     `{"jsonrpc":"2.0","id":80,"method":"shutdown","result":1}`,
		"answer and error":       `{"jsonrpc":"2.0","id":81,"result":1,"error":{"code":1,"message":""}}`,
		"an error that is none":  `{"jsonrpc":"2.0","id":82,"error":7}`,
		"two messages":           `{"jsonrpc":"2.0","method":"a"}{"jsonrpc":"2.0","method":"b"}`,
		"keys twice":             `{"jsonrpc":"2.0","method":"a","method":"textDocument/didChange","params":{},"params":[]}`,
		"deep nesting":           strings.Repeat("[", 100000) + strings.Repeat("]", 100000),
		"deep parameters":        `{"jsonrpc":"2.0","method":"textDocument/didOpen","params":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`,
		"parameters of a list":   `{"jsonrpc":"2.0","id":83,"method":"textDocument/inlineCompletion","params":[1,2]}`,
		"a negative position":    `{"jsonrpc":"2.0","id":84,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"` + testURI + `"},"position":{"line":-1,"character":-1},"context":{"triggerKind":1}}}`,
		"no UTF-8":               "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":\"file:///u.go\",\"languageId\":\"go\",\"version\":1,\"text\":\"a\xff\xfe\"}}}",
		"a NUL":                  "{\"jsonrpc\":\"2.0\",\"method\":\"a\x00b\"}",
		"initialize again":       `{"jsonrpc":"2.0","id":85,"method":"initialize","params":{"capabilities":{}}}`,
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
	w.raw("Content-Length: 900000000000\r\n\r\n{}")
	alive("a terabyte that never comes")
	w.raw("Content-Length: lots\r\n\r\n")
	alive("a length in words")
	w.raw("what is this\r\n\r\n")
	alive("no header at all")
	w.raw(strings.Repeat("rubbish ", 1<<17))
	alive("a megabyte of rubbish without a line end")
	w.raw(strings.Repeat("rubbish\r\n", 20000))
	alive("twenty thousand lines of rubbish")
	w.raw("Content-Length: 20\r\n\r\n" + `{"jsonrpc":"2.0","method":"shorter/than/it/is"}`)
	alive("a length that is too short")
	w.raw("X-Unknown: 1\r\nContent-Length: 35\r\nX-Other: a:b\r\n\r\n" + `{"jsonrpc":"2.0","method":"a/b/c/d"}`)
	alive("headers that nobody knows")
	w.raw("content-length: 2\r\nContent-Type: x\r\n\r\n{}")
	alive("a lower-case header and an empty object")
	if err := w.bye(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestLengthTooLong: a message that is announced as longer than it is swallows the start
// of the next ones. Those are not lost: an edit among them would never be made up for.
func TestLengthTooLong(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n")
	body := `{"jsonrpc":"2.0","method":"a/b"}`
	w.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body)+30, body))
	w.change(2, 1, 0, 0, "var a = 1\n")
	w.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": "file:///no.go"}, "position": map[string]any{"line": 0, "character": 0}, "context": map[string]any{"triggerKind": 1}})
	if got := w.s.docs.get(testURI).text(); got != "package main\nvar a = 1\n" {
		t.Errorf("the document is %q", got)
	}
	w.bye()
}

// TestRefusals: what is refused is answered by its id where that is the client's, so that
// no request waits for ever and no other one is answered by mistake.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		body string
		id   string
		code int
	}{
		{`{"jsonrpc":"2.0","id":1,`, "null", -32700},
		{`{"id":77,"method":"a"}`, "77", -32600},
		{`{"id":"seven","method":"a"}`, `"seven"`, -32600},
		{`{"jsonrpc":"2.0","id":1.5,"method":"a"}`, "1.5", -32600},
		{`{"jsonrpc":"2.0","id":5,"result":1,"error":{}}`, "null", -32600}, // 5 is the server's number
		{`[{"jsonrpc":"2.0","id":5,"method":"a"}]`, "null", -32600},
		{`{"jsonrpc":"2.0","id":6,"method":"textDocument/inlineCompletion","params":{"textDocument":7}}`, "6", -32602},
		{`{"jsonrpc":"2.0","id":7,"method":"no/such"}`, "7", -32601},
	} {
		w := dial(t, says("x"), Options{})
		w.hello("utf-16", nil)
		w.hears("seedling/status", "ready")
		w.hears("window/logMessage", "ready")
		w.frame(c.body)
		if r := w.read(); string(r.ID) != c.id || r.Error == nil || r.Error.Code != c.code {
			t.Errorf("%s was answered with id %s and %+v, want id %s and %d", c.body, r.ID, r.Error, c.id, c.code)
		}
		w.bye()
	}
}

// TestOutOfTime: nothing is done before initialize and after shutdown.
func TestOutOfTime(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.open("before")
	w.hello("utf-16", nil)
	w.call("no/such", nil)
	if w.s.docs.get(testURI) != nil {
		t.Error("a document was opened before initialize")
	}
	w.call("shutdown", nil)
	w.open("after")
	if r := w.wait(w.inline(0, 0)); r.Error == nil || r.Error.Code != -32600 {
		t.Errorf("a request after shutdown: %+v", r)
	}
	if w.s.docs.get(testURI) != nil {
		t.Error("a document was opened after shutdown")
	}
	w.notify("exit", nil)
	if err := <-w.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	w.done <- nil
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
	w.hears("window/logMessage", "not applied") // the person can find out
	w.hears("window/logMessage", "not applied")
	// The whole text mends it, whatever its number.
	w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": 2},
		"contentChanges": []any{map[string]any{"text": "package main\n\nvar b = \n"}}})
	w.change(3, 2, 8, 8, "2 + ")
	w.wait(w.inline(2, 12))
	if got := prefix.Load(); got != "package main\n\nvar b = 2 + " {
		t.Errorf("after the whole text, the model saw %q", got)
	}
	w.bye()
}

// TestOutOfOrder: changes that come in the wrong order, as Helix sends them now and then, are
// applied in the right one. Else the server's text would be none that an editor shows.
func TestOutOfOrder(t *testing.T) {
	var prefix atomic.Value
	w := dial(t, generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
		prefix.Store(r.Prefix)
		return engine.Result{Text: "x", Stop: "end"}, nil
	}), Options{})
	w.hello("utf-16", nil)
	insert := []string{"1", " ", "+", " ", "f", "("}
	for _, order := range [][]int{{1, 0, 2, 3, 4, 5}, {0, 1, 3, 2, 5, 4}, {2, 0, 1, 3, 4, 5}, {1, 2, 3, 4, 5, 0}, {5, 0, 1, 2, 3, 4}, {1, 0, 3, 2, 4, 5}} {
		w.open("package main\n\nvar a = \n")
		for _, n := range order {
			w.change(2+n, 2, 8+n, 8+n, insert[n])
		}
		w.wait(w.inline(2, 14))
		if got := prefix.Load(); got != "package main\n\nvar a = 1 + f(" {
			t.Errorf("%v: the model saw %q", order, got)
		}
	}
	w.bye()
}

// TestLargeInput: files that are too large are not completed, unless the person wants it
// so; either way nothing falls over, and typing into them is answered.
func TestLargeInput(t *testing.T) {
	for _, kb := range []int{2048, 65536} {
		w := dial(t, says("x"), Options{})
		w.hello("utf-16", map[string]any{"maxFileKB": kb, "invokedDeadlineMs": 60000})
		for name, text := range map[string]string{"empty": "", "50 MB": strings.Repeat("var a = 1\n", 5<<20), "one 5 MB line": "var a = \"" + strings.Repeat("x", 5<<20),
			"5 MB of brackets": strings.Repeat("(", 5<<20), "a million line ends": strings.Repeat("\r", 1<<20)} {
			w.open(text)
			for i, p := range [][2]int{{0, 0}, {0, 9}, {1 << 30, 1 << 30}, {1000, 0}} {
				w.change(i+2, p[0], p[1], p[1], "y")
				start := time.Now()
				if r := w.wait(w.inline(p[0], p[1]+1)); r.Error != nil {
					t.Errorf("%s at %v: %+v", name, p, r.Error)
				}
				if took := time.Since(start); took > time.Second {
					t.Logf("%d KB, %s at %v: %v", kb, name, p, took)
				}
			}
		}
		w.bye()
	}
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
