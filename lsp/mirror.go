package lsp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// Mirror knows of a client's session what a server must be told to take it over from
// another that is gone: the handshake, the settings, the folders, and the open documents as
// they stand. It is not safe for concurrent use.
type Mirror struct {
	initialize, initialized []byte // parameters
	last                    map[string][]byte
	folders                 [][]byte
	docs                    documents
	notebooks               notebooks
	encoding                Encoding
}

// lasting are the notifications of which the last one holds.
var lasting = []string{protocol.MethodSetTrace, protocol.MethodWorkspaceDidChangeConfiguration, "textDocument/didFocus"}

// maxFolderChanges that are kept one by one.
const maxFolderChanges = 1000

// Sent takes note of a request or notification of the client. What cannot be read, or
// applied, is as if it had not been sent: the server does not take it either.
func (m *Mirror) Sent(method string, params []byte) {
	switch method {
	case protocol.MethodInitialize:
		m.initialize = bytes.Clone(params)
	case protocol.MethodInitialized:
		m.initialized = bytes.Clone(params)
	case protocol.MethodWorkspaceDidChangeWorkspaceFolders:
		if len(m.folders) < maxFolderChanges {
			m.folders = append(m.folders, bytes.Clone(params))
		}
	case protocol.MethodTextDocumentDidOpen:
		var p protocol.DidOpenTextDocumentParams
		if protocol.Unmarshal(params, &p) == nil {
			m.open(p.TextDocument)
		}
	case protocol.MethodTextDocumentDidChange:
		var p protocol.DidChangeTextDocumentParams
		if protocol.Unmarshal(params, &p) == nil {
			m.change(p.TextDocument, p.ContentChanges)
		}
	case protocol.MethodNotebookDocumentDidOpen, protocol.MethodNotebookDocumentDidChange, protocol.MethodNotebookDocumentDidClose:
		m.notebook(method, params)
	case protocol.MethodTextDocumentDidClose:
		var p protocol.DidCloseTextDocumentParams
		if protocol.Unmarshal(params, &p) == nil {
			m.docs.drop(p.TextDocument.URI)
		}
	default:
		if slices.Contains(lasting, method) {
			if m.last == nil {
				m.last = map[string][]byte{}
			}
			m.last[method] = bytes.Clone(params)
		}
	}
}

func (m *Mirror) open(d protocol.TextDocumentItem) {
	m.docs.put(newSnapshot(d.URI, string(d.LanguageID), d.Version, valid(d.Text)))
}

func (m *Mirror) change(d protocol.VersionedTextDocumentIdentifier, changes []protocol.TextDocumentContentChangeEvent) {
	if old := m.docs.get(d.URI); old != nil {
		if n, err := old.change(m.encoding, d.Version, sound(changes)); err == nil {
			n.base = nil // nothing is parsed here
			m.docs.put(n)
		}
	}
}

// notebook takes note of what is said of notebooks, as Server does.
func (m *Mirror) notebook(method string, params []byte) {
	switch method {
	case protocol.MethodNotebookDocumentDidOpen:
		var p protocol.DidOpenNotebookDocumentParams
		if protocol.Unmarshal(params, &p) != nil {
			return
		}
		m.notebooks.put(p.NotebookDocument)
		for _, c := range p.CellTextDocuments {
			m.open(c)
		}
	case protocol.MethodNotebookDocumentDidChange:
		var p protocol.DidChangeNotebookDocumentParams
		if protocol.Unmarshal(params, &p) != nil || p.Change.Cells == nil {
			return
		}
		if t := p.Change.Cells.Structure; t != nil {
			_ = m.notebooks.change(p.NotebookDocument.URI, t.Array) // as if it had not been sent
			for _, c := range t.DidOpen {
				m.open(c)
			}
			for _, c := range t.DidClose {
				m.docs.drop(c.URI)
			}
		}
		for _, t := range p.Change.Cells.TextContent {
			m.change(t.Document, t.Changes)
		}
	case protocol.MethodNotebookDocumentDidClose:
		var p protocol.DidCloseNotebookDocumentParams
		if protocol.Unmarshal(params, &p) != nil {
			return
		}
		m.notebooks.drop(p.NotebookDocument.URI)
		for _, c := range p.CellTextDocuments {
			m.docs.drop(c.URI)
		}
	}
}

// Initialized takes note of the server's answer to initialize.
func (m *Mirror) Initialized(result []byte) { m.encoding = encodingOf(result) }

// SameEncoding says whether another server's answer to initialize counts positions as the
// first one did. If not it cannot take over: the client goes by the first one's answer.
func (m *Mirror) SameEncoding(result []byte) bool { return encodingOf(result) == m.encoding }

func encodingOf(result []byte) Encoding {
	var r struct {
		Capabilities struct {
			PositionEncoding protocol.PositionEncodingKind
		}
	}
	_ = json.Unmarshal(result, &r) // UTF-16 when it says nothing
	return encodings[r.Capabilities.PositionEncoding]
}

// Message is what a server is to be told.
type Message struct {
	Method string
	Params json.RawMessage
}

// Initialize is the client's first request.
func (m *Mirror) Initialize() Message { return Message{protocol.MethodInitialize, m.initialize} }

// Rest is what follows the answer to it, in order; nothing if the client has not said
// initialized yet.
func (m *Mirror) Rest() []Message {
	if m.initialized == nil {
		return nil
	}
	out := []Message{{protocol.MethodInitialized, m.initialized}}
	for _, f := range m.folders {
		out = append(out, Message{protocol.MethodWorkspaceDidChangeWorkspaceFolders, f})
	}
	for _, method := range lasting[:2] {
		if p := m.last[method]; p != nil {
			out = append(out, Message{method, p})
		}
	}
	m.docs.mu.Lock()
	open := slices.SortedFunc(maps.Values(m.docs.open), func(a, b *snapshot) int { return cmp.Compare(a.uri, b.uri) })
	m.docs.mu.Unlock()
	item := func(d *snapshot) any {
		return map[string]any{"uri": uri.URI(d.uri), "languageId": d.id, "version": d.version, "text": d.text()}
	}
	for _, b := range m.notebooks.all() {
		cells, texts := []any{}, []any{}
		for _, c := range b.cells {
			kind := protocol.NotebookCellKindMarkup
			if c.code {
				kind = protocol.NotebookCellKindCode
			}
			cells = append(cells, map[string]any{"kind": kind, "document": c.doc})
			if i := slices.IndexFunc(open, func(d *snapshot) bool { return d.uri == c.doc }); i >= 0 {
				texts = append(texts, item(open[i]))
				open = slices.Delete(open, i, i+1)
			}
		}
		out = append(out, Message{protocol.MethodNotebookDocumentDidOpen, json.RawMessage(rawJSON(map[string]any{
			"notebookDocument":  map[string]any{"uri": b.uri, "notebookType": b.kind, "version": 1, "cells": cells},
			"cellTextDocuments": texts}))})
	}
	for _, d := range open {
		out = append(out, Message{protocol.MethodTextDocumentDidOpen, json.RawMessage(rawJSON(map[string]any{"textDocument": item(d)}))})
	}
	if p := m.last[lasting[2]]; p != nil {
		out = append(out, Message{lasting[2], p})
	}
	return out
}
