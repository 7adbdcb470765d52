package shared

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is an engine that says what it was asked for.
type model struct {
	mu        sync.Mutex
	documents map[string]bool // that it was asked about, and has not forgotten
	all       map[string]bool
	block     chan struct{} // answers wait for it; nil: they do not
	begun     chan struct{}
}

func (m *model) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	m.mu.Lock()
	if m.documents == nil {
		m.documents, m.all = map[string]bool{}, map[string]bool{}
	}
	m.documents[r.Document], m.all[r.Document] = true, true
	block := m.block
	m.mu.Unlock()
	if block != nil {
		m.begun <- struct{}{}
		select {
		case <-block:
		case <-ctx.Done():
			return engine.Result{}, ctx.Err()
		}
	}
	lines := strings.Split(strings.TrimSpace(r.Prefix), "\n")
	text := fmt.Sprintf("said(%q)", lines[len(lines)-1])
	if r.Stop != nil {
		if keep, name := r.Stop(text); name != "" {
			text = text[:keep]
		}
	}
	return engine.Result{Text: text, Stop: "end", Tokens: 1, Forwards: 1}, nil
}

func (m *model) Remember(document, _ string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.documents[document], m.all[document] = true, true
}

func (m *model) Forget(document string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.documents, document)
}

func (m *model) count() (kept, all int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.documents), len(m.all)
}

// place is a path for a socket: short, since t.TempDir may not be.
func place(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s", "seedling.sock")
}

// serving is a shared server that a test can end.
type serving struct {
	end  context.CancelFunc
	done chan error
}

func serve(t testing.TB, path string, opt Options) *serving {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &serving{cancel, make(chan error, 1)}
	go func() { s.done <- Serve(ctx, l, opt) }()
	t.Cleanup(s.stop)
	return s
}

func (s *serving) stop() {
	s.end()
	err := <-s.done
	s.done <- err
}

// editor is one window.
type editor struct {
	t    testing.TB
	c    io.ReadWriteCloser
	in   *bufio.Reader
	id   int
	done chan error // of its proxy; nil: it has none
	// notes are what came besides answers; asked the requests of the server.
	notes, asked []got
	silent       bool // it does not answer requests
}

type got struct {
	ID             json.RawMessage
	Method         string
	Params, Result json.RawMessage
	Error          *struct {
		Code    int
		Message string
	}
}

// window opens a window behind a proxy.
func window(t testing.TB, join func(context.Context) (net.Conn, error)) *editor {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a pipe without a buffer would deadlock
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	e := &editor{t: t, c: ours, in: bufio.NewReader(ours), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		err := (&Proxy{Editor: theirs, Join: join}).Run(ctx)
		theirs.Close()
		e.done <- err
	}()
	t.Cleanup(func() { ours.Close(); cancel(); <-e.done })
	return e
}

// direct opens a window without a proxy.
func direct(t testing.TB, path string) *editor {
	t.Helper()
	c, err := Join(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &editor{t: t, c: c, in: bufio.NewReader(c)}
}

func (e *editor) write(m map[string]any) {
	e.t.Helper()
	m["jsonrpc"] = "2.0"
	b, _ := json.Marshal(m)
	if _, err := fmt.Fprintf(e.c, "Content-Length: %d\r\n\r\n%s", len(b), b); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) notify(method string, params any) {
	e.t.Helper()
	e.write(map[string]any{"method": method, "params": params})
}

func (e *editor) send(method string, params any) int {
	e.t.Helper()
	e.id++
	e.write(map[string]any{"id": e.id, "method": method, "params": params})
	return e.id
}

func (e *editor) read() (m got) {
	e.t.Helper()
	e.c.(net.Conn).SetReadDeadline(time.Now().Add(time.Minute))
	n := 0
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			e.t.Fatalf("reading: %v", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		fmt.Sscanf(line, "Content-Length: %d", &n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(e.in, b); err != nil {
		e.t.Fatal(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		e.t.Fatalf("%v: %s", err, b)
	}
	switch {
	case m.Method != "" && m.ID != nil:
		e.asked = append(e.asked, m)
		if !e.silent {
			e.write(map[string]any{"id": m.ID, "result": nil})
		}
	case m.Method != "":
		e.notes = append(e.notes, m)
	}
	return m
}

func (e *editor) wait(id int) got {
	e.t.Helper()
	for {
		if m := e.read(); m.Method == "" && string(m.ID) == fmt.Sprint(id) {
			return m
		}
	}
}

func (e *editor) call(method string, params any) got {
	e.t.Helper()
	return e.wait(e.send(method, params))
}

// hears reads until a notification comes that contains a text.
func (e *editor) hears(method, part string) {
	e.t.Helper()
	for _, n := range e.notes {
		if n.Method == method && strings.Contains(string(n.Params), part) {
			return
		}
	}
	for {
		if n := e.read(); n.Method == method && strings.Contains(string(n.Params), part) {
			return
		}
	}
}

const uri = "file:///p/a.go"

func (e *editor) hello() {
	e.t.Helper()
	if m := e.call("initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{"general": map[string]any{"positionEncodings": []string{"utf-16"}},
		"experimental": map[string]any{"seedlingStatus": true},
		"workspace":    map[string]any{"didChangeConfiguration": map[string]any{"dynamicRegistration": true}}}}); m.Error != nil {
		e.t.Fatalf("initialize: %+v", m.Error)
	}
	e.notify("initialized", map[string]any{})
	e.hears("seedling/status", `"ready"`)
}

// open opens a document whose one function holds a line and a gap after it.
func (e *editor) open(line string) {
	e.t.Helper()
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "go", "version": 1, "text": "package a\n\nfunc f() {\n\t" + line + "\n\t\n}\n"}})
}

func (e *editor) ask() int {
	e.t.Helper()
	return e.send("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": uri}, "position": map[string]any{"line": 4, "character": 1}, "context": map[string]any{"triggerKind": 1}})
}

// saw is the line that the model saw before the gap.
func (e *editor) saw(m got) string {
	e.t.Helper()
	var l struct{ Items []struct{ InsertText string } }
	if err := json.Unmarshal(m.Result, &l); err != nil || len(l.Items) != 1 {
		e.t.Fatalf("%s %+v", m.Result, m.Error)
	}
	var line string
	if _, err := fmt.Sscanf(strings.TrimSpace(l.Items[0].InsertText), "said(%q)", &line); err != nil {
		e.t.Fatalf("%q", l.Items[0].InsertText)
	}
	return strings.TrimSpace(line)
}

func (e *editor) bye() error {
	e.t.Helper()
	if m := e.call("shutdown", nil); m.Error != nil {
		e.t.Errorf("shutdown: %+v", m.Error)
	}
	e.notify("exit", nil)
	if e.done == nil {
		return nil
	}
	err := <-e.done
	e.done <- err
	return err
}

// TestSessions: five windows with the same file, each with a text of its own, share one
// model, which is loaded once; none sees another's text, and nothing of them stays.
func TestSessions(t *testing.T) {
	path, m, loads := place(t), &model{}, 0
	s := serve(t, path, Options{Server: lsp.Options{Model: "m", Load: func(context.Context) (lsp.Generator, error) { loads++; return m, nil }}})
	join := func(ctx context.Context) (net.Conn, error) { return Join(ctx, path, nil) }
	var all []*editor
	for i := range 5 {
		e := window(t, join)
		e.hello()
		e.open(fmt.Sprintf("window(%d)", i))
		all = append(all, e)
	}
	for i, e := range all {
		e.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": uri, "version": 2}, "contentChanges": []any{map[string]any{
			"range": map[string]any{"start": map[string]any{"line": 3, "character": 1}, "end": map[string]any{"line": 3, "character": 1}}, "text": "own = "}}})
		if got, want := e.saw(e.wait(e.ask())), fmt.Sprintf("own = window(%d)", i); got != want {
			t.Errorf("window %d: %q, want %q", i, got, want)
		}
	}
	if kept, n := m.count(); n < 5 || kept < 5 {
		t.Errorf("the engine knows %d documents, %d of them still", n, kept)
	}
	// One window turns suggestions off: its own.
	all[0].notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"enable": false}}})
	if m := all[0].wait(all[0].ask()); string(m.Result) != `{"items":[]}` {
		t.Errorf("turned off: %s", m.Result)
	}
	all[1].saw(all[1].wait(all[1].ask()))
	for _, e := range all {
		if err := e.bye(); err != nil {
			t.Errorf("a window ended with %v", err)
		}
	}
	s.stop() // when all sessions have ended
	if kept, _ := m.count(); kept != 0 {
		t.Errorf("%d documents were left behind", kept)
	}
	if loads != 1 {
		t.Errorf("loaded %d times", loads)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left")
	}
}

// TestIdle: a server that nobody needs any more ends.
func TestIdle(t *testing.T) {
	path := place(t)
	s := serve(t, path, Options{Idle: 50 * time.Millisecond, Server: lsp.Options{Generator: &model{}}})
	e := direct(t, path)
	e.hello()
	e.call("shutdown", nil)
	e.notify("exit", nil)
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
}

// TestEnd: the end of the server ends its sessions, also those in the middle of an answer.
func TestEnd(t *testing.T) {
	path, m := place(t), &model{block: make(chan struct{}), begun: make(chan struct{}, 1)}
	s := serve(t, path, Options{Server: lsp.Options{Generator: m}})
	e := direct(t, path)
	e.hello()
	e.open("x()")
	e.ask()
	<-m.begun
	s.stop()
	if kept, n := m.count(); kept != 0 || n != 1 {
		t.Errorf("%d of %d documents were left behind", kept, n)
	}
}
