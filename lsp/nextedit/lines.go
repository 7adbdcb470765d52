package nextedit

import (
	"regexp"
	"slices"
	"strings"

	"github.com/seedling-lsp/seedling/treesitter"
)

var importLine = regexp.MustCompile(`^\s*(import|from|use|export)\b`)

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}

// lineOf is the line around an offset, without its end.
func lineOf(text string, at int) string {
	start, end := lineAt(text, at)
	return text[start:end]
}

func lineAt(text string, at int) (start, end int) {
	start = strings.LastIndexByte(text[:at], '\n') + 1
	if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
		return start, at + n
	}
	return start, len(text)
}

func containsWord(text, word string) bool { return len(wordsIn(text, word)) > 0 }

// wordsIn are the offsets at which a word stands as a whole.
func wordsIn(text, word string) (at []int) {
	for from := 0; word != ""; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			break
		}
		i += from
		from = i + len(word)
		if (i == 0 || !wordByte(text[i-1]) || !wordByte(word[0])) && (from == len(text) || !wordByte(text[from]) || !wordByte(word[len(word)-1])) {
			at = append(at, i)
		}
	}
	return at
}

// widen makes a change one of whole words.
func (c Change) widen() Change {
	for c.Start > 0 && wordByte(c.Before.Text[c.Start-1]) {
		c.Start--
	}
	for c.OldEnd < len(c.Before.Text) && wordByte(c.Before.Text[c.OldEnd]) {
		c.OldEnd, c.NewEnd = c.OldEnd+1, c.NewEnd+1
	}
	return c
}

// minWord is how long a word must be to be worth following through strings and comments.
const minWord = 4

// inText: a word in a string or comment became another one; those in others of the kind
// follow. Of a whole literal that became another one its equals follow. An edit inside a
// string or comment is nothing else.
func (f *finder) inText() bool {
	was, kind := f.around(f.before, f.c.Start, f.c.OldEnd)
	is, kindNow := f.around(f.after, f.c.Start, f.c.NewEnd)
	if kind == treesitter.OtherToken || kind != kindNow || was.Start != is.Start {
		return false
	}
	old, new := f.before.text(was), f.after.text(is)
	if kind == treesitter.NumberToken || kind == treesitter.StringToken {
		if len(strings.Trim(old, "\"'`")) >= minWord || kind == treesitter.NumberToken && len(old) >= 3 {
			f.literal = &literal{kind, old, new}
			f.literal.in(f.before, f.propose)
			if len(f.own) > 0 {
				return true
			}
		}
		if kind == treesitter.NumberToken {
			return f.lines()
		}
	}
	c := f.c.widen()
	word, with := c.Old(), c.New()
	if len(word) < minWord || strings.ContainsFunc(word, func(r rune) bool { return r < 0x80 && !wordByte(byte(r)) }) || !wording(with) {
		return kind != treesitter.StringToken || !f.lines()
	}
	for _, t := range f.before.tokens {
		if t.Kind != kind {
			continue
		}
		for _, at := range wordsIn(f.before.text(t.Range), word) {
			start := t.Start + treesitter.ByteOffset(at)
			f.propose(treesitter.Range{Start: start, End: start + treesitter.ByteOffset(len(word))}, with)
		}
	}
	f.own = slices.DeleteFunc(f.own, func(e Edit) bool { return int(e.Start) < c.NewEnd && c.Start < int(e.End) })
	return true
}

// wording says whether a text can take the place of a word in prose: words, not what is put
// around one.
func wording(text string) bool {
	return text != "" && strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool {
		return r < 0x80 && !wordByte(byte(r)) && r != ' ' && r != '-' && r != '.'
	})
}

// around is the literal or comment that a stretch is in; of kind OtherToken if it is in
// none.
func (f *finder) around(r reading, start, end int) (treesitter.Range, treesitter.TokenKind) {
	for _, t := range r.within(start, end) {
		inside := int(t.Start) < start && end < int(t.End)
		switch t.Kind {
		case treesitter.NumberToken:
			inside = int(t.Start) <= start && end <= int(t.End)
		case treesitter.CommentToken:
			inside = int(t.Start) < start && end <= int(t.End)
		}
		if inside && (t.Kind == treesitter.NumberToken || t.Kind == treesitter.StringToken || t.Kind == treesitter.CommentToken) {
			return t.Range, t.Kind
		}
	}
	return treesitter.Range{}, treesitter.OtherToken
}

// literal is one that became another one.
type literal struct {
	kind     treesitter.TokenKind
	old, new string
}

// in proposes the new one for its equals.
func (l *literal) in(r reading, propose func(treesitter.Range, string)) {
	for _, t := range r.tokens {
		if t.Kind == l.kind && r.text(t.Range) == l.old {
			propose(t.Range, l.new)
		}
	}
}

// lines: other lines that are written as the edited one was, up to one word that is not
// the one that changed.
func (f *finder) lines() bool {
	start, end := lineAt(f.before.Text, f.c.Start)
	nowStart, nowEnd := lineAt(f.after.Text, f.c.Start)
	if f.c.OldEnd > end || nowStart != start {
		return false
	}
	was, is := f.line(f.before, start, end), f.line(f.after, nowStart, nowEnd)
	head := 0
	for head < min(len(was), len(is)) && f.before.text(was[head].Range) == f.after.text(is[head].Range) {
		head++
	}
	tail := 0
	for tail < min(len(was), len(is))-head && f.before.text(was[len(was)-1-tail].Range) == f.after.text(is[len(is)-1-tail].Range) {
		tail++
	}
	if len(was) < 2 || head+tail == 0 {
		return false // nothing shows that another line is like it
	}
	old, new := was[head:len(was)-tail], is[head:len(is)-tail]
	for at := 0; at < len(f.before.Text); {
		s, e := lineAt(f.before.Text, at)
		if at = e + 1; s != start {
			f.alike(was, f.line(f.before, s, e), old, new, head)
		}
	}
	return len(f.own) > 0
}

// line are the tokens that lie in a line.
func (f *finder) line(r reading, start, end int) []treesitter.Token {
	return slices.DeleteFunc(slices.Clone(r.within(start, end)), func(t treesitter.Token) bool { return int(t.Start) < start || int(t.End) > end })
}

// alike proposes the change for a line if it is like the edited one was. What is inserted
// without taking anything away wants a line that is the same in all; else one word beside
// what changes may be another.
func (f *finder) alike(was, line, old, new []treesitter.Token, head int) {
	if len(line) != len(was) {
		return
	}
	others := 0
	for i, t := range line {
		if t.Kind != was[i].Kind || t.Kind == treesitter.CommentToken {
			return
		}
		if f.before.text(t.Range) == f.before.text(was[i].Range) {
			continue
		}
		if i >= head && i < head+len(old) || t.Kind == treesitter.OtherToken {
			return
		}
		others++
	}
	if others > 1 || others == 1 && (len(old) == 0 || len(was)-len(old) < 5) {
		return
	}
	for i := range old {
		if !f.sameThing(old[i], line[head+i]) {
			return
		}
	}
	f.propose(f.stretch(line, head, len(old)), f.rewritten(new, was, head))
}

// stretch is what the change takes away in a line; where it takes nothing, the place.
func (f *finder) stretch(line []treesitter.Token, head, n int) treesitter.Range {
	switch {
	case n > 0:
		return treesitter.Range{Start: line[head].Start, End: line[head+n-1].End}
	case head > 0:
		return treesitter.Range{Start: line[head-1].End, End: line[head-1].End}
	}
	return treesitter.Range{Start: line[head].Start, End: line[head].Start}
}

// rewritten is the new text, with the space before it where nothing was before.
func (f *finder) rewritten(new, was []treesitter.Token, head int) string {
	start, end := lineAt(f.after.Text, f.c.Start)
	is := f.line(f.after, start, end)
	if len(was)-len(is)+len(new) > 0 { // something was taken away
		if len(new) == 0 {
			return ""
		}
		return f.after.Text[new[0].Start:new[len(new)-1].End]
	}
	if head > 0 {
		return f.after.Text[is[head-1].End:new[len(new)-1].End]
	}
	return f.after.Text[new[0].Start:is[len(new)].Start]
}

// sameThing says whether a word in another line may stand for what it did in the edited
// one: in an inner scope that has one of its own, it does not.
func (f *finder) sameThing(a, b treesitter.Token) bool {
	if a.Kind != treesitter.WordToken {
		return true
	}
	m, n := f.before.nameAt(a.Range), f.before.nameAt(b.Range)
	if m == nil || n == nil || m.Kind != n.Kind {
		return false
	}
	if m.Kind != treesitter.Plain || m.Binding == n.Binding {
		return true
	}
	nested := func(in, out treesitter.Range) bool { return out.Start <= in.Start && in.End <= out.End }
	return m.Binding >= 0 && n.Binding >= 0 && !nested(n.Scope, m.Scope) && !nested(m.Scope, n.Scope)
}
