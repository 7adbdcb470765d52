package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.lsp.dev/jsonrpc2"
)

// editor is the client's side: one document, typed into at its cursor. It counts columns
// in UTF-8, which the demo offers alone.
type editor struct {
	conn    jsonrpc2.Conn
	uri     string
	text    string
	at      int // byte offset of the cursor
	version int
}

// item is a suggestion as it came over the wire.
type item struct {
	InsertText string `json:"insertText"`
	Range      struct {
		Start place `json:"start"`
		End   place `json:"end"`
	} `json:"range"`
}

type place struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// connect initializes a server on the other end of rwc.
func connect(ctx context.Context, rwc io.ReadWriteCloser) (*editor, error) {
	e := &editor{conn: jsonrpc2.NewConn(jsonrpc2.NewStream(rwc))}
	e.conn.Go(ctx, func(context.Context, *jsonrpc2.Request) (any, error) { return nil, nil })
	params := json.RawMessage(`{"processId":null,"rootUri":null,"clientInfo":{"name":"demo"},"capabilities":{"general":{"positionEncodings":["utf-8"]}}}`)
	if _, err := e.conn.Call(ctx, "initialize", params, nil); err != nil {
		return nil, fmt.Errorf("demo: initialize: %w", err)
	}
	return e, e.conn.Notify(ctx, "initialized", json.RawMessage(`{}`))
}

func (e *editor) notify(ctx context.Context, method string, params any) error {
	b, err := json.Marshal(params)
	if err != nil {
		return err
	}
	return e.conn.Notify(ctx, method, json.RawMessage(b))
}

// open opens a text with the cursor at the byte offset at.
func (e *editor) open(ctx context.Context, uri, language, text string, at int) error {
	e.uri, e.text, e.at, e.version = uri, text, at, 1
	return e.notify(ctx, "textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": language, "version": 1, "text": text}})
}

func (e *editor) close(ctx context.Context) error {
	return e.notify(ctx, "textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": e.uri}})
}

func (e *editor) place(off int) place {
	return place{strings.Count(e.text[:off], "\n"), off - strings.LastIndexByte(e.text[:off], '\n') - 1}
}

func (e *editor) offset(p place) int {
	off := 0
	for range p.Line {
		off += strings.IndexByte(e.text[off:], '\n') + 1
	}
	return off + p.Character
}

// replace edits the document and puts the cursor behind the new text.
func (e *editor) replace(ctx context.Context, from, to int, with string) error {
	e.version++
	change := map[string]any{"range": map[string]any{"start": e.place(from), "end": e.place(to)}, "text": with}
	e.text = e.text[:from] + with + e.text[to:]
	e.at = from + len(with)
	return e.notify(ctx, "textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": e.uri, "version": e.version}, "contentChanges": []any{change}})
}

// suggest asks for ghost text at the cursor.
func (e *editor) suggest(ctx context.Context) ([]item, error) {
	b, err := json.Marshal(map[string]any{"textDocument": map[string]any{"uri": e.uri}, "position": e.place(e.at), "context": map[string]any{"triggerKind": 2}}) // as who types does
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []item `json:"items"`
	}
	if _, err := e.conn.Call(ctx, "textDocument/inlineCompletion", json.RawMessage(b), &list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// ghost is the part of a suggestion that is not in the document yet.
func (e *editor) ghost(it item) string {
	start := e.offset(it.Range.Start)
	if start > e.at {
		return it.InsertText
	}
	return strings.TrimPrefix(it.InsertText, e.text[start:e.at])
}

// accept takes a suggestion.
func (e *editor) accept(ctx context.Context, it item) error {
	return e.replace(ctx, e.offset(it.Range.Start), e.offset(it.Range.End), it.InsertText)
}

// end says goodbye.
func (e *editor) end(ctx context.Context) error {
	if _, err := e.conn.Call(ctx, "shutdown", nil, nil); err != nil {
		return err
	}
	return e.conn.Notify(ctx, "exit", nil)
}
