package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
)

const (
	// suspicionCode is the code of our diagnostics.
	suspicionCode = protocol.String("suspicion")
	// suspicionPause is how long a document rests before it is read unasked, for clients
	// that do not ask for diagnostics.
	suspicionPause = time.Second
	// maxSuspects bounds how many functions' findings are kept.
	maxSuspects = 4096
	// maxFunctions of a document that are read.
	maxFunctions = 400
)

// suspicions are what was found in functions, by their text: one that did not change is not
// read again. (What stands around it counts for little.)
type suspicions struct {
	mu    sync.Mutex
	found map[string]finding
	ends  map[uri.URI]context.CancelFunc // of what is read unasked
	told  map[uri.URI]bool               // documents with diagnostics of ours
}

// finding is the change that a function wants, if any, with offsets from its start.
type finding struct {
	edit infill.Edited
	ok   bool
}

// Diagnostic implements protocol.Server: hints at what the model finds suspicious, where
// the person turned that on.
func (s *Server) Diagnostic(ctx context.Context, _ *protocol.DocumentDiagnosticParams) (protocol.DocumentDiagnosticReport, error) {
	report := &protocol.RelatedFullDocumentDiagnosticReport{}
	report.Kind, report.Items = string(protocol.DocumentDiagnosticReportKindFull), []protocol.Diagnostic{}
	doc, _ := ctx.Value(taken{}).(*snapshot)
	found, err := s.suspect(ctx, doc)
	if err != nil {
		return nil, err
	}
	report.Items = append(report.Items, found...)
	return report, nil
}

// suspect reads the functions of a document, when the model has nothing else to do.
func (s *Server) suspect(ctx context.Context, doc *snapshot) ([]protocol.Diagnostic, error) {
	set := s.current()
	gen, ok := s.generator().(Editor)
	if doc == nil || !ok || !set.Enable || !set.Suspicion || s.withheld(doc, set) != "" {
		return nil, nil
	}
	d := s.document(doc)
	var out []protocol.Diagnostic
	end := infill.ByteOffset(0) // of the last function, which holds those inside
	for i, f := range d.Tree.Functions() {
		if f.Interior.Start < end || i >= maxFunctions {
			continue
		}
		end = f.Interior.End
		e, ok, err := s.finding(ctx, gen, d, string(doc.uri), f.Whole.Start, f.Interior.Start, f.Interior.End)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s.suspicion(doc, e))
		}
	}
	return out, nil
}

// finding is the change that a function's body wants, from before or found now.
func (s *Server) finding(ctx context.Context, gen Editor, d infill.Document, document string, start, from, to infill.ByteOffset) (infill.Edited, bool, error) {
	key := d.Path + "\x00" + d.Text[start:to]
	s.suspected.mu.Lock()
	f, known := s.suspected.found[key]
	s.suspected.mu.Unlock()
	if !known {
		opt := infill.EditOptions{Priority: engine.Speculative, Document: document + "#suspicion"}
		e, _, err := infill.Repair(d, from, to, opt, s.parser, func(r engine.EditRequest) (engine.EditResult, error) {
			for {
				res, err := gen.Edit(ctx, r)
				switch {
				case ctx.Err() != nil:
					return res, ctx.Err()
				case errors.Is(err, context.Canceled): // it gave way to something that somebody waits for
					continue
				case errors.Is(err, engine.ErrRegion):
					return engine.EditResult{}, nil
				}
				return res, err
			}
		})
		if err != nil {
			return e, false, err
		}
		f = finding{shifted(e, -start), len(e.Edits) > 0}
		s.suspected.mu.Lock()
		if s.suspected.found == nil || len(s.suspected.found) >= maxSuspects {
			s.suspected.found = map[string]finding{}
		}
		s.suspected.found[key] = f
		s.suspected.mu.Unlock()
	}
	return shifted(f.edit, start), f.ok, nil
}

// shifted is an edit whose places are moved.
func shifted(e infill.Edited, by infill.ByteOffset) infill.Edited {
	edits := make([]infill.TextEdit, 0, len(e.Edits))
	for _, t := range e.Edits {
		edits = append(edits, infill.TextEdit{Start: t.Start + by, End: t.End + by, Text: t.Text})
	}
	e.Edits = edits
	return e
}

// suspicion is a finding as a person sees it.
func (s *Server) suspicion(doc *snapshot, e infill.Edited) protocol.Diagnostic {
	last := e.Edits[len(e.Edits)-1]
	title := e.Title()
	return protocol.Diagnostic{
		Range:    doc.lines.rangeOf(s.encoding, int(e.Edits[0].Start), max(int(last.End), int(e.Edits[0].Start)+1)),
		Severity: protocol.DiagnosticSeverityHint,
		Code:     suspicionCode,
		Source:   protocol.NewOptional("seedling"),
		Message:  protocol.String("unlikely here, says Seedling's model; it would " + title),
		Data:     protocol.LSPAny(rawJSON(about{URI: doc.uri, Version: doc.version, Edits: e.Edits, Label: title})),
	}
}

// suspectedFix is the fix of a diagnostic that is ours, as it was found; ok is false for those
// of others, and of another version.
func suspectedFix(doc *snapshot, d protocol.Diagnostic) (of about, ok bool) {
	if d.Code != suspicionCode || len(d.Data) == 0 || json.Unmarshal(d.Data, &of) != nil {
		return about{}, false
	}
	return of, len(of.Edits) > 0 && of.URI == doc.uri && of.Version == doc.version && editsIn(of.Edits, doc.text())
}

// editsIn says whether edits are in order and inside of a text.
func editsIn(edits []infill.TextEdit, text string) bool {
	last := infill.ByteOffset(0)
	for _, e := range edits {
		if e.Start < last || e.End < e.Start || int(e.End) > len(text) {
			return false
		}
		last = e.End
	}
	return true
}

// suspectAll reads every document again: the model is there, or a setting is another.
func (s *Server) suspectAll() {
	if s.takes.refreshes {
		go func() { // asks the client: not on the read loop
			if err := s.client.DiagnosticRefresh(s.wire); err != nil {
				s.log.Debug("workspace/diagnostic/refresh", zap.Error(err))
			}
		}()
	}
	for _, d := range s.docs.all() {
		s.suspectSoon(d.uri, 0)
	}
}

// suspectSoon reads a document once it rests, for a client that shows diagnostics and does
// not ask for them.
func (s *Server) suspectSoon(u uri.URI, pause time.Duration) {
	if s.takes.pulls || !s.takes.diagnostics {
		return
	}
	u = clone(u)
	ctx, cancel := context.WithCancel(s.wire)
	sus := &s.suspected
	sus.mu.Lock()
	if end := sus.ends[u]; end != nil {
		end()
	}
	if !s.current().Suspicion && !sus.told[u] { // nothing to say, nothing to take back
		delete(sus.ends, u)
		sus.mu.Unlock()
		cancel()
		return
	}
	if sus.ends == nil {
		sus.ends, sus.told = map[uri.URI]context.CancelFunc{}, map[uri.URI]bool{}
	}
	sus.ends[u] = cancel
	sus.mu.Unlock()
	go func() {
		defer cancel()
		if pause > 0 {
			t := time.NewTimer(pause)
			defer t.Stop()
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
		}
		doc := s.docs.get(u)
		found, err := s.suspect(ctx, doc)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("reading for suspicions", zap.Error(err))
			}
			return
		}
		p := &protocol.PublishDiagnosticsParams{URI: u, Diagnostics: append([]protocol.Diagnostic{}, found...)}
		if doc != nil {
			p.Version = protocol.NewOptional(doc.version)
		}
		sus.mu.Lock()
		defer sus.mu.Unlock() // the last word must be the newest
		if doc == nil && ctx.Err() == nil {
			delete(sus.ends, u)
		}
		if ctx.Err() != nil || len(found) == 0 && !sus.told[u] {
			return
		}
		if sus.told[u] = len(found) > 0; doc == nil {
			delete(sus.told, u)
		}
		if err := s.client.PublishDiagnostics(ctx, p); err != nil {
			s.log.Debug("textDocument/publishDiagnostics", zap.Error(err))
		}
	}()
}
