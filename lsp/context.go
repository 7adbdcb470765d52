package lsp

import (
	"slices"
	"sync"

	"go.lsp.dev/uri"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
)

const (
	// visitJump is by how many lines the cursor may move from one request to the next, and
	// visitReach from where a visit began, without leaving.
	visitJump  = 12
	visitReach = 60
	// latestDocuments are compared with the cursor's place.
	latestDocuments = 6
)

// visit is a stay at one place of a document: what is shown of other files stands first in
// the model's context, so it stays as it is until the cursor leaves or one of the
// definitions changes. Else each key would have the whole context read again.
type visit struct {
	began, last int // lines
	kinds       string
	context     infill.Context
	print       uint64 // of its names
	files       int    // of the index: while it is made, more is found
}

// latest knows which open documents were opened, edited or looked at last, and where the
// person is in them.
type latest struct {
	mu     sync.Mutex
	order  []uri.URI // the latest last
	visits map[uri.URI]visit
}

// touch makes a document the latest.
func (l *latest) touch(u uri.URI) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.order); n > 0 && l.order[n-1] == u {
		return
	}
	l.order = append(slices.DeleteFunc(l.order, func(o uri.URI) bool { return o == u }), clone(u))
}

// drop forgets a document that was closed.
func (l *latest) drop(u uri.URI) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order = slices.DeleteFunc(l.order, func(o uri.URI) bool { return o == u })
	delete(l.visits, u)
}

// visit is the last one to a document.
func (l *latest) visit(u uri.URI) (visit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.visits[u]
	return v, ok
}

// visited takes note of one; of a document that was closed meanwhile, not.
func (l *latest) visited(u uri.URI, v visit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.order, u) {
		return
	}
	if l.visits == nil {
		l.visits = map[uri.URI]visit{}
	}
	l.visits[u] = v
}

// before are the documents other than one, the latest first.
func (l *latest) before(but uri.URI) []uri.URI {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.DeleteFunc(slices.Clone(l.order), func(o uri.URI) bool { return o == but })
	slices.Reverse(out)
	return out
}

// beside is what a request shows of other files, with the cursor at an offset of the document.
func (s *Server) beside(doc *snapshot, at int, plan infill.Plan, set Settings) []engine.Snippet {
	opt := infill.Contexts[set.Context]
	if opt.Bytes == 0 || plan.Mode == infill.Nothing {
		return nil
	}
	line := int(doc.lines.position(UTF8, at).Line)
	index := s.library.index
	v, ok := s.latest.visit(doc.uri)
	if !ok || v.kinds != set.Context || abs(line-v.last) > visitJump || abs(line-v.began) > visitReach || index.Files() != v.files || index.Print(v.context.Names) != v.print {
		c := plan.Context(infill.Sources{Index: index, Path: rememberedAs(doc.uri), Recent: s.recent(doc.uri, set),
			Edits: s.lastEdits(doc, at, set)}, opt)
		for _, x := range c.Choices {
			s.log.Debug("other files", zap.String("what", x.What), zap.String("why", x.Why), zap.Int("bytes", x.Bytes), zap.Bool("shown", x.Taken))
		}
		v = visit{began: line, kinds: set.Context, context: c, print: index.Print(c.Names), files: index.Files()}
	}
	v.last = line
	s.latest.visited(doc.uri, v)
	return v.context.Snippets
}

// recent are the documents that were opened, edited or looked at last, but for one.
func (s *Server) recent(but uri.URI, set Settings) []infill.Document {
	var out []infill.Document
	for _, u := range s.latest.before(but) {
		if d := s.docs.get(u); d != nil && len(out) < latestDocuments && s.withheld(d, set) == "" {
			out = append(out, infill.Document{Path: rememberedAs(d.uri), Language: d.language, Text: d.text()})
		}
	}
	return out
}

func abs(n int) int { return max(n, -n) }
