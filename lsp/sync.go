package lsp

import (
	"context"
	"fmt"

	"go.lsp.dev/protocol"
)

// DidOpen implements protocol.Server.
func (s *Server) DidOpen(_ context.Context, p *protocol.DidOpenTextDocumentParams) error {
	d := p.TextDocument
	s.asked.outdate(d.URI, errModified)
	s.docs.drop(d.URI) // some clients open anew without closing
	s.excerpts.drop(d.URI)
	s.next.opened(d.URI)
	s.docs.put(newSnapshot(d.URI, string(d.LanguageID), d.Version, valid(d.Text)))
	s.latest.touch(d.URI)
	s.suspectSoon(d.URI, 0)
	return nil
}

// DidChange implements protocol.Server. A change that cannot be applied (its document is
// not open, its version goes backwards, its range runs backwards) changes nothing: the
// text stays whole, and the client's next full text mends a difference.
func (s *Server) DidChange(_ context.Context, p *protocol.DidChangeTextDocumentParams) error {
	u := p.TextDocument.URI
	s.asked.outdate(u, errModified) // also when it fails: the client's text is another now
	old := s.docs.get(u)
	if old == nil {
		return fmt.Errorf("%s: %w", u, errNotOpen)
	}
	n, err := old.change(s.encoding, p.TextDocument.Version, sound(p.ContentChanges))
	if err != nil {
		s.tell(protocol.MessageTypeWarning, fmt.Sprintf("%s: a change was not applied: %v; open the file anew if suggestions do not fit it", u, err))
		return fmt.Errorf("%s: %w", u, err)
	}
	s.docs.put(n)
	s.latest.touch(u)
	if s.current().Context != "none" {
		s.edits.changed(u, old.text(), n.text())
	}
	s.next.note(old, n)
	s.suspectSoon(u, suspicionPause)
	return nil
}

// DidClose implements protocol.Server.
func (s *Server) DidClose(_ context.Context, p *protocol.DidCloseTextDocumentParams) error {
	s.asked.outdate(p.TextDocument.URI, errModified)
	s.docs.drop(p.TextDocument.URI)
	s.excerpts.drop(p.TextDocument.URI)
	s.latest.drop(p.TextDocument.URI)
	s.edits.drop(p.TextDocument.URI)
	s.next.forget(p.TextDocument.URI)
	s.suspectSoon(p.TextDocument.URI, 0) // takes back what was said of it
	return nil
}

// WillSave implements protocol.Server: it is taken and ignored.
func (s *Server) WillSave(context.Context, *protocol.WillSaveTextDocumentParams) error { return nil }

// sound makes the texts of changes valid ones.
func sound(changes []protocol.TextDocumentContentChangeEvent) []protocol.TextDocumentContentChangeEvent {
	for _, c := range changes {
		switch c := c.(type) {
		case *protocol.TextDocumentContentChangePartial:
			c.Text = valid(c.Text)
		case *protocol.TextDocumentContentChangeWholeDocument:
			c.Text = valid(c.Text)
		}
	}
	return changes
}
