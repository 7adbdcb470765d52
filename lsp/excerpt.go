package lsp

import (
	"slices"
	"sync"

	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// maxExcerpts is of how many documents the tree of an excerpt is kept.
const maxExcerpts = 16

// excerptAnyway: only documents up to so many bytes are parsed as a whole. Where pieces of other
// files are shown, they are planned for as a whole, too, since the names that they define count.
const excerptAnyway = 2 << 20

// excerpts keep the trees of the excerpts that were asked about last. On two cores of a Zen 3
// server, beside other programs, the median key took 11.3 ms in 100,000 lines, 12.1 in 1,000 and
// 7.7 in 200 of the same code, where the model's window is not full; of the server alone 2.9, 2.3
// and 1.2 (BenchmarkFileSize). What is left is the copy of 3 MB of text that a change makes.
type excerpts struct {
	mu   sync.Mutex
	kept []*excerpt // the latest last
}

// excerpt is the tree of one, closed when nobody uses it and there is a newer one.
type excerpt struct {
	doc uri.URI
	infill.Stretch
	tree  *treesitter.Tree // nil: none could be made, or the document is looked at whole
	users int
	stale bool
}

// of makes of a document the excerpt of it around the cursor, with its tree, if it is long: in
// it little may have changed since the last one. Call done when the tree is used no more. It
// parses without the lock, for which the messages of all documents wait.
func (e *excerpts) of(p *treesitter.Parser, u uri.URI, d infill.Document, at int) (_ infill.Document, ok bool, done func()) {
	e.mu.Lock()
	old, release := &excerpt{}, func() {}
	if i := e.find(u); i >= 0 {
		old = e.kept[i]
		release = e.use(old)
	}
	last := old.Stretch
	e.mu.Unlock()
	x := &excerpt{doc: clone(u), Stretch: infill.Excerpt(d.Language, d.Text, at, last)}
	whole := x.From == 0 && x.To == len(d.Text)
	if !whole {
		d.Whole, d.From, d.Cut, d.Text = d.Text, x.From, x.Cut, d.Text[x.From:x.To]
		if old.tree.Language() == d.Language && old.tree.Text() == d.Text {
			e.mu.Lock()
			old.Stretch, d.Tree = x.Stretch, old.tree
			e.mu.Unlock()
			return d, true, release
		}
		x.tree, _ = p.Parse(d.Language, old.tree, d.Text) // without one, the edges found are kept all the same
	}
	release()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(u)
	if len(e.kept) == maxExcerpts {
		e.remove(e.kept[0].doc)
	}
	d.Tree = x.tree
	e.kept = append(e.kept, x)
	return d, !whole, e.use(x)
}

// use counts a user, until done is called.
func (e *excerpts) use(x *excerpt) (done func()) {
	x.users++
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if x.users--; x.stale && x.users == 0 {
			x.tree.Close()
		}
	})
}

func (e *excerpts) find(doc uri.URI) int {
	return slices.IndexFunc(e.kept, func(x *excerpt) bool { return x.doc == doc })
}

// drop forgets the excerpt of a document.
func (e *excerpts) drop(doc uri.URI) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(doc)
}

func (e *excerpts) remove(doc uri.URI) {
	i := e.find(doc)
	if i < 0 {
		return
	}
	x := e.kept[i]
	e.kept = slices.Delete(e.kept, i, i+1)
	if x.stale = true; x.users == 0 {
		x.tree.Close()
	}
}
