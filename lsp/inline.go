package lsp

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/lsp/stats"
)

// InlineCompletion implements protocol.Server: the ghost text at a position, and when it was
// asked for by hand others to choose from.
func (s *Server) InlineCompletion(ctx context.Context, p *protocol.InlineCompletionParams) (protocol.InlineCompletionResult, error) {
	list := &protocol.InlineCompletionList{Items: []protocol.InlineCompletionItem{}}
	q := inlineQuestion(ctx, p)
	a, err := s.suggest(ctx, q)
	if err != nil {
		return nil, err
	}
	for i, g := range a.all {
		list.Items = append(list.Items, s.item(q.doc, a.at, a.w, g, i == 0))
	}
	return list, nil
}

// inlineQuestion is what the parameters of an inline completion ask.
func inlineQuestion(ctx context.Context, p *protocol.InlineCompletionParams) question {
	doc, _ := ctx.Value(taken{}).(*snapshot)
	return question{doc: doc, position: p.Position, selected: p.Context.SelectedCompletionInfo,
		invoked: p.Context.TriggerKind != protocol.InlineCompletionTriggerKindAutomatic, kind: stats.Completion}
}

// question is what a client asks for.
type question struct {
	doc      *snapshot // nil: of no open document
	position protocol.Position
	selected protocol.SelectedCompletionInfo
	invoked  bool // by hand
	kind     stats.Kind
	// each is told of every suggestion of several as it is found, in no order, while the engine
	// waits: it must not block. nil: nobody is. What is at hand already is told to nobody.
	each func(suggested)
}

// suggested answers a question.
type suggested struct {
	at  int // the cursor in the document
	w   widget
	all []infill.Suggestion // in the widget's text, the likeliest first
}

// suggest takes the snapshot, and asks infill and the engine. Where there is nothing to
// suggest there is no suggestion, which is no error.
func (s *Server) suggest(ctx context.Context, q question) (a suggested, err error) {
	doc, set, gen := q.doc, s.current(), s.generator()
	if gen == nil || !s.wanted(doc, set) {
		return a, nil
	}
	if !q.invoked {
		if err := pause(ctx, set.debounce()); err != nil {
			return a, err
		}
	}
	start := time.Now()
	deadline := start.Add(set.deadline(q.invoked))
	a.at = doc.lines.offset(s.encoding, q.position)
	a.w = s.widget(doc, a.at, q.selected)
	// Who goes along with a suggestion keeps it, also inside of a word or behind a number,
	// where nothing new is suggested to somebody who types.
	plan, head, done := s.plan(doc, a.w, set, q.invoked || s.along(doc, a.at))
	defer done()
	if plan.Mode == infill.Nothing {
		s.log.Debug("nothing to complete", zap.String("why", plan.Reason))
		return a, nil
	}
	defer s.study(gen, doc, set)
	canvas := s.watchedCanvas()
	candidates := 1
	if q.invoked {
		candidates = set.Candidates
	}
	all, res, err := plan.Answers(candidates, func(r engine.Request) (engine.Result, error) {
		r.Own, r.Snippets = rememberedAs(doc.uri), s.beside(doc, a.at, plan, set)
		if q.kind == stats.Listed { // a client may ask for both at once: neither is to end the other
			r.Document += " listed"
		}
		r.Decode = decodes[set.Decode]
		r.Deadline = deadline
		if show := r.Show; q.each != nil && show != nil {
			told := map[string]bool{"": true}
			r.Show = func(res engine.Result) string {
				seen := show(res)
				if !told[seen] {
					told[seen] = true
					q.each(suggested{a.at, a.w, []infill.Suggestion{inCell(plan.Finish(res), head, len(a.w.text))}})
				}
				return seen
			}
		}
		canvas.watch(&r)
		if !q.invoked { // who asks by hand wants to see what there is
			r.MinLogProb = set.MinLogProb
		}
		return s.generate(ctx, gen, r)
	})
	if err != nil {
		return a, err
	}
	s.answered(q.kind, doc, start, res)
	canvas.tell(doc, q.position, res)
	for i, g := range all {
		all[i] = inCell(g, head, len(a.w.text))
	}
	a.all = all
	return a, nil
}

// wanted says whether a document is completed at all; if not, the status says why.
func (s *Server) wanted(doc *snapshot, set Settings) bool {
	if doc == nil || !set.Enable {
		return false
	}
	reason := s.withheld(doc, set)
	s.withhold(reason)
	return reason == ""
}

// pause waits for d, or for the end of the request.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// plan decides what to complete; head is how many bytes of other cells its text begins with,
// negative where its text begins behind the document's start.
// Call done when the plan is used no more.
func (s *Server) plan(doc *snapshot, w widget, set Settings, invoked bool) (p infill.Plan, head int, done func()) {
	opt := infill.Options{Priority: engine.Typed, Document: string(doc.uri), MaxTokens: set.MaxTokens}
	if invoked {
		opt.Priority = engine.Invoked
	}
	before, after := s.joined(doc)
	at := len(before) + w.at
	d := infill.Document{Path: doc.path, Language: doc.language, Text: before + w.text + after, Parser: s.parser}
	if set.Context == "none" || len(d.Text) > excerptAnyway { // else the names of the whole count
		x, ok, done := s.excerpts.of(s.parser, doc.uri, d, at)
		if ok {
			return infill.NewPlan(x, infill.ByteOffset(at-x.From), opt), len(before) - x.From, done
		}
	}
	d.Tree, done = doc.syntax(s.parser), func() {}
	if d.Text != doc.text() {
		// The tree of a text that is in no snapshot: this request's alone.
		d.Tree, _ = s.parser.Parse(doc.language, d.Tree, d.Text)
		done = d.Tree.Close
	}
	return infill.NewPlan(d, infill.ByteOffset(at), opt), len(before), done
}

// generate asks the engine, in view of the person. An engine that fails is no error of
// the request: the answer is empty, and the status says why.
func (s *Server) generate(ctx context.Context, gen Generator, r engine.Request) (engine.Result, error) {
	var took time.Duration
	ended := s.working()
	defer func() { ended(took) }()
	start := time.Now()
	res, err := gen.Generate(ctx, r)
	switch {
	case ctx.Err() != nil:
		return res, ctx.Err()
	case errors.Is(err, context.Canceled): // by the engine, for a newer one
		return res, errSuperseded
	case err != nil:
		s.log.Error("the engine failed", zap.Error(err))
		s.alarm(err.Error())
		return engine.Result{Stop: "none"}, nil
	}
	took = time.Since(start)
	s.calm()
	s.log.Debug("completed", zap.Duration("took", took), zap.Int("tokens", res.Tokens), zap.Int("forwards", res.Forwards),
		zap.Int("context", res.ContextTokens), zap.Int("cached", res.CachedTokens), zap.String("stop", res.Stop))
	if c, ok := gen.(interface{ Stats() engine.Stats }); ok && s.log.Core().Enabled(zap.DebugLevel) {
		s.log.Debug("so far", zap.Stringer("engine", c.Stats()))
	}
	return res, nil
}

// widget is the text as it would stand if the entry selected in the editor's completion
// list were taken: a suggestion has to go on from there.
type widget struct {
	text     string
	at       int // the cursor in text
	from, to int // in the document: what the entry replaces
	entry    string
}

// widget is the document itself when no entry is selected, or one that does not stand
// around the cursor on one line.
func (s *Server) widget(doc *snapshot, at int, info protocol.SelectedCompletionInfo) widget {
	none := widget{text: doc.text(), at: at, from: at, to: at}
	if info.Text == "" {
		return none
	}
	from, to := doc.lines.offset(s.encoding, info.Range.Start), doc.lines.offset(s.encoding, info.Range.End)
	if from > at || to < from || to < at || doc.lines.position(s.encoding, from).Line != doc.lines.position(s.encoding, to).Line {
		return none
	}
	entry := strings.Clone(info.Text)
	text := doc.text()
	return widget{text: text[:from] + entry + text[to:], at: from + len(entry), from: from, to: to, entry: entry}
}

// item is a suggestion in the one shape that every client draws right: its range starts
// with the line (at the entry, when the completion list is open) and its text begins with
// exactly what stands there. drawn is whether the client draws it at once.
func (s *Server) item(doc *snapshot, at int, w widget, g infill.Suggestion, drawn bool) protocol.InlineCompletionItem {
	end := max(int(g.End), w.at)
	end += w.to - w.from - len(w.entry) // from the widget's text to the document's
	start, before := w.from, w.entry
	if w.entry == "" {
		line := doc.lines.position(s.encoding, at).Line
		start = doc.lines.starts[line]
		before = doc.text()[start:at]
	}
	r := doc.lines.rangeOf(s.encoding, start, end)
	text := before + g.Text
	return protocol.InlineCompletionItem{InsertText: protocol.String(text), FilterText: &text, Range: &r,
		Command: s.accept(s.placed(s.offer(stats.Completion, doc, text, len(before), drawn), start))}
}
