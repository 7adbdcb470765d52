package lsp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
)

// errModified answers a request whose document changed under it.
var errModified = jsonrpc2.NewError(jsonrpc2.Code(protocol.LSPErrorCodesContentModified), "the document changed")

// InlineCompletion implements protocol.Server: the ghost text at a position.
func (s *Server) InlineCompletion(ctx context.Context, p *protocol.InlineCompletionParams) (protocol.InlineCompletionResult, error) {
	none := &protocol.InlineCompletionList{Items: []protocol.InlineCompletionItem{}}
	doc, _ := ctx.Value(taken{}).(*snapshot)
	set := s.current()
	switch {
	case doc == nil, !set.Enable, !set.speaks(doc.id):
		return none, nil
	case len(doc.text()) > set.MaxFileKB<<10:
		s.status(stateOff, fmt.Sprintf("the file is over %d KB (maxFileKB)", set.MaxFileKB))
		return none, nil
	}
	ctx, end := s.begin(ctx, doc.uri)
	defer end()
	invoked := p.Context.TriggerKind != protocol.InlineCompletionTriggerKindAutomatic
	at := doc.lines.offset(s.encoding, p.Position)
	w := s.widget(doc, at, p.Context.SelectedCompletionInfo)
	opt := infill.Options{Priority: engine.Typed, Document: string(doc.uri), MaxTokens: set.MaxTokens}
	if invoked {
		opt.Priority = engine.Invoked
	}
	d := infill.Document{Path: doc.path, Language: doc.language, Text: w.text}
	if w.text == doc.text() {
		d.Tree = doc.syntax(s.parser)
	}
	plan := infill.NewPlan(d, infill.ByteOffset(w.at), opt)
	if plan.Mode == infill.Nothing {
		s.log.Debug("nothing to complete", zap.String("why", plan.Reason))
		return none, nil
	}
	start := time.Now()
	r := plan.Request()
	r.Decode = decodes[set.Decode]
	r.Deadline = start.Add(set.deadline(invoked))
	r.MinLogProb = set.MinLogProb
	s.status(stateBusy, "")
	res, err := s.opt.Generator.Generate(ctx, r)
	took := time.Since(start)
	if newest := s.docs.get(doc.uri); newest != doc {
		s.status(stateReady, "")
		return nil, errModified
	}
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, context.Canceled)):
		s.status(stateReady, "")
		return nil, protocol.ErrRequestCancelled
	case err != nil:
		s.log.Error("the engine failed", zap.Error(err))
		s.status(stateError, err.Error())
		return none, nil
	}
	s.took(took)
	s.status(stateReady, "")
	g := plan.Finish(res)
	s.log.Debug("completed", zap.Duration("took", took), zap.Int("tokens", res.Tokens), zap.Int("forwards", res.Forwards),
		zap.Int("context", res.ContextTokens), zap.Int("cached", res.CachedTokens), zap.String("stop", g.Stop))
	if g.Text == "" {
		return none, nil
	}
	return &protocol.InlineCompletionList{Items: []protocol.InlineCompletionItem{s.item(doc, at, w, g)}}, nil
}

// widget is the text as it would stand if the entry selected in the editor's completion
// list were taken: a suggestion has to go on from there.
type widget struct {
	text     string
	at       int // the cursor in text
	from, to int // in the document: what the entry replaces
	entry    string
}

func (s *Server) widget(doc *snapshot, at int, info protocol.SelectedCompletionInfo) widget {
	if info.Text == "" {
		return widget{text: doc.text(), at: at, from: at, to: at}
	}
	from, to := doc.lines.offset(s.encoding, info.Range.Start), doc.lines.offset(s.encoding, info.Range.End)
	if from > at || to < from || to < at || doc.lines.position(s.encoding, from).Line != doc.lines.position(s.encoding, to).Line {
		return widget{text: doc.text(), at: at, from: at, to: at}
	}
	entry := strings.Clone(info.Text)
	text := doc.text()
	return widget{text: text[:from] + entry + text[to:], at: from + len(entry), from: from, to: to, entry: entry}
}

// item is a suggestion in the one shape that every client draws right: its range starts
// with the line (at the entry, when the completion list is open) and its text begins with
// exactly what stands there.
func (s *Server) item(doc *snapshot, at int, w widget, g infill.Suggestion) protocol.InlineCompletionItem {
	end := int(g.End)
	if end < w.at {
		end = w.at
	}
	end += w.to - w.from - len(w.entry) // from the widget's text to the document's
	start, before := w.from, w.entry
	if w.entry == "" {
		line := doc.lines.position(s.encoding, at).Line
		start = doc.lines.starts[line]
		before = doc.text()[start:at]
	}
	r := doc.lines.rangeOf(s.encoding, start, end)
	text := before + g.Text
	return protocol.InlineCompletionItem{InsertText: protocol.String(text), FilterText: &text, Range: &r}
}
