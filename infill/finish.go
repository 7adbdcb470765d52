package infill

import (
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine"
)

// Suggestion is an edit of the document: Text in place of [Start, End). Start is the
// plan's cursor. End is the cursor too, but for one case: an answer that writes the
// brackets, quotes and semicolons right of the cursor anew and goes on after them
// replaces through the end of the line, so that Text still begins with what stays on
// the left and contains what stood on the right. An empty Text is no suggestion.
type Suggestion struct {
	Text       string // with the document's line ends; valid UTF-8
	Start, End ByteOffset
	Stop       string // why it ends: the rule's name, else the engine's
}

// Finish makes an edit of the model's answer. It cuts the text at the stop rule, drops
// what stands after the cursor already (the rest of the line, the lines below, closing
// brackets above all), balances brackets against what stands there, takes over the
// file's indentation and line ends, and drops white space at the end. The Text is empty
// when nothing useful is left.
func (p Plan) Finish(res engine.Result) Suggestion {
	none := Suggestion{Start: p.Cursor, End: p.Cursor, Stop: res.Stop}
	if none.Stop == "" {
		none.Stop = "none"
	}
	if p.Mode == Nothing {
		none.Stop = "none"
		return none
	}
	text := sound(res.Text)
	keep, name := p.rule.cut(text, true)
	text = text[:keep]
	if name == "" {
		name = none.Stop
	}
	f := fit{around: &p.around, rule: p.rule}
	cutOff := name == "budget" || name == "deadline"
	text, end := f.fit(text, cutOff)
	if blank(text) {
		return none
	}
	text = p.around.style().apply(text, p.around.left)
	text = strings.ReplaceAll(text, "\n", p.around.eol)
	return Suggestion{Text: text, Start: p.Cursor, End: ByteOffset(end), Stop: name}
}

// sound is the part of a model's text that can go into a file: line feeds only, up to
// the first byte that is no text (tokens may end inside a character).
func sound(text string) string {
	text = lineFeeds(text)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size <= 1 || r < ' ' && r != '\n' && r != '\t' && r != '\f' || r == 0x7f {
			return text[:i]
		}
		i += size
	}
	return text
}

// fit makes a text fit between what stands left and right of the cursor.
type fit struct {
	*around
	rule *rule
}

// fit gives the text and the end of what it replaces.
func (f fit) fit(text string, cutOff bool) (string, int) {
	if f.rule.mode == Line {
		text = f.unindented(text)
		return f.line(text)
	}
	if cutOff {
		text = f.wholeLines(text)
	}
	return f.block(f.unindented(text)), f.at
}

// unindented drops what an answer on an empty line repeats: blank lines at its start and
// the indentation that stands there already.
func (f fit) unindented(text string) string {
	if !blank(f.left) {
		return text
	}
	if i := strings.LastIndexByte(text[:len(text)-len(strings.TrimLeft(text, " \t\n"))], '\n'); i >= 0 {
		// A line of its own: its indentation is absolute.
		text = text[i+1:]
		if rest, ok := strings.CutPrefix(text, f.left); ok {
			return rest
		}
		return strings.TrimLeft(text, " \t")
	}
	if f.left != "" && width(f.left) >= f.due() {
		return strings.TrimLeft(text, " \t")
	}
	return text
}

// due is the indentation in columns that a line at the cursor has at the least. Where so
// much stands there already, white space at the start of an answer says it once more.
func (f fit) due() int {
	if f.d.indented {
		if h, ok := f.indentedHeader(); ok {
			return h.indent + 1
		}
		return f.sc.last[0].indent
	}
	if n := len(f.sc.stack); n > 0 {
		return f.sc.stack[n-1].indent + 1
	}
	return 0
}

// reach is what a text does to the brackets around the cursor.
type reach struct {
	repeats int // where it first closes what is closed after the cursor, or what is not open; -1
	lowest  int // brackets of the cursor that stay open, at the least
	open    int // brackets that it leaves open itself
	end     scanner
}

func (f fit) reach(text string) reach {
	r := reach{repeats: -1, lowest: len(f.sc.stack)}
	if !f.d.brackets {
		return r
	}
	sc := f.rule.start.clone()
	whole := f.rule.carry + text
	for i := 0; i < len(whole); {
		next, ev := sc.step(whole, i, true)
		if ev == evClose {
			lv := sc.level(whole[i])
			if lv < r.lowest {
				if r.repeats < 0 && (lv < 0 || f.closes[lv] >= 0 || lv != r.lowest-1 && f.between(lv, r.lowest)) {
					r.repeats = max(i-len(f.rule.carry), 0)
				}
				r.lowest = max(lv, 0)
			}
			if lv >= 0 {
				sc.pop(lv)
			}
		}
		i = next
	}
	r.open = len(sc.stack) - r.lowest
	r.end = sc
	return r
}

// between reports whether closing level lv would leave brackets above it open.
func (f fit) between(lv, top int) bool {
	for i := lv + 1; i < top; i++ {
		if f.closes[i] < 0 {
			return true
		}
	}
	return false
}

// line fits a text of one line.
func (f fit) line(text string) (string, int) {
	right := strings.TrimRight(f.right, " \t")
	if f.sc.in != inCode {
		return f.inLiteral(text, right), f.at
	}
	if blank(right) {
		if r := f.reach(text); r.repeats >= 0 {
			text = text[:r.repeats]
		}
		text = strings.TrimRight(text, " \t")
		if f.repeatsBelow(text) {
			return "", f.at
		}
		return text, f.at
	}
	if k := f.overlap(text, right); k > 0 {
		return f.beforeRight(text[:len(text)-k]), f.at
	}
	if r := f.reach(text); r.repeats >= 0 {
		if end, ok := f.rewrites(text, right, r.repeats); ok {
			return strings.TrimRight(text, " \t"), end
		}
		text = text[:r.repeats]
	}
	return f.beforeRight(f.balanced(text)), f.at
}

// inLiteral fits a text inside of a string or comment.
func (f fit) inLiteral(text, right string) string {
	if right == "" {
		text = strings.TrimRight(text, " \t")
		if f.repeatsBelow(text) {
			return ""
		}
		if f.sc.in == inString {
			if r := f.reach(text); r.repeats >= 0 {
				text = strings.TrimRight(text[:r.repeats], " \t")
			}
		}
		return text
	}
	for k := min(len(text), len(right)); k > 0; k-- {
		if strings.HasSuffix(text, right[:k]) && f.wordEdge(text, right, k) {
			return text[:len(text)-k]
		}
	}
	return text
}

// overlap is the length of the longest end of text that stands right of the cursor
// already and can go without breaking the balance of brackets.
func (f fit) overlap(text, right string) int {
	for k := min(len(text), len(right)); k > 0; k-- {
		if !strings.HasSuffix(text, right[:k]) || blank(right[:k]) || !f.wordEdge(text, right, k) {
			continue
		}
		if r := f.reach(text[:len(text)-k]); r.repeats < 0 && r.open == 0 && r.end.in == inCode && r.lowest == len(f.sc.stack) {
			return k
		}
	}
	return 0
}

// wordEdge says whether an overlap of k bytes begins and ends at the edges of words, so
// that the last letter of one word is not taken for the first of another.
func (f fit) wordEdge(text, right string, k int) bool {
	i := len(text) - k
	if !utf8.RuneStart(text[i]) || k < len(right) && !utf8.RuneStart(right[k]) {
		return false
	}
	if k < len(right) && isWord(right[k-1]) && isWord(right[k]) {
		return false
	}
	return i == 0 || !isWord(text[i-1]) || !isWord(text[i])
}

// rewrites says whether text from the byte i on writes all of the line's right part anew
// and goes on; end is then where the line ends.
func (f fit) rewrites(text, right string, i int) (end int, ok bool) {
	if strings.Trim(right, ")]}\"'`;,: ") != "" || !strings.HasPrefix(text[i:], right) {
		return 0, false
	}
	// The brackets that stay closed after the line may not be closed by the text.
	sc := f.rule.start.clone()
	lowest := len(sc.stack)
	for j := 0; j < len(text); {
		next, ev := sc.step(text, j, true)
		if ev == evClose {
			lv := sc.level(text[j])
			if lv < 0 {
				return 0, false
			}
			if lv < lowest {
				if c := f.closes[lv]; c >= f.lineTo {
					return 0, false
				}
				lowest = lv
			}
			sc.pop(lv)
		}
		j = next
	}
	for lv, c := range f.closes {
		if c >= 0 && c < f.lineTo && lv < lowest {
			return 0, false // the right part closed more than the text does
		}
	}
	return f.lineTo, true
}

// balanced closes what the text leaves open before the right part of the line.
func (f fit) balanced(text string) string {
	r := f.reach(text)
	if r.repeats >= 0 || r.open <= 0 && r.end.in == inCode || !f.d.brackets {
		return text
	}
	text = strings.TrimRight(text, " \t")
	if r.end.in == inString && !r.end.lit.lines {
		text += r.end.lit.close
	} else if r.end.in != inCode {
		return "" // a comment or a raw string would swallow the right part
	}
	for i := len(r.end.stack) - 1; i >= r.lowest; i-- {
		text += string(closer(r.end.stack[i].open))
	}
	return text
}

// beforeRight drops white space at the end that stands right of the cursor again.
func (f fit) beforeRight(text string) string {
	if f.right != "" && (f.right[0] == ' ' || strings.IndexByte(")]};,", f.right[0]) >= 0) {
		return strings.TrimRight(text, " \t")
	}
	return text
}

// repeatsBelow reports whether the cursor's line with the text in it would be the same
// as the next line that is not blank.
func (f fit) repeatsBelow(text string) bool {
	next := f.linesBelow(1)
	whole := strings.TrimRight(f.left+text, " \t")
	return len(next) > 0 && !blank(whole) && !onlyClosers(whole) && next[0] == whole
}

// linesBelow gives the first n lines below the cursor's that are not blank, without
// white space at their ends.
func (f fit) linesBelow(n int) []string {
	var lines []string
	rest := f.doc.Text[f.lineTo:min(len(f.doc.Text), f.lineTo+lookAhead/4)]
	for line := range strings.Lines(rest) {
		if len(lines) == n {
			break
		}
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func onlyClosers(s string) bool { return strings.Trim(s, " \t)]};,") == "" }
