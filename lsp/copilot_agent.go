package lsp

import (
	"context"
	"encoding/json"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// The older protocol of Copilot's clients, from before LSP had inline completion:
// getCompletions and what belongs to it, as copilot.vim (up to 1.26) and copilot.lua speak
// it. Positions are in UTF-16.

// agentParams are those of a question. Clients send the document twice, as they found it
// in two versions of the protocol.
type agentParams struct {
	Doc struct {
		URI      uri.URI
		Version  int64
		Position *protocol.Position
	}
	TextDocument struct {
		URI     uri.URI
		Version int64
	}
	Position *protocol.Position
	PanelID  string `json:"panelId"`
}

func (p agentParams) position() protocol.Position {
	switch {
	case p.Doc.Position != nil:
		return *p.Doc.Position
	case p.Position != nil:
		return *p.Position
	}
	return protocol.Position{}
}

func (p agentParams) inline(kind protocol.InlineCompletionTriggerKind) *protocol.InlineCompletionParams {
	q := &protocol.InlineCompletionParams{Context: protocol.InlineCompletionContext{TriggerKind: kind}}
	q.TextDocument.URI, q.Position = p.TextDocument.URI, p.position()
	if p.Doc.URI != "" {
		q.TextDocument.URI = p.Doc.URI
	}
	return q
}

// agentCompletion is a suggestion of the older protocol.
type agentCompletion struct {
	UUID        string            `json:"uuid"`
	Text        string            `json:"text"`        // what replaces the range
	DisplayText string            `json:"displayText"` // what is drawn at the position
	Range       protocol.Range    `json:"range"`
	Position    protocol.Position `json:"position"`
	DocVersion  int64             `json:"docVersion"`
}

// agentCompletions asks for suggestions as inline completion does.
func (s *Server) agentCompletions(ctx context.Context, p agentParams, kind protocol.InlineCompletionTriggerKind) ([]agentCompletion, error) {
	at := p.position()
	items, doc, err := s.inlineItems(ctx, p.inline(kind))
	if err != nil {
		return nil, err
	}
	out := []agentCompletion{} // an empty list, not null
	for _, it := range items {
		out = append(out, s.agentItem(doc, at, it))
	}
	return out, nil
}

// agentItem is an item of an inline completion in the older protocol's words.
func (s *Server) agentItem(doc *snapshot, at protocol.Position, it protocol.InlineCompletionItem) agentCompletion {
	c := agentCompletion{UUID: offerOf(it.Command), Text: textOf(it), Position: at, DocVersion: int64(doc.version)}
	if it.Range != nil {
		c.Range = *it.Range
	}
	from, to := doc.lines.offset(s.encoding, c.Range.Start), doc.lines.offset(s.encoding, at)
	c.DisplayText = c.Text[min(len(c.Text), max(0, to-from)):]
	return c
}

// inlineItems are the items of an inline completion, and the snapshot that they are of.
func (s *Server) inlineItems(ctx context.Context, p *protocol.InlineCompletionParams) ([]protocol.InlineCompletionItem, *snapshot, error) {
	doc, _ := ctx.Value(taken{}).(*snapshot)
	if doc == nil {
		return nil, nil, nil
	}
	r, err := s.InlineCompletion(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if l, ok := r.(*protocol.InlineCompletionList); ok && l != nil {
		return l.Items, doc, nil
	}
	return nil, doc, nil
}

// textOf is the text that an item inserts.
func textOf(it protocol.InlineCompletionItem) string {
	text, _ := it.InsertText.(protocol.String)
	return string(text)
}

// offerOf is the id of the suggestion whose acceptance a command reports.
func offerOf(c protocol.Command) (id string) {
	if len(c.Arguments) > 0 {
		_ = json.Unmarshal(c.Arguments[0], &id) // empty: an item without
	}
	return id
}

func (s *Server) getCompletions(ctx context.Context, params []byte) (any, error) {
	return s.completions(ctx, params, protocol.InlineCompletionTriggerKindAutomatic)
}

// getCompletionsCycling asks for more than the one that is shown.
func (s *Server) getCompletionsCycling(ctx context.Context, params []byte) (any, error) {
	return s.completions(ctx, params, protocol.InlineCompletionTriggerKindInvoked)
}

func (s *Server) completions(ctx context.Context, params []byte, kind protocol.InlineCompletionTriggerKind) (any, error) {
	var p agentParams
	if err := read(params, &p); err != nil {
		return nil, err
	}
	all, err := s.agentCompletions(ctx, p, kind)
	if err != nil {
		return nil, err
	}
	return map[string]any{"completions": all}, nil
}

// agentReport is what clients report of suggestions.
type agentReport struct {
	UUID           string
	UUIDs          []string
	AcceptedLength *int // UTF-16, from the cursor on; nil: all
}

func (s *Server) notifyShown(_ context.Context, params []byte) (any, error) {
	var p agentReport
	if err := read(params, &p); err != nil {
		return nil, err
	}
	s.shown(p.UUID)
	return "OK", nil
}

func (s *Server) notifyAccepted(_ context.Context, params []byte) (any, error) {
	var p agentReport
	if err := read(params, &p); err != nil {
		return nil, err
	}
	if p.AcceptedLength == nil {
		s.accepted(p.UUID)
	} else {
		s.acceptedPart(p.UUID, *p.AcceptedLength, false)
	}
	return "OK", nil
}

func (s *Server) notifyRejected(_ context.Context, params []byte) (any, error) {
	var p agentReport
	if err := read(params, &p); err != nil {
		return nil, err
	}
	for _, id := range p.UUIDs {
		s.rejected(id)
	}
	return "OK", nil
}
