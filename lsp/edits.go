package lsp

import (
	"slices"
	"strings"
	"sync"

	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/infill"
)

const (
	maxEdits     = 8  // that are remembered, besides those that go on
	maxEditLines = 12 // of one
)

// edits are what a person changed last, as one reads it in a diff: changes that are near to
// each other are one edit, which goes on until the person turns to another place.
type edits struct {
	mu    sync.Mutex
	bases map[uri.URI]string // texts as the edits that go on found them
	over  []edit             // the latest last
}

type edit struct {
	doc           uri.URI
	before, after string // whole lines
}

// changed takes note of a document's new text.
func (e *edits) changed(u uri.URI, old, now string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bases == nil {
		e.bases = map[uri.URI]string{}
	}
	base, ok := e.bases[u]
	if !ok {
		base = old
	}
	if before, after, _, _ := changedLines(base, now); !short(before, after) {
		// Another place, or too much at once: this is a new edit, and the old one is over.
		if before, after, _, _ := changedLines(base, old); before != after && short(before, after) {
			e.over = append(e.over, edit{clone(u), strings.Clone(before), strings.Clone(after)})
			e.over = e.over[max(0, len(e.over)-maxEdits):]
		}
		base = old
		if before, after, _, _ := changedLines(old, now); !short(before, after) {
			base = now
		}
	}
	e.bases[clone(u)] = base
}

func short(before, after string) bool {
	return strings.Count(before, "\n") <= maxEditLines && strings.Count(after, "\n") <= maxEditLines
}

// drop forgets the edits of a document.
func (e *edits) drop(u uri.URI) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.bases, u)
	e.over = slices.DeleteFunc(e.over, func(x edit) bool { return x.doc == u })
}

// last are the edits, the latest first, but for that in which the cursor of a document
// stands. text gives the documents as they are; of those that it does not give there is none.
func (e *edits) last(of uri.URI, at int, text func(uri.URI) (string, bool)) []edit {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []edit
	for u, base := range e.bases {
		now, ok := text(u)
		if !ok {
			continue
		}
		before, after, from, to := changedLines(base, now)
		if before != after && short(before, after) && !(u == of && from <= at && at <= to) {
			out = append(out, edit{u, before, after})
		}
	}
	slices.SortFunc(out, func(a, b edit) int { return strings.Compare(string(a.doc), string(b.doc)) })
	for _, x := range slices.Backward(e.over) {
		if _, ok := text(x.doc); ok {
			out = append(out, x)
		}
	}
	return out
}

// changedLines are the lines from the first to the last that two texts do not have in
// common, and where they stand in the second.
func changedLines(old, now string) (before, after string, from, to int) {
	if old == now {
		return "", "", 0, 0
	}
	// In steps first: of a long text nearly all is the same.
	for n := min(len(old), len(now)); from+64 <= n && old[from:from+64] == now[from:from+64]; {
		from += 64
	}
	for from < len(old) && from < len(now) && old[from] == now[from] {
		from++
	}
	same := 0 // bytes at the end
	for n := min(len(old), len(now)) - from; same+64 <= n && old[len(old)-same-64:len(old)-same] == now[len(now)-same-64:len(now)-same]; {
		same += 64
	}
	for same < len(old)-from && same < len(now)-from && old[len(old)-1-same] == now[len(now)-1-same] {
		same++
	}
	from = strings.LastIndexByte(now[:from], '\n') + 1
	// To the end of the line, unless whole lines came or went.
	start := func(text string, at int) bool { return at == 0 || text[at-1] == '\n' }
	if end := len(now) - same; start(now, end) && start(old, len(old)-same) {
		return old[from : len(old)-same], now[from:end], from, end
	}
	if i := strings.IndexByte(now[len(now)-same:], '\n'); i >= 0 {
		same -= i + 1
	} else {
		same = 0
	}
	return old[from : len(old)-same], now[from : len(now)-same], from, len(now) - same
}

// lastEdits are those that may be shown at a place of a document.
func (s *Server) lastEdits(doc *snapshot, at int, set Settings) []infill.Edit {
	may := map[uri.URI]bool{}
	text := func(u uri.URI) (string, bool) {
		d := s.docs.get(u)
		if d == nil {
			return "", false
		}
		ok, known := may[u]
		if !known {
			ok = s.withheld(d, set) == ""
			may[u] = ok
		}
		return d.text(), ok
	}
	var out []infill.Edit
	for _, x := range s.edits.last(doc.uri, at, text) {
		out = append(out, infill.Edit{Path: rememberedAs(x.doc), Before: x.before, After: x.after})
	}
	return out
}
