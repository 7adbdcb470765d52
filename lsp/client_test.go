package lsp

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
)

// wireClient is an editor of raw frames, so that tests see what is on the wire.
type wireClient struct {
	t    testing.TB
	s    *Server
	c    wire
	in   *bufio.Reader
	id   int
	got  map[int]reply // answers by id
	done chan error
	// progress is whether it shows work done progress.
	progress bool
	// answers are its answers to requests of the server, by method; the others get null.
	answers   map[string]string
	lacks     string          // a method that the client does not know
	silent    string          // one that it does not answer
	lastAsked json.RawMessage // id of the last of them
	// asked are those requests.
	asked []reply
	// notes are the notifications that came while waiting for answers.
	notes []reply
}

// wire is what the client writes to.
type wire interface {
	io.WriteCloser
	SetReadDeadline(time.Time) error
}

type reply struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// dial starts a server on a generator and connects to it over a real socket pair's worth
// of buffering: a pipe without any would deadlock a client that only writes.
func dial(t testing.TB, g Generator, opt Options) *wireClient {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if g != nil {
		opt.Generator = g
	}
	s := New(opt)
	w := &wireClient{t: t, s: s, got: map[int]reply{}, done: make(chan error, 1)}
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.c = ours
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		err := s.Serve(context.Background(), c)
		c.Close()
		w.done <- err
	}()
	w.in = bufio.NewReader(ours)
	t.Cleanup(func() { w.c.Close(); <-w.done })
	return w
}

func (w *wireClient) raw(s string) {
	w.t.Helper()
	if _, err := io.WriteString(w.c, s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wireClient) frame(body string) {
	w.t.Helper()
	w.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

func (w *wireClient) notify(method string, params any) {
	w.t.Helper()
	b, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
	w.frame(string(b))
}

func (w *wireClient) send(method string, params any) int {
	w.t.Helper()
	w.id++
	b, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": w.id, "method": method, "params": params})
	w.frame(string(b))
	return w.id
}

func (w *wireClient) read() reply {
	w.t.Helper()
	w.c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	n := 0
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			w.t.Fatalf("reading: %v", err)
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			n, _ = strconv.Atoi(v)
		}
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(w.in, b); err != nil {
		w.t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(b, &r); err != nil {
		w.t.Fatalf("%v in %s", err, b)
	}
	return r
}

// noted keeps what the server says on its own.
func (w *wireClient) noted(r reply) bool {
	switch {
	case r.Method != "" && r.ID != nil:
		w.asked = append(w.asked, r)
		w.lastAsked = r.ID
		switch r.Method {
		case w.silent:
		case w.lacks:
			w.frame(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, r.ID))
		default:
			w.frame(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, r.ID, cmp.Or(w.answers[r.Method], "null")))
		}
	case r.Method != "":
		w.notes = append(w.notes, r)
	}
	return r.Method != ""
}

// hears reads until a notification of a method comes whose parameters contain a text.
func (w *wireClient) hears(method, part string) reply {
	w.t.Helper()
	for i := 0; ; i++ {
		for ; i < len(w.notes); i++ {
			if n := w.notes[i]; n.Method == method && strings.Contains(string(n.Params), part) {
				w.notes = w.notes[i+1:]
				return n
			}
		}
		i--
		if r := w.read(); !w.noted(r) {
			w.t.Fatalf("waiting for %s, an answer came: %s", method, r.ID)
		}
	}
}

// wait reads until the answer to id comes; notifications are kept.
func (w *wireClient) wait(id int) reply {
	w.t.Helper()
	for {
		if r, ok := w.got[id]; ok {
			return r
		}
		r := w.read()
		if w.noted(r) {
			continue
		}
		if n, err := strconv.Atoi(string(r.ID)); err == nil {
			w.got[n] = r
		}
	}
}

func (w *wireClient) call(method string, params any) reply {
	w.t.Helper()
	return w.wait(w.send(method, params))
}

// hello initializes with one offered encoding.
func (w *wireClient) hello(encoding string, options any) reply {
	w.t.Helper()
	r := w.call("initialize", map[string]any{"processId": nil, "rootUri": nil, "initializationOptions": options,
		"capabilities": map[string]any{"general": map[string]any{"positionEncodings": []string{encoding}}, "window": map[string]any{"workDoneProgress": w.progress}, "workspace": map[string]any{"configuration": w.answers != nil}, "experimental": map[string]any{"seedlingStatus": true}}})
	w.notify("initialized", map[string]any{})
	return r
}

const testURI = "file:///tmp/project/main.go"

func (w *wireClient) open(text string) {
	w.t.Helper()
	w.openAt(testURI, text)
}

func (w *wireClient) openAt(uri, text string) {
	w.t.Helper()
	w.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "go", "version": 1, "text": text}})
}

func (w *wireClient) change(version, line, from, to int, text string) {
	w.t.Helper()
	w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": testURI, "version": version},
		"contentChanges": []any{map[string]any{"range": rng(line, from, to), "text": text}}})
}

func rng(line, from, to int) map[string]any {
	return map[string]any{"start": map[string]any{"line": line, "character": from}, "end": map[string]any{"line": line, "character": to}}
}

func (w *wireClient) inline(line, character int) int {
	w.t.Helper()
	return w.inlineAt(testURI, line, character)
}

func (w *wireClient) inlineAt(uri string, line, character int) int {
	w.t.Helper()
	return w.send("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": uri},
		"position": map[string]any{"line": line, "character": character}, "context": map[string]any{"triggerKind": 1}})
}

// bye ends the session as a client should and gives Serve's error.
func (w *wireClient) bye() error {
	w.t.Helper()
	if r := w.call("shutdown", nil); r.Error != nil {
		w.t.Errorf("shutdown: %v", r.Error)
	}
	w.notify("exit", nil)
	err := <-w.done
	w.done <- err
	return err
}

// says is a generator of one answer.
type says string

func (s says) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	text := string(s)
	if r.Stop != nil {
		if keep, name := r.Stop(text); name != "" {
			text = text[:keep]
		}
	}
	return engine.Result{Text: text, Stop: "end", Tokens: 1, Forwards: 1}, nil
}

// generator is a function that answers.
type generator func(context.Context, engine.Request) (engine.Result, error)

func (g generator) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	return g(ctx, r)
}
