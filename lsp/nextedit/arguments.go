package nextedit

import (
	"strings"

	"github.com/seedling-lsp/seedling/treesitter"
)

// arguments: an item came into a list of arguments or parameters, or went. The other calls
// of the function follow, if they have as many as the edited one had. The argument for a new
// parameter is the variable of its name, where there is one.
func (f *finder) arguments() bool {
	if f.c.Before.Tree == nil || f.c.After.Tree == nil {
		return false
	}
	was, is := f.list(f.c.Before, f.c.OldEnd), f.list(f.c.After, f.c.NewEnd)
	if was == nil || is == nil || was.Start != is.Start || was.Name != is.Name || was.Declares != is.Declares {
		return false
	}
	at, added := f.moved(was, is)
	if at < 0 {
		return false
	}
	fn := f.before.nameAt(was.Name)
	if fn == nil {
		return false
	}
	item, arity := "", len(was.Items)
	if added {
		item = f.after.text(is.Items[at])
	}
	if was.Declares {
		if added {
			if item = f.parameter(is.Items[at]); item == "" {
				return true
			}
		}
		if first := f.before.Text[was.Start+1 : was.End]; receiver(first) {
			at, arity = at-1, arity-1
		}
		if at < 0 {
			return true
		}
	}
	for _, l := range f.c.Before.Tree.Lists() {
		n := f.before.nameAt(l.Name)
		if l.Declares || l.Start == was.Start || n == nil || len(l.Items) != arity || !f.sameFunction(*fn, *n) {
			continue
		}
		if overlaps(l.Range, f.c) {
			continue
		}
		if was.Declares && added && !treesitter.BoundAt(f.before.Text, f.before.names, item, l.Start) {
			continue // nothing there has its name
		}
		f.change(l, at, added, item)
	}
	return true
}

func overlaps(r treesitter.Range, c Change) bool {
	return int(r.Start) < c.OldEnd && c.Start < int(r.End)
}

// list is the innermost list that an edit is in.
func (f *finder) list(d Document, end int) *treesitter.List {
	var in *treesitter.List
	for _, l := range d.Tree.Lists() {
		if int(l.Start) < f.c.Start && end < int(l.End) {
			in = &l
		}
	}
	return in
}

// moved is which item came or went; -1: it is another change.
func (f *finder) moved(was, is *treesitter.List) (at int, added bool) {
	longer, shorter, lt, st := is, was, f.after, f.before
	if added = len(is.Items) == len(was.Items)+1; !added {
		if len(is.Items)+1 != len(was.Items) {
			return -1, false
		}
		longer, shorter, lt, st = was, is, f.before, f.after
	}
	at = 0
	for at < len(shorter.Items) && lt.text(longer.Items[at]) == st.text(shorter.Items[at]) {
		at++
	}
	for i := at; i < len(shorter.Items); i++ {
		if lt.text(longer.Items[i+1]) != st.text(shorter.Items[i]) {
			return -1, false
		}
	}
	return at, added
}

// parameter is the name of a parameter that a plain argument can be given for.
func (f *finder) parameter(item treesitter.Range) string {
	text := f.after.text(item)
	if strings.HasPrefix(text, "*") || strings.Contains(text, "...") {
		return ""
	}
	for _, n := range f.after.names {
		if n.Declares && n.Kind == treesitter.Plain && item.Start <= n.Start && n.End <= item.End {
			return f.after.text(n.Range)
		}
	}
	return ""
}

// receiver says whether parameters begin with the one that no call names.
func receiver(parameters string) bool {
	first, _, _ := strings.Cut(strings.TrimRight(parameters, ")"), ",")
	switch strings.TrimSpace(first) {
	case "self", "cls", "&self", "&mut self", "mut self":
		return true
	}
	return false
}

// sameFunction says whether a call's name is that of the edited list.
func (f *finder) sameFunction(a, b treesitter.Name) bool {
	if f.before.text(a.Range) != f.before.text(b.Range) {
		return false
	}
	if a.Kind == treesitter.Plain && b.Kind == treesitter.Plain {
		return a.Binding == b.Binding
	}
	if a.Kind == treesitter.Keyword || b.Kind == treesitter.Keyword {
		return false
	}
	// Whose method it is, syntax does not tell: the same if only one is declared.
	declared := 0
	for _, n := range f.before.names {
		if n.Declares && f.before.text(n.Range) == f.before.text(a.Range) {
			declared++
		}
	}
	return declared == 1 || declared == 0 && f.before.receiverOf(a) == f.before.receiverOf(b)
}

// receiverOf is what stands before a member on its line: its last words.
func (r reading) receiverOf(n treesitter.Name) string {
	start := int(n.Start)
	for start > 0 && (wordByte(r.Text[start-1]) || r.Text[start-1] == '.' || r.Text[start-1] == ':') {
		start--
	}
	return r.Text[start:n.Start]
}

// change puts an item into a list, or takes one out.
func (f *finder) change(l treesitter.List, at int, added bool, item string) {
	point := func(p treesitter.ByteOffset) treesitter.Range { return treesitter.Range{Start: p, End: p} }
	switch n := len(l.Items); {
	case added && n == 0:
		f.propose(point(l.Start+1), item)
	case added && at < n:
		f.propose(point(l.Items[at].Start), item+", ")
	case added:
		f.propose(point(l.Items[n-1].End), ", "+item)
	case at >= n:
	case n == 1:
		f.propose(l.Items[0], "")
	case at+1 < n:
		f.propose(treesitter.Range{Start: l.Items[at].Start, End: l.Items[at+1].Start}, "")
	default:
		f.propose(treesitter.Range{Start: l.Items[at-1].End, End: l.Items[at].End}, "")
	}
}
