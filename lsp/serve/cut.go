package serve

import "strings"

// cut is where a client wants an answer to end, besides the plan: before one of its stop
// words, and before a line that is indented less than it said.
type cut struct {
	words  []string
	indent int // blanks and tabs at the least, of every line after the first
}

// Names under which a cut stops an answer.
const (
	stopWord   = "word " // and the word
	stopIndent = "indent"
)

// found is the cut that is known first when the text comes piece by piece: how many bytes
// to look at to know it, how many of them to keep, and the name to stop under. Of a longer
// text that begins alike it is the same, which makes it a rule that
// [engine.Request.Stop] can have.
type found struct {
	seen, keep int
	why        string
}

// in looks for the cut in a text.
func (c cut) in(text string) (f found, ok bool) {
	best := found{seen: len(text) + 1}
	for _, w := range c.words {
		// Looking no further than to where the best so far is known.
		head := text[:min(len(text), best.seen)]
		if i := strings.Index(head, w); i >= 0 && (i+len(w) < best.seen || i < best.keep) {
			best = found{i + len(w), i, stopWord + w}
		}
	}
	if f, ok := c.outdented(text); ok && f.seen < best.seen {
		best = f
	}
	return best, best.seen <= len(text)
}

// outdented finds the first line after the text's first that is indented too little. A
// blank line is indented as it likes: llama-server, which counts it, would end a function
// at its first paragraph.
func (c cut) outdented(text string) (found, bool) {
	if c.indent <= 0 {
		return found{}, false
	}
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '\n')
		if i < 0 {
			return found{}, false
		}
		end, at := from+i, from+i+1
		n := len(text[at:]) - len(strings.TrimLeft(text[at:], " \t"))
		if body := text[at+n:]; n < c.indent && body != "" && body[0] != '\n' && body[0] != '\r' {
			return found{seen: at + n + 1, keep: end, why: stopIndent}, true
		}
		from = at
	}
}

// with is a stop rule and the cut in one. Where the rule would have stopped before the cut
// was known, it has.
func (c cut) with(rule func(string) (int, string)) func(string) (int, string) {
	if len(c.words) == 0 && c.indent <= 0 {
		return rule
	}
	return func(text string) (int, string) {
		f, ok := c.in(text)
		if ok {
			text = text[:f.seen]
		}
		keep, name := len(text), ""
		if rule != nil {
			keep, name = rule(text)
		}
		if ok && (name == "" || f.keep < keep) {
			return f.keep, f.why
		}
		return keep, name
	}
}
