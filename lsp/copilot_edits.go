package lsp

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/lsp/nextedit"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Next edits: textDocument/copilotInlineEdit, asked after a change of the document. The
// places are of the newest edit; when one of them was taken, those that are left go on
// being offered until a person edits something else.

const (
	maxEditBytes  = libraryFile // larger documents get no next edits: they are looked at whole
	maxEditOthers = 32          // other documents and files that are looked at besides, if they hold the text at all
)

// nextEdits are what was changed last in each open document, and what is still offered for it.
type nextEdits struct {
	mu   sync.Mutex
	logs map[uri.URI]*nextedit.Log
	left map[uri.URI]leftover
}

// leftover is what was offered in a text.
type leftover struct {
	text   string
	places []nextedit.Edit
}

// note takes note of a change. It runs on the read loop.
func (e *nextEdits) note(from, to *snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if rest, ok := e.left[to.uri].taken(from.text(), to.text()); ok {
		e.left[to.uri] = rest
		return
	}
	clear(e.left)
	if len(from.text()) > maxEditBytes || len(to.text()) > maxEditBytes {
		delete(e.logs, to.uri)
		return
	}
	l := e.logs[to.uri]
	if l == nil {
		if e.logs == nil {
			e.logs = map[uri.URI]*nextedit.Log{}
		}
		l = &nextedit.Log{}
		e.logs[to.uri] = l
	}
	l.Add(from.text(), to.text())
}

// taken is what is left when a change was one of the places; false: it was none of them.
func (l leftover) taken(from, to string) (leftover, bool) {
	if l.text != from {
		return l, false
	}
	for i, p := range l.places {
		if len(from)-int(p.End-p.Start)+len(p.Text) != len(to) || from[:p.Start]+p.Text+from[p.End:] != to {
			continue
		}
		rest := leftover{text: to}
		for _, q := range slices.Delete(slices.Clone(l.places), i, i+1) {
			if q.Start >= p.End {
				d := treesitter.ByteOffset(len(p.Text)) - (p.End - p.Start)
				q.Start, q.End = q.Start+d, q.End+d
			}
			rest.places = append(rest.places, q)
		}
		return rest, true
	}
	return l, false
}

// opened forgets what was changed in a document before it was closed. What is offered in its
// text is not forgotten: a person opens it to take that.
func (e *nextEdits) opened(u uri.URI) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.logs, u)
}

func (e *nextEdits) forget(u uri.URI) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.logs, u)
	delete(e.left, u)
}

// newest is the newest edit of a document, or what is left of the places of one before;
// neither if it is not the text that is asked for.
func (e *nextEdits) newest(doc *snapshot) (c nextedit.Change, rest []nextedit.Edit, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l, ok := e.left[doc.uri]; ok && l.text == doc.text() {
		return c, l.places, true
	}
	if l := e.logs[doc.uri]; l != nil {
		if c, ok = l.Newest(); ok && c.After.Text == doc.text() {
			return c, nil, true
		}
	}
	return c, nil, false
}

// placesIn are places of a text.
type placesIn struct {
	*snapshot
	places []nextedit.Edit
}

// leftElsewhere is what is left of the places in other documents than the one that is asked
// about, as long as they are as they were.
func (s *Server) leftElsewhere(doc *snapshot) (all []placesIn) {
	s.next.mu.Lock()
	defer s.next.mu.Unlock()
	for u, l := range s.next.left {
		d := s.docs.get(u)
		if d == nil {
			d = newSnapshot(u, doc.id, notOpen, l.text)
		}
		if u != doc.uri && len(l.places) > 0 && d.text() == l.text {
			all = append(all, placesIn{d, l.places})
		}
	}
	nearer := nearerTo(pathOf(doc.uri))
	slices.SortFunc(all, func(a, b placesIn) int { return nearer(pathOf(a.uri), pathOf(b.uri)) })
	return all
}

// offer remembers the places that were found for an edit, unless there is another one by now.
func (e *nextEdits) offer(doc *snapshot, found map[*snapshot][]nextedit.Edit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.logs[doc.uri]
	if l == nil {
		return
	}
	if c, ok := l.Newest(); !ok || c.After.Text != doc.text() {
		return
	}
	e.left = map[uri.URI]leftover{}
	for d, places := range found {
		e.left[d.uri] = leftover{d.text(), places}
	}
}

// inlineEditItem is a next edit on the wire.
type inlineEditItem struct {
	Text         string            `json:"text"`
	TextDocument versioned         `json:"textDocument"`
	Range        protocol.Range    `json:"range"`
	Command      *protocol.Command `json:"command,omitempty"`
}

// versioned names a document; Version is nil for a file that is not open.
type versioned struct {
	URI     uri.URI `json:"uri"`
	Version *int32  `json:"version"`
}

// takesEditsElsewhere says whether a client knows what to do with next edits of other files
// than the one it asked about, by its experimental capabilities. Clients written for Copilot's
// server do not all: copilot-lsp draws the first edit in the document that it asked about,
// whichever it is for.
func takesEditsElsewhere(experimental protocol.LSPAny) bool {
	var e struct {
		SeedlingNextEditsElsewhere bool `json:"seedlingNextEditsElsewhere"`
	}
	raw, err := json.Marshal(experimental)
	return err == nil && json.Unmarshal(raw, &e) == nil && e.SeedlingNextEditsElsewhere
}

// inlineEdit is textDocument/copilotInlineEdit. The edits are those of one version, do not
// overlap, and stand in the order in which a person comes to them: the document's own first.
func (s *Server) inlineEdit(ctx context.Context, params []byte) (any, error) {
	var p struct {
		TextDocument struct{ Version *int32 }
	}
	if err := read(params, &p); err != nil {
		return nil, err
	}
	items := []inlineEditItem{}
	answer := func() any { return map[string]any{"edits": items} }
	doc, _ := ctx.Value(taken{}).(*snapshot)
	set := s.current()
	if doc == nil || !set.NextEdits || !s.wanted(doc, set) {
		return answer(), nil
	}
	if p.TextDocument.Version != nil && *p.TextDocument.Version != doc.version {
		return nil, errModified // it asks of a text that is gone, or did not come yet
	}
	change, own, ok := s.next.newest(doc)
	if !ok {
		return answer(), nil
	}
	add := func(d *snapshot, places []nextedit.Edit) {
		of := versioned{URI: d.uri}
		if s.docs.get(d.uri) == d {
			of.Version = &d.version
		}
		for _, e := range places {
			items = append(items, inlineEditItem{Text: e.Text, TextDocument: of,
				Range: d.lines.rangeOf(s.encoding, int(e.Start), int(e.End))})
		}
	}
	if own != nil || change.After.Text == "" {
		add(doc, own)
		if s.elsewhere {
			for _, d := range s.leftElsewhere(doc) {
				add(d.snapshot, d.places)
			}
		}
		return answer(), nil
	}
	found, order, err := s.places(ctx, doc, change, set)
	if err != nil {
		return nil, err
	}
	s.next.offer(doc, found)
	for _, d := range order {
		add(d, found[d])
	}
	if !s.elsewhere && len(items) > 0 && items[0].TextDocument.URI != doc.uri {
		items = items[:0] // it would be drawn in the wrong document
	}
	return answer(), nil
}

// places finds what a change wants in its document and in the other open ones of its
// language; order is that in which to offer them.
func (s *Server) places(ctx context.Context, doc *snapshot, c nextedit.Change, set Settings) (found map[*snapshot][]nextedit.Edit, order []*snapshot, err error) {
	document := func(d *snapshot) nextedit.Document {
		return nextedit.Document{Path: filepath.ToSlash(d.path), Language: d.language, Text: d.text(), Tree: d.syntax(s.parser)}
	}
	c.After = document(doc)
	before, _ := s.parser.Parse(doc.language, nil, c.Before.Text) // nil: only what is written the same is found
	defer before.Close()
	c.Before = nextedit.Document{Path: c.After.Path, Language: doc.language, Text: c.Before.Text, Tree: before}
	var looked []*snapshot
	own, more := nextedit.Places(c, func(text string) (others []nextedit.Document) {
		looked = s.holding(ctx, doc, text, set)
		for _, d := range looked {
			if ctx.Err() != nil {
				return nil
			}
			others = append(others, document(d))
		}
		return others
	})
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	found, order = map[*snapshot][]nextedit.Edit{doc: own}, []*snapshot{doc}
	for i, d := range looked {
		now := s.docs.get(d.uri)
		if closed := d.version == notOpen; len(more[i]) > 0 && (now == d || closed && now == nil) { // else it changed meanwhile
			found[d], order = more[i], append(order, d)
		}
	}
	return found, order, nil
}

// notOpen is the version of a file that no editor has open.
const notOpen = -1

// nearerTo puts the files of a file's folder before others.
func nearerTo(file string) func(a, b string) int {
	far := func(p string) int {
		if filepath.Dir(p) == filepath.Dir(file) {
			return 0
		}
		return 1
	}
	return func(a, b string) int { return cmp.Or(far(a)-far(b), strings.Compare(a, b)) }
}

// holding are the other documents of a language that hold a text: the open ones, and where the
// client can go there, the files that are remembered; those nearest to the document first.
func (s *Server) holding(ctx context.Context, doc *snapshot, text string, set Settings) (all []*snapshot) {
	holds := func(d *snapshot) bool {
		return d.language == doc.language && len(d.text()) <= maxEditBytes && strings.Contains(d.text(), text) && s.withheld(d, set) == ""
	}
	open := map[string]bool{}
	for _, d := range s.docs.all() {
		open[pathOf(d.uri)] = true
		if d.uri != doc.uri && holds(d) {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *snapshot) int { return strings.Compare(string(a.uri), string(b.uri)) })
	if !s.elsewhere {
		return all[:min(len(all), maxEditOthers)]
	}
	files := s.library.known()
	slices.SortFunc(files, nearerTo(pathOf(doc.uri)))
	for _, p := range files {
		if len(all) >= maxEditOthers || ctx.Err() != nil {
			break
		}
		if open[p] || treesitter.Detect(filepath.Base(p), "") != doc.language {
			continue
		}
		b, err := os.ReadFile(p)
		if err != nil || !strings.Contains(string(b), text) || valid(string(b)) != string(b) {
			continue // gone, or not as it would stand in an editor
		}
		if d := newSnapshot(uri.File(p), doc.id, notOpen, string(b)); holds(d) {
			all = append(all, d)
		}
	}
	return all[:min(len(all), maxEditOthers)]
}
