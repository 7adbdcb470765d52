package nextedit

import (
	"path"

	"github.com/seedling-lsp/seedling/treesitter"
)

// rename: one identifier became another one. Which of the others of its name are the same
// thing, the text before the change tells.
func (f *finder) rename() bool {
	was, is := f.word(f.before, f.c.Start, f.c.OldEnd), f.word(f.after, f.c.Start, f.c.NewEnd)
	if was == nil || is == nil || was.Start != is.Start {
		return false
	}
	f.old, f.new = f.before.text(was.Range), f.after.text(is.Range)
	n := f.before.nameAt(was.Range)
	now := f.after.nameAt(is.Range)
	if n == nil || now == nil || n.Kind != now.Kind || n.Short {
		return false
	}
	switch n.Kind {
	case treesitter.Member:
		return f.renameMember(*n)
	case treesitter.Plain:
		return f.renamePlain(*n, *now)
	}
	return false
}

// word is the one token, a word, that a stretch is in; nil if it is more, or none.
func (f *finder) word(r reading, start, end int) *treesitter.Token {
	var word *treesitter.Token
	for _, t := range r.within(start, end) {
		if t.Kind == treesitter.WordToken && int(t.Start) <= start && end <= int(t.End) {
			word = &t
		}
	}
	return word
}

func (f *finder) renamePlain(n, now treesitter.Name) bool {
	if !n.Declares && (now.Binding >= 0 || treesitter.BoundAt(f.after.Text, f.after.names, f.new, now.Start)) {
		return false // another variable is meant now, the old one keeps its name
	}
	if !n.Declares && n.Binding < 0 && len(f.same(n)) == 0 {
		return false
	}
	if n.Declares && f.declared(now) {
		return true // what the new name stands for, nobody can tell apart any more
	}
	f.renamed = &n
	for _, m := range f.same(n) {
		f.renameAt(m)
	}
	if n.InClass() {
		f.members(f.before, f.propose)
	}
	return true
}

// declared says whether the new name was declared in its scope before.
func (f *finder) declared(now treesitter.Name) bool {
	for _, m := range f.after.names {
		if m.Declares && m.Kind == treesitter.Plain && m.Range != now.Range && m.Scope == now.Scope && f.after.text(m.Range) == f.new {
			return true
		}
	}
	return false
}

// same are the other names that stand for what n does, or, of one that the file does not
// declare, that nothing in it declares either.
func (f *finder) same(n treesitter.Name) (out []treesitter.Name) {
	for _, m := range f.before.names {
		if m.Kind == treesitter.Plain && m.Range != n.Range && m.Binding == n.Binding && f.before.text(m.Range) == f.old && !f.before.qualified(m) {
			out = append(out, m)
		}
	}
	return out
}

// qualified says whether something stands before a name that it is of, as in io.Reader: then
// it is none that this file declares by itself.
func (r reading) qualified(n treesitter.Name) bool {
	at := int(n.Start)
	return at > 0 && r.Text[at-1] == '.' && (at == 1 || r.Text[at-2] != '.')
}

// renameAt proposes the new name for an old one, unless something nearer has it there.
func (f *finder) renameAt(m treesitter.Name) {
	if m.Short || treesitter.BoundAt(f.before.Text, f.before.names, f.new, m.Start) {
		return
	}
	f.propose(m.Range, f.new)
}

// renameMember: a field or method. Whose it is, syntax does not tell, so that it is taken
// for the same only where one thing of that name is declared.
func (f *finder) renameMember(n treesitter.Name) bool {
	declared, again := 0, 0
	for _, m := range f.before.names {
		if (m.Kind == treesitter.Member || m.InClass()) && m.Declares {
			switch f.before.text(m.Range) {
			case f.old:
				declared++
			case f.new:
				again++
			}
		}
	}
	if declared > 1 || again > 0 {
		return declared > 1 && n.Declares
	}
	if !n.Declares {
		return false // another one is meant, perhaps: lines that are written the same may follow
	}
	f.renamed = &n
	f.members(f.before, f.propose)
	return true
}

// members proposes the new name for members of the old one.
func (f *finder) members(r reading, propose func(treesitter.Range, string)) {
	declared := 0
	for _, m := range r.names {
		if m.Declares && (m.Kind == treesitter.Member || m.InClass()) && r.text(m.Range) == f.old {
			declared++
		}
	}
	if declared > 1 {
		return
	}
	for _, m := range r.names {
		if m.Kind == treesitter.Member && r.text(m.Range) == f.old && !m.Short && m.Range != f.renamed.Range {
			propose(m.Range, f.new)
		}
	}
}

// outward is the text that other documents may hold for the same, or nothing: the name of
// what can be seen from them, or a literal.
func (f *finder) outward() string {
	switch n := f.renamed; {
	case n != nil && n.Kind != treesitter.Member && n.Binding >= 0 && (n.Scope.Start > 0 || int(n.Scope.End) < len(f.before.Text)) && !f.topLevel(n.Scope):
		return "" // a local one
	case n != nil:
		return f.old
	case f.literal != nil:
		return f.literal.old
	}
	return ""
}

// elsewhere looks in another document for what the change was found to be.
func (f *finder) elsewhere(i int, o Document) {
	if o.Language != f.c.After.Language || o.Tree == nil || f.c.After.Language == treesitter.Text {
		return
	}
	var edits []Edit
	propose := func(at treesitter.Range, text string) {
		if o.Text[at.Start:at.End] != text {
			edits = append(edits, Edit{at, text})
		}
	}
	switch {
	case f.renamed != nil:
		f.renameElsewhere(read(o), propose)
	case f.literal != nil:
		f.literal.in(read(o), propose)
	}
	if len(edits) > 0 {
		if f.more == nil {
			f.more = map[int][]Edit{}
		}
		f.more[i] = edits[:min(len(edits), maxPlaces)]
	}
}

// renameElsewhere follows a name into another file: a member by its name, what is declared
// in the changed file where that file's names can be seen.
func (f *finder) renameElsewhere(r reading, propose func(treesitter.Range, string)) {
	n := f.renamed
	if n.Kind == treesitter.Member {
		for _, m := range r.names {
			if m.Declares && r.text(m.Range) == f.old {
				return // it has one of its own
			}
		}
		f.membersElsewhere(r, propose, func(treesitter.Name) bool { return true })
		return
	}
	free := func(m treesitter.Name) bool {
		return !m.Short && !treesitter.BoundAt(r.Text, r.names, f.new, m.Start)
	}
	switch f.c.After.Language {
	case treesitter.Go:
		if near(f.c.After.Path, r.Path) {
			for _, m := range r.names {
				if m.Kind == treesitter.Plain && m.Binding < 0 && r.text(m.Range) == f.old && free(m) && !r.qualified(m) {
					propose(m.Range, f.new)
				}
			}
			return
		}
		f.membersElsewhere(r, propose, func(m treesitter.Name) bool { return f.of(r, m, path.Base(path.Dir(f.c.After.Path))) })
	default:
		f.membersElsewhere(r, propose, func(m treesitter.Name) bool { return f.of(r, m, stem(f.c.After.Path)) })
		f.imported(r, propose)
	}
}

// topLevel says whether a scope is the whole file, whatever white space is around it.
func (f *finder) topLevel(s treesitter.Range) bool {
	for _, n := range f.before.names {
		if n.Binding >= 0 && n.Scope.End > s.End {
			return false
		}
	}
	return true
}

// membersElsewhere proposes for the members that are wanted.
func (f *finder) membersElsewhere(r reading, propose func(treesitter.Range, string), want func(treesitter.Name) bool) {
	for _, m := range r.names {
		if m.Kind == treesitter.Member && !m.Declares && !m.Short && r.text(m.Range) == f.old && want(m) {
			propose(m.Range, f.new)
		}
	}
}

// of says whether what stands before a member is a module's name that nothing in the file
// but an import declares.
func (f *finder) of(r reading, m treesitter.Name, module string) bool {
	end := int(m.Start) - 1
	start := end - len(module)
	if start < 0 || r.Text[end] != '.' || r.Text[start:end] != module || start > 0 && wordByte(r.Text[start-1]) {
		return false
	}
	n := r.nameAt(treesitter.Range{Start: treesitter.ByteOffset(start), End: treesitter.ByteOffset(end)})
	if n == nil || n.Kind != treesitter.Plain {
		return false
	}
	return n.Binding < 0 || f.fromImport(r, r.names[n.Binding], module)
}

// fromImport says whether a name is declared by an import: its line says so.
func (f *finder) fromImport(r reading, n treesitter.Name, module string) bool {
	line := lineOf(r.Text, int(n.Start))
	return importLine.MatchString(line) && containsWord(line, module)
}

// imported renames what another file imports by name from the changed one, and its uses.
func (f *finder) imported(r reading, propose func(treesitter.Range, string)) {
	for i, d := range r.names {
		if !d.Declares || d.Kind != treesitter.Plain || r.text(d.Range) != f.old || !f.fromImport(r, d, stem(f.c.After.Path)) {
			continue
		}
		for _, m := range r.names {
			if m.Binding == i && !m.Short && !treesitter.BoundAt(r.Text, r.names, f.new, m.Start) {
				propose(m.Range, f.new)
			}
		}
	}
}
