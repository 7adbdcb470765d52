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
	q := inlineQuestion(ctx, p.inline(protocol.InlineCompletionTriggerKindInvoked))
	items := []protocol.InlineCompletionItem{}
	take := func(it protocol.InlineCompletionItem) error {
		items = append(items, it)
		return nil
	}
	if t := string(p.PartialResultToken); t != "" && t != "null" {
		take = func(it protocol.InlineCompletionItem) error {
			value, err := itemList(it)
			if err != nil {
				return err
			}
			return s.conn.Notify(ctx, protocol.MethodProgress, rawJSON(map[string]any{"token": p.PartialResultToken, "value": value}))
		}
	}
	if err := s.panel(ctx, q, take); err != nil {
		return nil, err
	}
	return itemList(items...)
}

// maxAhead is how many suggestions may wait to be written while others are looked for; what
// is more comes at the end.
const maxAhead = 16

// panel gives each suggestion once: as it is found, and at the end those that were at hand.
func (s *Server) panel(ctx context.Context, q question, take func(protocol.InlineCompletionItem) error) error {
	found := make(chan suggested, maxAhead)
	q.each = func(a suggested) {
		select {
		case found <- a:
		default:
		}
	}
	given := map[string]bool{}
	give := func(a suggested) error {
		for _, g := range a.all {
			if !given[g.Text] {
				first := len(given) == 0
				given[g.Text] = true
				if err := take(s.item(q.doc, a.at, a.w, g, first)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	over, written := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			select {
			case a := <-found:
				err = give(a)
				continue
			case <-over:
			}
			break // what still waits comes with all the others
		}
		written <- err
	}()
	a, err := s.suggest(ctx, q)
	close(over) // not found: an engine that is given up may still tell of something
	if unwritten := <-written; err == nil {
		err = unwritten
	}
	if err != nil {
		return err
	}
	return give(a)
}

func itemList(items ...protocol.InlineCompletionItem) (json.RawMessage, error) {
	return protocol.Marshal(&protocol.InlineCompletionList{Items: items})
}

// getPanelCompletions is the same in the older protocol: each comes as a notification when it
// is ready, and the answer is how many there were.
func (s *Server) getPanelCompletions(ctx context.Context, params []byte) (any, error) {
	var p agentParams
	if err := read(params, &p); err != nil {
		return nil, err
	}
	q, n := inlineQuestion(ctx, p.inline(protocol.InlineCompletionTriggerKindInvoked)), 0
	err := s.panel(ctx, q, func(it protocol.InlineCompletionItem) error {
		n++
		c := s.agentItem(q.doc, p.position(), it)
		// The score orders them: the first is the best there is then, as in the list of an inline completion.
		return s.conn.Notify(ctx, "PanelSolution", rawJSON(map[string]any{"panelId": p.PanelID, "solutionId": c.UUID, "range": c.Range,
			"completionText": c.Text, "displayText": c.DisplayText, "docVersion": c.DocVersion, "score": 100 - n}))
	})
	if err != nil {
		return nil, err
	}
	if err := s.conn.Notify(ctx, "PanelSolutionsDone", rawJSON(map[string]any{"panelId": p.PanelID, "status": "OK"})); err != nil {
		return nil, err
	}
	return map[string]int{"solutionCountTarget": n}, nil
}
