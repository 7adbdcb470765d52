package lsp

import "go.lsp.dev/protocol"

// Helix 25.01 now and then sends two changes in the wrong order: version 3, then 2. Applying
// one and dropping the other would leave the server with a text that no editor shows, until
// the document is opened anew. So what came after a number that is missing is kept for a while,
// and when the missing one comes, all are applied again in their order.

// maxBehindGap is how many changes behind a missing one are kept. Clients that do not count by
// one always seem to miss some.
const maxBehindGap = 16

// gap is a place in the versions of a document where some are missing.
type gap struct {
	base  *snapshot // the last one before
	later []numbered
}

// numbered is a change with its version.
type numbered struct {
	version int32
	edits   []protocol.TextDocumentContentChangeEvent
}

// behind is the gap of the snapshot that a change of s makes, where g is that of s.
func (g *gap) behind(s *snapshot, version int32, edits []protocol.TextDocumentContentChangeEvent) *gap {
	switch {
	case g == nil && version <= s.version+1:
		return nil
	case g == nil:
		g = &gap{base: s}
	case len(g.later) == maxBehindGap:
		return nil
	}
	kept := make([]protocol.TextDocumentContentChangeEvent, len(edits))
	for i, e := range edits { // cut loose from the message
		kept[i] = e
		if c, ok := e.(*protocol.TextDocumentContentChangePartial); ok {
			own := *c
			own.Text = clone(c.Text)
			kept[i] = &own
		}
	}
	return &gap{g.base, append(g.later[:len(g.later):len(g.later)], numbered{version, kept})}
}

// wants says whether a version is the one that is missing first.
func (g *gap) wants(version int32) bool { return g != nil && version == g.base.version+1 }

// filled applies the missing change, and then again what came after it.
func (g *gap) filled(e Encoding, version int32, edits []protocol.TextDocumentContentChangeEvent) (*snapshot, error) {
	n, err := g.base.change(e, version, edits)
	for _, c := range g.later {
		if err != nil {
			return nil, err
		}
		n, err = n.change(e, c.version, c.edits)
	}
	if err != nil {
		return nil, err
	}
	n.base = nil // read afresh: the trees between are gone
	return n, nil
}
