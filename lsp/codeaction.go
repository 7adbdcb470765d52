package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
)

// Editor is a Generator that also finds what is wrong in code; an *engine.Engine is one.
type Editor interface {
	Edit(ctx context.Context, r engine.EditRequest) (engine.EditResult, error)
}

// maxDiagnostics is how many of a request's diagnostics are looked into.
const maxDiagnostics = 3

// CodeAction implements protocol.Server: a function that is still to be written, a fix for
// a diagnostic (whoever found it), a better text for a selection. What the model would
// leave as it is, is not offered: so the change is looked for here, and only its edit waits
// for codeAction/resolve. Of itself, at every move of the cursor, an editor gets no answer
// about selections: looking costs a core for a while.
func (s *Server) CodeAction(ctx context.Context, p *protocol.CodeActionParams) ([]protocol.CommandOrCodeAction, error) {
	none := []protocol.CommandOrCodeAction{}
	doc, _ := ctx.Value(taken{}).(*snapshot)
	set := s.current()
	if doc == nil || !set.Enable || s.withheld(doc, set) != "" {
		return none, nil
	}
	from, to := doc.lines.offset(s.encoding, p.Range.Start), doc.lines.offset(s.encoding, p.Range.End)
	actions := none
	if stub, ok := infill.StubIn(s.document(doc), infill.ByteOffset(from), infill.ByteOffset(to)); ok && wants(p.Context.Only, protocol.CodeActionKindRefactorRewrite) {
		actions = append(actions, s.stubAction(doc, stub, max(from, int(stub.Line))))
	}
	gen, ok := s.generator().(Editor)
	if !ok || !s.takes.literals {
		return actions, nil
	}
	invoked := p.Context.TriggerKind != protocol.CodeActionTriggerKindAutomatic
	deadline := time.Now().Add(set.deadline(invoked))
	if wants(p.Context.Only, protocol.CodeActionKindQuickFix) {
		for _, d := range p.Context.Diagnostics[:min(len(p.Context.Diagnostics), maxDiagnostics)] {
			if of, ok := suspectedFix(doc, d); ok {
				actions = append(actions, s.editAction(doc, of.Label, of.Edits, protocol.CodeActionKindQuickFix, []protocol.Diagnostic{d}))
				continue
			}
			a, b := doc.lines.offset(s.encoding, d.Range.Start), doc.lines.offset(s.encoding, d.Range.End)
			e, ok, err := s.revise(ctx, gen, doc, a, b, invoked, deadline)
			if err != nil {
				return found(ctx, actions, err)
			}
			if ok {
				actions = append(actions, s.editAction(doc, e.Title(), e.Edits, protocol.CodeActionKindQuickFix, []protocol.Diagnostic{d}))
			}
		}
	}
	if from < to && invoked && len(p.Context.Diagnostics) == 0 && wants(p.Context.Only, protocol.CodeActionKindRefactorRewrite) {
		e, ok, err := s.revise(ctx, gen, doc, from, to, invoked, deadline)
		if err != nil {
			return found(ctx, actions, err)
		}
		if ok {
			actions = append(actions, s.editAction(doc, e.Title(), e.Edits, protocol.CodeActionKindRefactorRewrite, nil))
		}
	}
	return actions, nil
}

// found answers with the actions that there are, when looking for more came to nothing: the
// error is the answer only when there are none, or nobody waits any more.
func found(ctx context.Context, actions []protocol.CommandOrCodeAction, err error) ([]protocol.CommandOrCodeAction, error) {
	if len(actions) == 0 || ctx.Err() != nil {
		return nil, err
	}
	return actions, nil
}

// wants says whether actions of a kind are asked for; of a kind are those below it, too.
func wants(only []protocol.CodeActionKind, kind protocol.CodeActionKind) bool {
	return len(only) == 0 || slices.ContainsFunc(only, func(o protocol.CodeActionKind) bool {
		return o == "" || o == kind || strings.HasPrefix(string(kind), string(o)+".")
	})
}

// document is a snapshot as infill has it.
func (s *Server) document(doc *snapshot) infill.Document {
	return infill.Document{Path: doc.path, Language: doc.language, Text: doc.text(), Tree: doc.syntax(s.parser)}
}

// revise looks for the best change of the lines that [from, to) touches.
func (s *Server) revise(ctx context.Context, gen Editor, doc *snapshot, from, to int, invoked bool, deadline time.Time) (best infill.Edited, ok bool, err error) {
	opt := infill.EditOptions{Priority: engine.Typed, Document: string(doc.uri) + "#edit", Around: aroundLines}
	if invoked {
		opt.Priority = engine.Invoked
	}
	best, _, err = infill.Repair(s.document(doc), infill.ByteOffset(from), infill.ByteOffset(to), opt, s.parser, func(r engine.EditRequest) (engine.EditResult, error) {
		r.Deadline = deadline
		return s.edit(ctx, gen, r)
	})
	return best, len(best.Edits) > 0, err
}

// aroundLines is how many lines around what may change are read with it: they tell whether
// the change fits.
const aroundLines = 6

// edit asks the engine, in view of the person, as generate does.
func (s *Server) edit(ctx context.Context, gen Editor, r engine.EditRequest) (engine.EditResult, error) {
	ended := s.working()
	var took time.Duration
	defer func() { ended(took) }()
	start := time.Now()
	res, err := gen.Edit(ctx, r)
	switch {
	case ctx.Err() != nil:
		return res, ctx.Err()
	case errors.Is(err, context.Canceled):
		return res, errSuperseded
	case errors.Is(err, engine.ErrRegion):
		return engine.EditResult{}, nil
	case err != nil:
		s.log.Error("the engine failed", zap.Error(err))
		s.alarm(err.Error())
		return engine.EditResult{}, nil
	}
	took = time.Since(start)
	s.log.Debug("read for faults", zap.Duration("took", took), zap.Int("tokens", res.Tokens), zap.Int("forwards", res.Forwards), zap.Int("changes", len(res.Changes)))
	return res, nil
}

// editAction is a change as a code action.
func (s *Server) editAction(doc *snapshot, title string, edits []infill.TextEdit, kind protocol.CodeActionKind, of []protocol.Diagnostic) *protocol.CodeAction {
	a := &protocol.CodeAction{Title: "Seedling: " + title, Kind: &kind, Diagnostics: of}
	if s.takes.tags {
		a.Tags = []protocol.CodeActionTag{protocol.CodeActionTagLLMGenerated}
	}
	if s.takes.resolves {
		a.Data = protocol.LSPAny(rawJSON(about{URI: doc.uri, Version: doc.version, Edits: edits, Label: a.Title}))
	} else {
		a.Edit = s.workspaceEdit(doc, edits, a.Title, false)
	}
	return a
}

// CodeActionResolve implements protocol.Server: the edit of an action that was chosen. It is
// refused when the document is not the one any more that the action was found in.
func (s *Server) CodeActionResolve(ctx context.Context, p *protocol.CodeAction) (*protocol.CodeAction, error) {
	if len(p.Data) == 0 {
		return p, nil // a command's: there is nothing to add
	}
	var of about
	if err := json.Unmarshal(p.Data, &of); err != nil {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, fmt.Sprintf("the data of the action is not what Seedling gave it: %v", err))
	}
	doc, _ := ctx.Value(taken{}).(*snapshot)
	if err := same(doc, of); err != nil {
		return nil, err
	}
	if !editsIn(of.Edits, doc.text()) {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "the data of the action is not what Seedling gave it: an edit is outside of the document")
	}
	p.Edit = s.workspaceEdit(doc, of.Edits, of.Label, false)
	return p, nil
}

// same says, as an error, that a document is gone or another than the one that was asked about.
func same(doc *snapshot, of about) error {
	switch {
	case doc == nil:
		return jsonrpc2.NewError(jsonrpc2.InvalidParams, fmt.Sprintf("%s is not open: open it and ask again", of.URI))
	case doc.version != of.Version:
		return jsonrpc2.NewError(errModified.Code, "the document changed since this was offered: ask again")
	}
	return nil
}
