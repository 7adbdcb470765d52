package lsp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// FuzzFrames: no bytes on the wire bring the frame reader down or make it pass a message
// on that the library could not take.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("Content-Length: 2\r\n\r\n{}"))
	f.Add([]byte("Content-Length: 40\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}xx"))
	f.Add([]byte("content-length: 99999999999\r\n\r\n"))
	f.Add([]byte("Content-Length: 60\r\n\r\n{}Content-Length: 2\r\n\r\n{}Content-Length: 31\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"a\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := newFrames(&loop{in: data}, nil)
		for {
			body, err := in.next()
			if err != nil {
				return
			}
			if len(body) > len(data) {
				t.Fatalf("%d bytes came, a message has %d", len(data), len(body))
			}
			if body != nil && unsound(body) != "" {
				t.Fatalf("let through %q", body)
			}
		}
	})
}

// FuzzSession: whatever comes in whatever order, no handler panics (the server would hide
// it from the client, but not from the log), the library does not end the connection, and
// Serve returns when the client is gone.
func FuzzSession(f *testing.F) {
	frame := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	start := frame(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{"general":{"positionEncodings":["utf-8"]}}}}`) +
		frame(`{"jsonrpc":"2.0","method":"initialized","params":{}}`)
	for _, s := range []string{
		`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a.go","languageId":"go","version":1,"text":"package a\n"}}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a.go","version":2},"contentChanges":[{"range":{"start":{"line":0,"character":1},"end":{"line":9,"character":9}},"text":"\ud83d"}]}}`,
		`{"jsonrpc":"2.0","id":2,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.go"},"position":{"line":0,"character":3},"context":{"triggerKind":2,"selectedCompletionInfo":{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":3}},"text":"pack"}}}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}`,
		`{"jsonrpc":"2.0","method":"$/setTrace","params":{"value":"verbose"}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":{"seedling":{"enable":false}}}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeWorkspaceFolders","params":{"event":{"added":[{"uri":"file:///nowhere","name":"n"},{"uri":"%"}],"removed":[{"uri":""}]}}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeWatchedFiles","params":{"changes":[{"uri":"file:///nowhere/.gitignore","type":3},{"uri":"%"}]}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didSave","params":{"textDocument":{"uri":"file:///.seedlingignore"}}}`,
		`{"jsonrpc":"2.0","method":"notebookDocument/didOpen","params":{"notebookDocument":{"uri":"file:///a.ipynb","notebookType":"j","version":1,"cells":[{"kind":2,"document":"c:1"},{"kind":2,"document":"c:2"}]},"cellTextDocuments":[{"uri":"c:1","languageId":"python","version":1,"text":"%x"},{"uri":"c:2","languageId":"python","version":1,"text":"y"}]}}`,
		`{"jsonrpc":"2.0","method":"notebookDocument/didChange","params":{"notebookDocument":{"uri":"file:///a.ipynb","version":2},"change":{"cells":{"structure":{"array":{"start":0,"deleteCount":1,"cells":[{"kind":2,"document":"c:3"}]},"didOpen":[{"uri":"c:3","languageId":"python","version":1,"text":""}],"didClose":[{"uri":"c:1"}]},"textContent":[{"document":{"uri":"c:2","version":2},"changes":[{"text":"z"}]}]}}}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///a.go"}}}`,
	} {
		f.Add([]byte(frame(s)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		core, logs := observer.New(zap.WarnLevel)
		s := New(Options{Generator: says("x := 1"), Logger: zap.New(core)})
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background(), &loop{in: append([]byte(start), data...)}) }()
		select {
		case err := <-served:
			if err != nil && !errors.Is(err, ErrNoShutdown) {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Serve does not return")
		}
		for _, l := range logs.All() {
			if strings.HasPrefix(l.Message, "a handler failed") {
				t.Errorf("%s: %v", l.Message, l.ContextMap())
			}
		}
	})
}

// FuzzEdits: any edits of any text give what the naive model gives, or leave it alone.
func FuzzEdits(f *testing.F) {
	f.Add("a\r\nb😀\xff", []byte{0, 0, 1, 0, 2, 3, 1, 1, 1, 1, 9, 200, 2, 0, 5, 0, 1, 4}, "é\r")
	f.Fuzz(func(t *testing.T, text string, edits []byte, with string) {
		text, with = valid(text), valid(with)
		doc := newSnapshot("file:///a.go", "go", 1, text)
		for version := int32(2); len(edits) >= 6; version++ {
			b := edits[:6]
			edits = edits[6:]
			e := Encoding(b[0] % 3)
			r := protocol.Range{Start: protocol.Position{Line: uint32(b[1]), Character: uint32(b[2])}, End: protocol.Position{Line: uint32(b[3]), Character: uint32(b[4])}}
			if b[5]&1 != 0 {
				r.End.Character = binary.LittleEndian.Uint32([]byte{b[2], b[3], b[4], b[5]})
			}
			n := with[:min(len(with), int(b[5])/2)]
			n = valid(n)
			next, err := doc.change(e, version, []protocol.TextDocumentContentChangeEvent{&protocol.TextDocumentContentChangePartial{Range: r, Text: n}})
			reversed := r.Start.Line > r.End.Line || r.Start.Line == r.End.Line && r.Start.Character > r.End.Character
			if reversed != (err != nil) {
				t.Fatalf("%v: %v", r, err)
			}
			if reversed {
				continue
			}
			text = text[:naiveOffset(text, e, r.Start)] + n + text[naiveOffset(text, e, r.End):]
			if doc = next; doc.text() != text {
				t.Fatalf("%v: %q, want %q", r, doc.text(), text)
			}
		}
	})
}

// loop is a wire that only has input.
type loop struct{ in []byte }

func (l *loop) Read(p []byte) (int, error) {
	if len(l.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.in)
	l.in = l.in[n:]
	return n, nil
}
func (l *loop) Write(p []byte) (int, error) { return len(p), nil }
func (l *loop) Close() error                { return nil }
