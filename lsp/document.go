package lsp

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/treesitter"
)

// snapshot is a document at one version. It is immutable: a change makes a new one.
type snapshot struct {
	uri      uri.URI
	path     string
	language treesitter.Language
	id       string // language id of the client
	version  int32
	lines    *lines

	parse sync.Once
	tree  *treesitter.Tree
	// base is the snapshot that this one came from, for incremental parsing, until the
	// tree is there.
	base *snapshot
	mu   sync.Mutex

	gap *gap // in the versions before; nil: none that could be filled
}

func (s *snapshot) text() string { return s.lines.text }

// syntax parses the snapshot when it is first asked for. A document that cannot be
// parsed, or is too long for it (excerptAnyway), has a nil tree, which is a tree like any other.
func (s *snapshot) syntax(p *treesitter.Parser) *treesitter.Tree {
	s.parse.Do(func() {
		s.mu.Lock()
		base := s.base
		s.base = nil
		s.mu.Unlock()
		var old *treesitter.Tree
		if base != nil {
			old = base.parsed()
		}
		if s.language.HasGrammar() && len(s.text()) <= excerptAnyway {
			if t, err := p.Parse(s.language, old, s.text()); err == nil {
				s.mu.Lock()
				s.tree = t
				s.mu.Unlock()
				// Who still reads the old tree is out of date and sees nothing from now on.
				// The collector knows nothing of its C memory and would come late.
				old.Close()
			}
		}
	})
	return s.parsed()
}

// parsed is the tree if there is one already. A tree is closed when its document has a
// newer one or is closed; what slips through is left to the parser library's finalizers.
func (s *snapshot) parsed() *treesitter.Tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree
}

// documents are the open documents, by URI, at their newest version.
type documents struct {
	mu   sync.Mutex
	open map[uri.URI]*snapshot
}

var (
	errNotOpen = errors.New("the document is not open")
	errStale   = errors.New("the version goes backwards")
)

func (d *documents) get(u uri.URI) *snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open[u]
}

// all are the open documents, in no order.
func (d *documents) all() []*snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.open))
}

// put makes a snapshot the newest of its document.
func (d *documents) put(s *snapshot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[uri.URI]*snapshot{}
	}
	d.open[s.uri] = s
}

// drop forgets a document; one that is not open, too.
func (d *documents) drop(u uri.URI) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.open[u]; s != nil {
		s.parsed().Close()
	}
	delete(d.open, u)
}

// clone cuts a string loose from the message it came in.
func clone[T ~string](s T) T { return T(strings.Clone(string(s))) }

func newSnapshot(u uri.URI, id string, version int32, text string) *snapshot {
	s := &snapshot{uri: clone(u), id: clone(id), version: version, lines: newLines(text)}
	s.path = string(s.uri)
	if u.IsFile() {
		s.path = u.Path()
	} else if i := strings.LastIndexByte(s.path, '/'); i >= 0 {
		s.path = s.path[i+1:]
	}
	s.language = treesitter.Detect(s.path, s.id)
	return s
}

// change applies the edits of one notification, all or none. An edit whose range runs
// backwards is an error, and the document stays as it was; so is a version that goes
// backwards, unless the whole text comes with it (then nothing can have been missed) or it is
// the one that was missing.
func (s *snapshot) change(e Encoding, version int32, edits []protocol.TextDocumentContentChangeEvent) (*snapshot, error) {
	anew := false
	if len(edits) > 0 {
		_, anew = edits[0].(*protocol.TextDocumentContentChangeWholeDocument)
	}
	if version < s.version && !anew {
		if s.gap.wants(version) {
			return s.gap.filled(e, version, edits)
		}
		return nil, fmt.Errorf("version %d after %d: %w", version, s.version, errStale)
	}
	l := s.lines
	for i, edit := range edits {
		switch c := edit.(type) {
		case *protocol.TextDocumentContentChangeWholeDocument:
			l = newLines(strings.Clone(c.Text))
		case *protocol.TextDocumentContentChangePartial:
			a, b := c.Range.Start, c.Range.End
			if a.Line > b.Line || a.Line == b.Line && a.Character > b.Character {
				return nil, fmt.Errorf("change %d: its range ends (%d:%d) before it starts (%d:%d)", i, b.Line, b.Character, a.Line, a.Character)
			}
			from, to := l.offset(e, a), l.offset(e, b)
			l = l.replaced(from, to, c.Text)
		default:
			return nil, fmt.Errorf("change %d is of an unknown kind", i)
		}
	}
	n := &snapshot{uri: s.uri, path: s.path, language: s.language, id: s.id, version: version, lines: l, base: s}
	if !anew {
		n.gap = s.gap.behind(s, version, edits)
	}
	s.mu.Lock()
	if s.tree == nil && s.base != nil { // not parsed: hand its own base on, keep no chain
		n.base = s.base
	}
	s.mu.Unlock()
	return n, nil
}

// replaced is the text with [from, to) replaced, its index made anew from the first
// changed line on.
func (l *lines) replaced(from, to int, with string) *lines {
	var b strings.Builder
	b.Grow(len(l.text) - (to - from) + len(with))
	b.WriteString(l.text[:from])
	b.WriteString(with)
	b.WriteString(l.text[to:])
	text := b.String()
	n := &lines{text: text}
	// Lines that end before the edit keep their starts. One line more is looked at
	// again: a \r in front of the edit may have become a \r\n.
	keep := max(1, sort.SearchInts(l.starts, from)-1)
	n.starts = append(make([]int, 0, len(l.starts)+strings.Count(with, "\n")+1), l.starts[:keep]...)
	// Lines that start behind the edit move by its length, from the first line start
	// that stands behind it and is no part of a line end that the edit touches.
	tail, shift := sort.SearchInts(l.starts, to+2), len(with)-(to-from)
	end := len(text)
	if tail < len(l.starts) {
		end = l.starts[tail] + shift
	}
	for i := n.starts[len(n.starts)-1]; i < end; i++ {
		switch text[i] {
		case '\n':
			n.starts = append(n.starts, i+1)
		case '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
			n.starts = append(n.starts, i+1)
		}
	}
	if tail < len(l.starts) && n.starts[len(n.starts)-1] >= end {
		n.starts = n.starts[:len(n.starts)-1]
	}
	for _, s := range l.starts[tail:] {
		n.starts = append(n.starts, s+shift)
	}
	return n
}

// valid replaces what is no UTF-8: editors cannot show it either.
func valid(text string) string {
	if utf8.ValidString(text) {
		return strings.Clone(text)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
