package shared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/lsp"
)

// failing is a way to join that a test closes and opens.
type failing struct {
	path chan string // where the next server is, when there is one
}

func (f *failing) join(ctx context.Context) (net.Conn, error) {
	select {
	case path := <-f.path:
		if path == "" {
			return nil, errors.New("there is none")
		}
		return Join(ctx, path, nil)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestCrash: a window outlives its server. What was asked is given up, what was typed is
// known to the next server, the person is told once, and nothing said to the first server
// reaches the second.
func TestCrash(t *testing.T) {
	f := &failing{make(chan string, 10)}
	m := &model{block: make(chan struct{}), begun: make(chan struct{}, 1)}
	first, second := place(t), place(t)
	s := serve(t, first, Options{Server: lsp.Options{Generator: m}})
	serve(t, second, Options{Server: lsp.Options{Generator: &model{}}})
	f.path <- first
	e := window(t, f.join)
	e.hello()
	for len(e.asked) == 0 { // to register what it wants to be told of
		e.read()
	}
	e.open("x()")
	for i, text := range []string{"é", "😀", "z"} { // three edits at one place, in UTF-16
		e.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": uri, "version": i + 2}, "contentChanges": []any{map[string]any{
			"range": map[string]any{"start": map[string]any{"line": 3, "character": 3}, "end": map[string]any{"line": 3, "character": 3}}, "text": text}}})
	}
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": "file:///p/closed.go", "languageId": "go", "version": 1, "text": "package a"}})
	e.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": "file:///p/closed.go"}})
	e.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"decode": "causal", "status": true}}})
	e.notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{map[string]any{"uri": "file:///p", "name": "p"}}, "removed": []any{}}})
	id := e.ask()
	<-m.begun
	registered := len(e.asked)
	s.stop()
	if m := e.wait(id); m.Error == nil || m.Error.Code != errServerCancelled {
		t.Errorf("what was asked: %+v", m)
	}
	// While there is no server, nobody waits for one.
	if m := e.wait(e.ask()); m.Error == nil || m.Error.Code != errServerCancelled {
		t.Errorf("without a server: %+v", m)
	}
	e.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": uri, "version": 9}, "contentChanges": []any{map[string]any{
		"range": map[string]any{"start": map[string]any{"line": 3, "character": 1}, "end": map[string]any{"line": 3, "character": 2}}, "text": "yy"}}})
	e.call("nonsense", nil) // what is before it was handled
	f.path <- second
	e.hears("window/showMessage", "ended unexpectedly")
	e.hears("didChangeStatus", "Normal") // by the settings that were in force
	if got := e.saw(e.wait(e.ask())); got != "yy(z😀é)" {
		t.Errorf("the new server saw %q", got)
	}
	e.write(map[string]any{"id": "seedling/1", "result": nil}) // a late answer to the first
	e.write(map[string]any{"id": "seedling/999", "result": nil})
	e.write(map[string]any{"id": 1, "result": nil})
	if got := e.saw(e.wait(e.ask())); got != "yy(z😀é)" {
		t.Errorf("afterwards it saw %q", got)
	}
	if len(e.asked) != registered {
		t.Errorf("the editor was asked %d times before and %d after: %+v", registered, len(e.asked), e.asked)
	}
	shown := 0
	for _, n := range e.notes {
		if n.Method == "window/showMessage" {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("a person was told %d times: %+v", shown, e.notes)
	}
	if err := e.bye(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// TestCrashEarly: a server that dies before it greets is replaced before the editor notices.
func TestCrashEarly(t *testing.T) {
	f := &failing{make(chan string, 10)}
	dead, second := place(t), place(t)
	l, err := Listen(dead)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve(t, second, Options{Server: lsp.Options{Generator: &model{}}})
	f.path <- dead
	e := window(t, f.join)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	id := e.send("initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{}})
	if _, err := c.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	f.path <- second
	if m := e.wait(id); m.Error != nil || !strings.Contains(string(m.Result), "capabilities") {
		t.Errorf("%s %+v", m.Result, m.Error)
	}
	e.notify("initialized", map[string]any{})
	e.open("x()")
	if got := e.saw(e.wait(e.ask())); got != "x()" {
		t.Errorf("%q", got)
	}
	e.bye()
}

// TestGiveUp: a server that cannot be had is not tried for ever, and the editor is told why.
func TestGiveUp(t *testing.T) {
	f := &failing{make(chan string, 10)}
	first := place(t)
	s := serve(t, first, Options{Server: lsp.Options{Generator: &model{}}})
	f.path <- first
	e := window(t, f.join)
	e.hello()
	for range maxCrashes {
		f.path <- ""
	}
	s.stop()
	e.hears("window/showMessage", "there is no other: it ended")
	if err := <-e.done; err == nil || !strings.Contains(err.Error(), "it ended 4 times") {
		t.Errorf("%v", err)
	}
	e.done <- nil
}

// TestShutdownWithoutServer: an editor that leaves while there is no server gets its answer.
func TestShutdownWithoutServer(t *testing.T) {
	f := &failing{make(chan string, 10)}
	first := place(t)
	s := serve(t, first, Options{Server: lsp.Options{Generator: &model{}}})
	f.path <- first
	e := window(t, f.join)
	e.hello()
	s.stop()
	if err := e.bye(); err != nil {
		t.Errorf("%v", err)
	}
}

// TestLeft: an editor that is gone without a word is an error, as it is without a proxy.
func TestLeft(t *testing.T) {
	path := place(t)
	serve(t, path, Options{Server: lsp.Options{Generator: &model{}}})
	e := window(t, func(ctx context.Context) (net.Conn, error) { return Join(ctx, path, nil) })
	e.hello()
	e.c.Close()
	err := <-e.done
	e.done <- err
	if !errors.Is(err, lsp.ErrNoShutdown) {
		t.Errorf("%v", err)
	}
}

// TestMirror: whatever edits came, what a new server is told is what stands in the editor.
func TestMirrorTexts(t *testing.T) {
	var m lsp.Mirror
	sent := func(method, params string) { m.Sent(method, []byte(params)) }
	sent("initialize", `{"capabilities":{}}`)
	if len(m.Rest()) != 0 {
		t.Error("told before initialized")
	}
	m.Initialized([]byte(`{"capabilities":{"positionEncoding":"utf-8"}}`))
	sent("initialized", `{}`)
	sent("$/setTrace", `{"value":"verbose"}`)
	sent("$/setTrace", `{"value":"off"}`)
	sent("textDocument/didOpen", `{"textDocument":{"uri":"file:///b.go","languageId":"go","version":3,"text":"é\r\nx"}}`)
	sent("textDocument/didOpen", `{"textDocument":{"uri":"file:///a.py","languageId":"python","version":1,"text":""}}`)
	sent("textDocument/didChange", `{"textDocument":{"uri":"file:///b.go","version":4},"contentChanges":[{"range":{"start":{"line":0,"character":2},"end":{"line":1,"character":0}},"text":"!"},{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"text":"<"}]}`)
	sent("textDocument/didChange", `{"textDocument":{"uri":"file:///b.go","version":5},"contentChanges":[{"range":{"start":{"line":1,"character":0},"end":{"line":0,"character":0}},"text":"backwards"}]}`)
	sent("textDocument/didChange", `{"textDocument":{"uri":"file:///nowhere","version":5},"contentChanges":[{"text":""}]}`)
	sent("notebookDocument/didOpen", `{"notebookDocument":{"uri":"file:///n.ipynb","notebookType":"jupyter","version":1,"cells":[{"kind":1,"document":"c:m"},{"kind":2,"document":"c:1"}]},"cellTextDocuments":[{"uri":"c:1","languageId":"python","version":1,"text":"a"}]}`)
	sent("notebookDocument/didChange", `{"notebookDocument":{"uri":"file:///n.ipynb","version":2},"change":{"cells":{"structure":{"array":{"start":1,"deleteCount":0,"cells":[{"kind":2,"document":"c:0"}]},"didOpen":[{"uri":"c:0","languageId":"python","version":1,"text":"b"}]},"textContent":[{"document":{"uri":"c:1","version":2},"changes":[{"text":"c"}]}]}}}`)
	sent("notebookDocument/didOpen", `{"notebookDocument":{"uri":"file:///gone.ipynb","notebookType":"jupyter","version":1,"cells":[{"kind":2,"document":"g:1"}]},"cellTextDocuments":[{"uri":"g:1","languageId":"python","version":1,"text":"a"}]}`)
	sent("notebookDocument/didClose", `{"notebookDocument":{"uri":"file:///gone.ipynb"},"cellTextDocuments":[{"uri":"g:1"}]}`)
	sent("textDocument/didChange", `nonsense`)
	sent("textDocument/didOpen", `[]`)
	if m.SameEncoding([]byte(`{"capabilities":{}}`)) || !m.SameEncoding([]byte(`{"capabilities":{"positionEncoding":"utf-8"}}`)) {
		t.Error("the encoding is not that of the first answer")
	}
	var got []string
	for _, r := range m.Rest() {
		var p any
		if err := json.Unmarshal(r.Params, &p); err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(p)
		got = append(got, fmt.Sprint(r.Method, " ", string(b)))
	}
	want := `initialized {}
$/setTrace {"value":"off"}
notebookDocument/didOpen {"cellTextDocuments":[{"languageId":"python","text":"b","uri":"c:0","version":1},{"languageId":"python","text":"c","uri":"c:1","version":2}],"notebookDocument":{"cells":[{"document":"c:m","kind":1},{"document":"c:0","kind":2},{"document":"c:1","kind":2}],"notebookType":"jupyter","uri":"file:///n.ipynb","version":1}}
textDocument/didOpen {"textDocument":{"languageId":"python","text":"","uri":"file:///a.py","version":1}}
textDocument/didOpen {"textDocument":{"languageId":"go","text":"\u003cé!x","uri":"file:///b.go","version":4}}`
	if strings.Join(got, "\n") != want {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}
