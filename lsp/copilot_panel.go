package lsp

import (
	"context"
	"encoding/json"

	"go.lsp.dev/protocol"
)

// The panel shows several suggestions beside the text, each as it is ready.

// panelCompletion is textDocument/copilotPanelCompletion: the parameters and the answer of
// an inline completion that was asked for by hand. With a partialResultToken the items go
// ahead of the answer, which then is empty, as LSP has it.
func (s *Server) panelCompletion(ctx context.Context, params []byte) (any, error) {
	var p struct {
		agentParams
		PartialResultToken json.RawMessage
	}
	if err := read(params, &p); err != nil {
		return nil, err
	}
	items, _, err := s.inlineItems(ctx, p.inline(protocol.InlineCompletionTriggerKindInvoked))
	if err != nil {
		return nil, err
	}
	list := func(items []protocol.InlineCompletionItem) (json.RawMessage, error) {
		return protocol.Marshal(&protocol.InlineCompletionList{Items: items})
	}
	if t := string(p.PartialResultToken); t != "" && t != "null" {
		for i := range items {
			value, err := list(items[i : i+1])
			if err != nil {
				return nil, err
			}
			if err := s.conn.Notify(ctx, protocol.MethodProgress, rawJSON(map[string]any{"token": p.PartialResultToken, "value": value})); err != nil {
				return nil, err
			}
		}
		items = nil
	}
	if items == nil {
		items = []protocol.InlineCompletionItem{}
	}
	return list(items)
}

// getPanelCompletions is the same in the older protocol: the answer is how many there are,
// and they come as notifications.
func (s *Server) getPanelCompletions(ctx context.Context, params []byte) (any, error) {
	var p agentParams
	if err := read(params, &p); err != nil {
		return nil, err
	}
	all, err := s.agentCompletions(ctx, p, protocol.InlineCompletionTriggerKindInvoked)
	if err != nil {
		return nil, err
	}
	for i, c := range all {
		if err := s.conn.Notify(ctx, "PanelSolution", rawJSON(map[string]any{"panelId": p.PanelID, "solutionId": c.UUID, "range": c.Range,
			"completionText": c.Text, "displayText": c.DisplayText, "docVersion": c.DocVersion, "score": len(all) - i})); err != nil {
			return nil, err
		}
	}
	if err := s.conn.Notify(ctx, "PanelSolutionsDone", rawJSON(map[string]any{"panelId": p.PanelID, "status": "OK"})); err != nil {
		return nil, err
	}
	return map[string]int{"solutionCountTarget": len(all)}, nil
}
