package infill

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
)

// confused are words that stand for each other by mistake.
var confused = [][]string{
	{"<", "<=", ">", ">="}, {"==", "!="}, {"&&", "||"}, {"+", "-"}, {"*", "/", "%"}, {"+=", "-="}, {"*=", "/="},
	{"=", ":=", "==", "+="}, {"<<", ">>"}, {"&", "|", "^"}, {"++", "--"},
	{"and", "or"}, {"true", "false"}, {"True", "False", "None"}, {"break", "continue", "return", "pass"},
	{"if", "for", "while"}, {"if", "elif", "else"}, {"nil", "err", "true", "false"}, {"None", "self"},
	{"const", "var"}, {"let", "const", "var"}, {"len", "cap"}, {"yield", "return"}, {"is", "=="}, {"go", "defer"},
}

// known are words that are no names: keywords and the like, of all languages here.
var known = wordSet(`and as assert async await break case catch chan class const continue def default defer del do
	elif else enum except export extends false finally fn for from func function global go goto if impl import in
	interface is lambda let loop match mod mut new nil None nonlocal not null or package pass pub raise range return
	select self static struct super switch this throw trait true True False try type use var void where while with yield`)

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

const (
	maxNames = 12      // that are proposed for another
	namesIn  = 1 << 10 // bytes before the piece from which they are taken
)

// around are the names used in the piece and shortly before, the nearest to its end first.
func (p *Piece) around() []string {
	from := max(int(p.Start)-namesIn, p.prefix.start)
	text := lineFeeds(hide(p.doc.Text, window{start: from, end: int(p.End)}, p.hidden))
	var names []string
	seen := map[string]bool{}
	for _, w := range slices.Backward(engine.Words(text)) {
		if s := text[w.Start:w.End]; isName(s) && !seen[s] {
			seen[s] = true
			names = append(names, s)
		}
	}
	return names[:min(len(names), maxNames)]
}

func isName(s string) bool {
	return s != "" && isWord(s[0]) && !isDigit(s[0]) && !known[s]
}

// neighbours are what could have been meant by the words of a stretch that the model finds
// suspicious: what is often mistaken for one another, names of the same place, numbers off
// by one, a negation, two arguments the other way round.
func (p Piece) neighbours(at engine.Word) []engine.Proposal {
	var out []engine.Proposal
	all := engine.Words(p.text)
	text := func(i int) string {
		if i < 0 || i >= len(all) {
			return ""
		}
		return p.text[all[i].Start:all[i].End]
	}
	for i, w := range all {
		if w.End <= at.Start || w.Start >= at.End || !p.isCode(w) {
			continue
		}
		s := text(i)
		put := func(start, end int, with string) {
			out = append(out, engine.Proposal{Start: start, End: end, Text: with})
		}
		for _, group := range confused {
			if slices.Contains(group, s) {
				for _, other := range group {
					if other != s {
						put(w.Start, w.End, other)
					}
				}
			}
		}
		switch {
		case isName(s):
			for _, n := range p.names {
				if n != s {
					put(w.Start, w.End, n)
				}
			}
		case isDigit(s[0]):
			if n, err := strconv.Atoi(s); err == nil {
				put(w.Start, w.End, strconv.Itoa(n+1))
				if n > 0 {
					put(w.Start, w.End, strconv.Itoa(n-1))
				}
			}
		}
		p.negate(put, all, i)
		if isName(s) || isDigit(s[0]) {
			for _, k := range []int{i, i - 2} { // this and the next, the one before and this
				if text(k+1) == "," && k >= 0 && plain(text(k)) && plain(text(k+2)) && text(k) != text(k+2) && single(text(k-1)) && single(text(k+3)) {
					put(all[k].Start, all[k+2].End, text(k+2)+p.text[all[k].End:all[k+2].Start]+text(k))
				}
			}
		}
	}
	return out
}

// plain: an argument of one word. single: what stands beside such a one.
func plain(s string) bool {
	return s != "" && (isName(s) || isDigit(s[0]) || strings.Contains("\"'`", s[:1]))
}
func single(s string) bool { return s == "(" || s == ")" || s == "," || s == "[" || s == "]" }

// negate proposes a negation before a condition, or none.
func (p Piece) negate(put func(start, end int, with string), all []engine.Word, i int) {
	text := func(i int) string {
		if i < 0 || i >= len(all) {
			return ""
		}
		return p.text[all[i].Start:all[i].End]
	}
	s, before := text(i), text(i-1)
	not := "!"
	if p.doc.Language.Indented() {
		not = "not "
	}
	switch {
	case s == "!" || s == "not":
		if i+1 < len(all) {
			put(all[i].Start, all[i+1].Start, "")
		}
	case before == "not" || before == "!":
		put(all[i-1].Start, all[i].Start, "")
	case isName(s) && (before == "if" || before == "while" || before == "&&" || before == "||" || before == "and" || before == "or" || before == "return"):
		put(all[i].Start, all[i].Start, not)
	case not == "not " && s == "in":
		put(all[i].Start, all[i].Start, not)
	case s == "is":
		put(all[i].End, all[i].End, " not")
	}
}

// isCode: no part of a comment or a string.
func (p Piece) isCode(w engine.Word) bool {
	if p.doc.Tree == nil {
		return true
	}
	at := p.Start + ByteOffset(w.End)
	if strings.Contains(p.doc.Text[p.Start:p.End], "\r\n") {
		at += ByteOffset(strings.Count(p.text[:w.End], "\n")) // each was two bytes
	}
	place := p.doc.Tree.At(at)
	return place.Comment.IsZero() && (place.String.IsZero() || place.String.End == at)
}
