package nextedit

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/seedling-lsp/seedling/treesitter"
)

// maxPlaces that are given for one change.
const maxPlaces = 50

// Places finds what a change wants elsewhere: in the changed document, in the order in
// which a person comes to it going on from the edit, and in others, by their index. It asks
// for others once, and only if the change can matter to them: those that hold a text. nil:
// there are none.
func Places(c Change, others func(text string) []Document) (own []Edit, more map[int][]Edit) {
	if !c.small() {
		return nil, nil
	}
	f := finder{c: c, before: read(c.Before), after: read(c.After)}
	f.find()
	if text := f.outward(); text != "" && others != nil {
		for i, o := range others(text) {
			f.elsewhere(i, o)
		}
	}
	return f.order(f.own), f.more
}

// reading is what is known of a text.
type reading struct {
	Document
	tokens []treesitter.Token
	names  []treesitter.Name
}

func read(d Document) reading {
	r := reading{Document: d}
	if d.Tree != nil {
		r.tokens, r.names = d.Tree.Tokens(), d.Tree.Names()
	}
	return r
}

func (r reading) text(at treesitter.Range) string { return r.Text[at.Start:at.End] }

// within are the tokens that a stretch touches.
func (r reading) within(start, end int) []treesitter.Token {
	from, _ := slices.BinarySearchFunc(r.tokens, start, func(t treesitter.Token, at int) int { return cmp.Compare(int(t.End), at) })
	to := from
	for to < len(r.tokens) && int(r.tokens[to].Start) <= end {
		to++
	}
	return r.tokens[from:to]
}

// nameAt is the name that a stretch is, or nil.
func (r reading) nameAt(at treesitter.Range) *treesitter.Name {
	i, ok := slices.BinarySearchFunc(r.names, at.Start, func(n treesitter.Name, at treesitter.ByteOffset) int { return cmp.Compare(n.Start, at) })
	if !ok || r.names[i].Range != at {
		return nil
	}
	return &r.names[i]
}

type finder struct {
	c             Change
	before, after reading
	own           []Edit
	more          map[int][]Edit

	// rename, when the change is one: of what, to what.
	renamed  *treesitter.Name
	old, new string
	literal  *literal
}

// find looks in the changed document.
func (f *finder) find() {
	switch {
	case f.inText():
	case f.rename():
	case f.arguments():
	case f.lines():
	}
}

// order puts the places behind the edit first, the nearest of them in front.
func (f *finder) order(edits []Edit) []Edit {
	key := func(e Edit) int {
		if int(e.Start) >= f.c.NewEnd {
			return int(e.Start) - f.c.NewEnd
		}
		return len(f.c.After.Text) + f.c.Start - int(e.Start)
	}
	slices.SortStableFunc(edits, func(a, b Edit) int { return cmp.Compare(key(a), key(b)) })
	edits = slices.CompactFunc(edits, func(a, b Edit) bool { return a.Range == b.Range })
	return edits[:min(len(edits), maxPlaces)]
}

// propose proposes a text for a stretch of the text before the change, if it is none of it.
func (f *finder) propose(at treesitter.Range, text string) {
	if int(at.Start) == f.c.Start && int(at.End) == f.c.OldEnd {
		return
	}
	if now, ok := f.c.now(at); ok && f.after.text(now) == f.before.text(at) && f.after.text(now) != text {
		f.own = append(f.own, Edit{now, text})
	}
}

// near says whether files are of one package or folder.
func near(a, b string) bool { return path.Dir(a) == path.Dir(b) }

// stem is a file's name without its ending.
func stem(p string) string {
	base := path.Base(p)
	return strings.TrimSuffix(base, path.Ext(base))
}
