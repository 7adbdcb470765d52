package infill

import (
	"strings"

	"github.com/seedling-lsp/seedling/treesitter"
)

// A suggestion is parsed in its place so often at most, and so many bytes in all: parsing
// anew costs some 0.4 ms in a file of 40 KB and twice that in one of 150 KB, and a keystroke
// has 3 ms besides the engine.
const (
	tries      = 8
	triesBytes = 160 << 10
)

// keeps gives of a text the longest part that adds no syntax error where it stands, and
// the end of what it replaces. Without a parser or a tree it is the text.
func (f fit) keeps(text string, end int) (string, int) {
	if f.doc.Parser == nil || f.doc.Tree == nil {
		return text, end
	}
	before := faults(f.doc.Tree)
	parses := 0
	sound := func(text string, end int) bool {
		parses++
		return f.faults(text, end) <= before
	}
	if sound(text, end) {
		return text, end
	}
	if closed, ok := f.headerClosed(text); ok && end == f.at && sound(closed, end) {
		return text, end
	}
	most := max(2, min(tries, triesBytes/max(1, len(f.doc.Text))))
	for cut := len(text); parses < most; {
		part, ok := f.shorter(text, &cut)
		if !ok {
			break
		}
		if part != "" && !f.again(part) && sound(part, f.at) {
			return part, f.at
		}
	}
	return "", f.at
}

// again reports whether a part of a text ends like what stands after the cursor, which the
// whole of it did not.
func (f fit) again(part string) bool {
	if right := strings.TrimRight(f.right, " \t"); !blank(right) {
		for k := min(len(part), len(right)); k > 0; k-- {
			if strings.HasSuffix(part, right[:k]) && !onlyClosers(right[:k]) && wordEdge(part, right, k) {
				return true
			}
		}
		return false
	}
	return f.repeatsBelow(part) || strings.Contains(part, "\n") && f.withoutBelow(part) != part
}

// faults counts the syntax errors of the document with a text in place of [at, end).
func (f fit) faults(text string, end int) int {
	whole := f.doc.Text[:f.at] + text + f.doc.Text[end:]
	tree, err := f.doc.Parser.Parse(f.doc.Language, f.doc.Tree, whole)
	if err != nil {
		return 0
	}
	defer tree.Close()
	return faults(tree)
}

func faults(tree *treesitter.Tree) int {
	p := tree.Problems()
	return p.Errors + p.Missing
}

// headerClosed is a text that ends in the opening of a block, with the block's end behind
// it. Who takes `if err != nil {` goes on to write the block: it is no fault that the block
// is not there yet.
func (f fit) headerClosed(text string) (string, bool) {
	if f.rule.mode != Line && f.rule.mode != Statement || !blank(f.right) || text == "" || strings.Contains(text, "\n") {
		return "", false
	}
	indent := indentOf(f.left + text)
	switch last := text[len(text)-1]; {
	case last == '{' && !f.d.indented:
		if r := f.reach(text); r.open == 1 && r.end.in == inCode {
			return text + "\n" + indent + "}", true
		}
	case last == ':' && f.d.indented:
		if r := f.reach(text); r.open == 0 && r.end.in == inCode && len(r.end.stack) == 0 {
			closed := text + "\n" + indent + " pass"
			if strings.TrimLeft(f.left+text, " \t") == "try:" {
				closed += "\n" + indent + "finally: pass"
			}
			return closed, true
		}
	}
	return "", false
}

// shorter gives the next shorter part of a text, of which cut bytes were looked at: of a
// text of many lines whole lines, of one line up to the end of a word, a bracket or a
// quote. A part is empty where it would not stand by itself; ok is false when there is none.
func (f fit) shorter(text string, cut *int) (part string, ok bool) {
	if strings.Contains(text, "\n") {
		i := strings.LastIndexByte(text[:*cut], '\n')
		if i <= 0 || blank(text[:i]) {
			return "", false
		}
		*cut = i
		r := f.reach(text[:i])
		if r.repeats >= 0 || r.open > 0 || r.end.in != inCode && r.end.in != inLineComment || f.d.indented && r.end.prev == ':' {
			return "", true
		}
		bare := strings.TrimRight(text[:i], " \t\n")
		if f.d.indented {
			return bare, true
		}
		return f.closing(bare, text[:i], r), true
	}
	for i := *cut - 1; i > 0; i-- {
		if !wholeWord(text, i) || blank(text[:i]) {
			continue
		}
		*cut = i
		if r := f.reach(text[:i]); r.repeats >= 0 || r.open > 0 || r.end.in != f.sc.in {
			return "", true
		}
		if f.right != "" && isWord(f.right[0]) || blank(f.left) && wordLen(text[:i]) == i {
			return "", true // it would grow together with another word, or be a lone one
		}
		return text[:i], true
	}
	return "", false
}

// wholeWord reports whether a word, a bracket or a string ends before the byte i.
func wholeWord(text string, i int) bool {
	const quotes = "\"'`"
	if strings.IndexByte(quotes, text[i]) >= 0 { // of a longer quote, or of the string that it prefixes
		return false
	}
	if c := text[i-1]; !isWord(c) {
		return strings.IndexByte(")]}"+quotes, c) >= 0
	}
	return !isWord(text[i])
}
