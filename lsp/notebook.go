package lsp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// The cells of a notebook are documents. What is suggested in one follows from those before
// it: a plan is made in the text of all cells of its language, joined in their order, and the
// edit that comes of it stands in the cell.

// Bounds of what is joined around a cell, in bytes: the cells nearest to it.
const (
	cellsBefore = 64 << 10
	cellsAfter  = 16 << 10
)

// notebook is an open one.
type notebook struct {
	uri   uri.URI
	kind  string // notebookType
	cells []cell // in their order
}

type cell struct {
	doc  uri.URI
	code bool
}

// notebooks are the open ones, by URI.
type notebooks struct {
	mu   sync.Mutex
	open map[uri.URI]*notebook
}

// notebookSync is how notebooks are told of: all, with all their cells.
func notebookSync() *protocol.NotebookDocumentSyncOptions {
	return &protocol.NotebookDocumentSyncOptions{NotebookSelector: []protocol.NotebookSelector{
		&protocol.NotebookDocumentFilterWithNotebook{Notebook: protocol.String("*")}}}
}

func cellsOf(all []protocol.NotebookCell) []cell {
	out := make([]cell, len(all))
	for i, c := range all {
		out[i] = cell{doc: clone(c.Document), code: c.Kind == protocol.NotebookCellKindCode}
	}
	return out
}

// put takes in a notebook, in place of what was known of it.
func (n *notebooks) put(d protocol.NotebookDocument) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open == nil {
		n.open = map[uri.URI]*notebook{}
	}
	u := clone(d.URI)
	n.open[u] = &notebook{uri: u, kind: clone(d.NotebookType), cells: cellsOf(d.Cells)}
}

// change replaces cells of a notebook by others.
func (n *notebooks) change(u uri.URI, c protocol.NotebookCellArrayChange) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.open[u]
	if b == nil {
		return fmt.Errorf("%s: %w", u, errNotOpen)
	}
	from, end := int64(c.Start), int64(c.Start)+int64(c.DeleteCount)
	if end > int64(len(b.cells)) {
		return fmt.Errorf("%s: cells %d to %d of %d are changed", u, from, end, len(b.cells))
	}
	b.cells = slices.Concat(b.cells[:from], cellsOf(c.Cells), b.cells[end:])
	return nil
}

// drop forgets a notebook.
func (n *notebooks) drop(u uri.URI) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.open, u)
}

// around are the notebook of a cell, and the code cells before and after it, in their order;
// ok is false for a document that is no cell of an open notebook.
func (n *notebooks) around(u uri.URI) (of uri.URI, before, after []uri.URI, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, b := range n.open {
		at := slices.IndexFunc(b.cells, func(c cell) bool { return c.doc == u })
		if at < 0 {
			continue
		}
		for i, c := range b.cells {
			switch {
			case !c.code || i == at:
			case i < at:
				before = append(before, c.doc)
			default:
				after = append(after, c.doc)
			}
		}
		return b.uri, before, after, true
	}
	return "", nil, nil, false
}

// all are the open ones, in the order of their URIs.
func (n *notebooks) all() []*notebook {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.SortedFunc(maps.Values(n.open), func(a, b *notebook) int { return strings.Compare(string(a.uri), string(b.uri)) })
}

// home is the file that a document belongs to: its own, or the notebook that it is a cell of.
func (s *Server) home(u uri.URI) uri.URI {
	if of, _, _, ok := s.notebooks.around(u); ok {
		return of
	}
	return u
}

// joined is what stands before and after a cell in the cells of its language: each ends its
// line. Both are empty for what is no cell.
func (s *Server) joined(doc *snapshot) (head, tail string) {
	_, before, after, ok := s.notebooks.around(doc.uri)
	if !ok {
		return "", ""
	}
	add := func(u uri.URI, room int) string {
		d := s.docs.get(u)
		if d == nil || d.language != doc.language || len(d.text()) > room {
			return ""
		}
		return asCode(d)
	}
	for _, u := range slices.Backward(before) {
		if text := add(u, cellsBefore-len(head)); text != "" {
			head = strings.TrimRight(text, "\r\n") + "\n\n" + head
		}
	}
	for _, u := range after {
		if text := add(u, cellsAfter-len(tail)); text != "" {
			tail += "\n\n" + strings.TrimRight(text, "\r\n")
		}
	}
	return head, tail
}

// asCode is the text of a cell without what is IPython's and no Python: a line of magic or of
// the shell becomes a comment, a cell in another language is nothing.
func asCode(d *snapshot) string {
	text := d.text()
	if d.language != treesitter.Python {
		return text
	}
	if rest, ok := strings.CutPrefix(text, "%%"); ok {
		word, _, _ := strings.Cut(firstLine(rest), " ")
		if !slices.Contains([]string{"time", "timeit", "capture", "prun"}, word) {
			return ""
		}
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line[0] == '%' || line[0] == '!' {
			line = "#" + line[1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// inCell brings a suggestion of the joined text back into the cell, which head stands before
// and which is of so many bytes.
func inCell(g infill.Suggestion, head, size int) infill.Suggestion {
	g.Start = max(0, g.Start-infill.ByteOffset(head))
	g.End = min(max(g.Start, g.End-infill.ByteOffset(head)), infill.ByteOffset(size))
	return g
}

// DidOpenNotebookDocument implements protocol.Server.
func (s *Server) DidOpenNotebookDocument(ctx context.Context, p *protocol.DidOpenNotebookDocumentParams) error {
	s.notebooks.put(p.NotebookDocument)
	return s.openCells(ctx, p.CellTextDocuments)
}

func (s *Server) openCells(ctx context.Context, cells []protocol.TextDocumentItem) error {
	for _, c := range cells {
		if err := s.DidOpen(ctx, &protocol.DidOpenTextDocumentParams{TextDocument: c}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) closeCells(ctx context.Context, cells []protocol.TextDocumentIdentifier) error {
	for _, c := range cells {
		if err := s.DidClose(ctx, &protocol.DidCloseTextDocumentParams{TextDocument: c}); err != nil {
			return err
		}
	}
	return nil
}

// DidChangeNotebookDocument implements protocol.Server. What can be applied of a change is,
// the first error is given.
func (s *Server) DidChangeNotebookDocument(ctx context.Context, p *protocol.DidChangeNotebookDocumentParams) (err error) {
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	c := p.Change.Cells
	if c == nil {
		return nil
	}
	if t := c.Structure; t != nil {
		keep(s.notebooks.change(p.NotebookDocument.URI, t.Array))
		keep(s.openCells(ctx, t.DidOpen))
		keep(s.closeCells(ctx, t.DidClose))
	}
	for _, t := range c.TextContent {
		keep(s.DidChange(ctx, &protocol.DidChangeTextDocumentParams{TextDocument: t.Document, ContentChanges: t.Changes}))
	}
	return err
}

// DidSaveNotebookDocument implements protocol.Server: it is taken and ignored.
func (s *Server) DidSaveNotebookDocument(context.Context, *protocol.DidSaveNotebookDocumentParams) error {
	return nil
}

// DidCloseNotebookDocument implements protocol.Server.
func (s *Server) DidCloseNotebookDocument(ctx context.Context, p *protocol.DidCloseNotebookDocumentParams) error {
	s.notebooks.drop(p.NotebookDocument.URI)
	return s.closeCells(ctx, p.CellTextDocuments)
}
