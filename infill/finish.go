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
// file's indentation and line ends, drops white space at the end, and keeps of what would
// break the syntax the part that does not. The Text is empty when nothing useful is left.
func (p Plan) Finish(res engine.Result) Suggestion { return p.FinishWith(res, AllRules) }

// FinishWith is Finish with some of its rules alone, to measure what each of them is worth.
func (p Plan) FinishWith(res engine.Result, rules Rules) Suggestion {
	s := p.finish(res, rules)
	if s.Text != "" || !p.Mode.overLines() {
		return s
	}
	// Of what does not hold as a whole, the first line may.
	first, rest, _ := strings.Cut(sound(res.Text), "\n")
	if blank(first) || rest == "" {
		return s
	}
	return p.finish(engine.Result{Text: first, Stop: "line"}, rules)
}

func (p Plan) finish(res engine.Result, rules Rules) Suggestion {
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
	if rules.Has(RuleLoops) {
		keep, name = p.cut(text, true)
	}
	text = text[:keep]
	if name == "" {
		name = none.Stop
	}
	f := fit{around: &p.around, rule: p.rule, rules: rules}
	cutOff := name == "budget" || name == "deadline"
	text, end := f.fit(text, cutOff)
	if blank(text) {
		return none
	}
	if rules.Has(RuleIndent) {
		text = p.around.style().apply(text, p.around.left)
	}
	if rules.Has(RuleSyntax) {
		if text, end = f.keeps(text, end); blank(text) {
			return none
		}
	}
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
	rule  *rule
	rules Rules
}

// fit gives the text and the end of what it replaces.
func (f fit) fit(text string, cutOff bool) (string, int) {
	if f.rule.mode == Statement && f.rules.Has(RuleBelow) && f.standsBelow(text) {
		text, _, _ = strings.Cut(text, "\n")
	}
	if f.rule.mode == Arguments && cutOff {
		text, _, _ = strings.Cut(text, "\n")
	}
	switch {
	case f.rule.mode == Line, f.rule.mode == Statement && !strings.Contains(text, "\n"):
		return f.line(f.unindented(text))
	case f.rule.mode == Docstring:
		if cutOff {
			text, _, _ = strings.Cut(text, "\n")
		}
		return f.prose(f.unindented(text)), f.at
	}
	if cutOff && f.rules.Has(RuleWhole) {
		text = f.wholeLines(text)
	}
	return f.block(f.unindented(text)), f.at
}

// unindented drops what an answer on an empty line repeats: blank lines at its start and
// the indentation that stands there already.
func (f fit) unindented(text string) string {
	if !f.rules.Has(RuleIndent) || !blank(f.left) {
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
		return strings.TrimLeft(f.moved(text), " \t")
	}
	return text
}

// moved gives the lines of a text the cursor's indentation where the first one has another
// one and all have that: they are indented alike, but for another place.
func (f fit) moved(text string) string {
	own := indentOf(text)
	if own == "" || width(own) == width(f.left) {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if blank(l) {
			continue
		}
		rest, ok := strings.CutPrefix(l, own)
		if !ok {
			return text
		}
		lines[i] = f.left + rest
	}
	return strings.Join(lines, "\n")
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
		return min(f.sc.stack[n-1].own, f.sc.stack[n-1].other) + 1
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

// choice is a reading of the answer for one line: what to insert, and where the text
// that it replaces ends.
type choice struct {
	text string
	end  int
}

// line fits a text of one line. There are several readings of it (as it is; without the
// end that stands right of the cursor already; cut before a bracket that is closed
// there; in place of the right part; with its own brackets closed): the one that leaves
// the brackets of the document in the best order wins, the first of equals.
func (f fit) line(text string) (string, int) {
	right := strings.TrimRight(f.right, " \t")
	if blank(right) {
		text, right = strings.TrimRight(text, " \t"), ""
	} else if f.d.semicolons && f.sc.in == inCode && strings.HasSuffix(right, ";") {
		// The statement's end stands there.
		text = strings.TrimSuffix(strings.TrimRight(text, " \t"), ";")
	}
	var choices []choice
	add := func(text string, end int) { choices = append(choices, choice{text, end}) }
	// once adds a text without what stands right of the cursor already, then the text.
	once := func(text string) {
		for k := min(len(text), len(right)); k > 0 && f.rules.Has(RuleOverlap); k-- {
			if strings.HasSuffix(text, right[:k]) && !blank(right[:k]) && wordEdge(text, right, k) {
				add(text[:len(text)-k], f.at)
			}
		}
		add(text, f.at)
	}
	once(text)
	brackets := f.rules.Has(RuleBrackets)
	if brackets && f.d.brackets && f.sc.in != inLineComment && f.sc.in != inBlockComment {
		r := f.reach(text)
		if r.repeats >= 0 {
			if f.rewrites(text, right, r.repeats) {
				add(strings.TrimRight(text, " \t"), f.lineTo)
			}
			once(text[:r.repeats])
		}
		if right != "" {
			last := choices[len(choices)-1].text
			add(f.balanced(last), f.at)
		}
	}
	best, least := choices[0], 1<<30
	if len(choices) > 1 && brackets {
		for _, c := range choices {
			if bad := f.disorder(c, least); bad < least {
				best, least = c, bad
			}
		}
	}
	if right == "" {
		best.text = strings.TrimRight(best.text, " \t")
		if f.rules.Has(RuleBelow) && f.repeatsBelow(best.text) {
			best.text = ""
		}
	}
	if best.end == f.at {
		best.text = f.beforeRight(best.text)
	}
	return best.text, best.end
}

// disorder counts what is wrong with the brackets and strings from the cursor on if the
// choice were taken, up to where the outermost bracket around the cursor is closed:
// closing brackets with nothing to close, brackets left open inside of others, lines
// that begin with a closing bracket and are not indented like the one that opened it,
// strings left open. A bracket that the text opens at the line's end is in order whether
// or not something closes it. It may give up counting at most.
func (f fit) disorder(c choice, most int) int {
	bad := f.count(c, most, false)
	if end := strings.TrimRight(c.text, " \t"); end != "" && strings.IndexByte("([{", end[len(end)-1]) >= 0 {
		bad = min(bad, f.count(c, bad, true))
	}
	return bad
}

// count is disorder; with forgive a bracket that the line opens at its end is taken for
// none.
func (f fit) count(c choice, most int, forgive bool) int {
	sc := f.rule.start.clone()
	head := f.rule.carry + c.text
	limit := min(len(f.doc.Text), f.lineTo+lookAhead/4)
	if len(f.closes) == 0 {
		limit = f.lineTo
	} else if f.closes[0] >= 0 && f.closes[0] < limit {
		limit, _ = lineEnd(f.doc.Text, f.closes[0])
	}
	whole := head + f.doc.Text[c.end:max(c.end, limit)]
	bad, opened, first := 0, -1, true
	lineAt, left := 0, f.left
	for i := 0; i < len(whole) && bad < most; {
		was := sc.in
		next, ev := sc.step(whole, i, true)
		switch ev {
		case evOpen:
			if i < len(head) {
				opened = len(sc.stack) - 1
			}
		case evNewline:
			if was == inString && sc.in == inCode {
				bad++
			}
			if forgive && first && opened >= 0 && opened == len(sc.stack)-1 && strings.IndexByte("([{", sc.prev) >= 0 {
				sc.pop(opened)
			}
			first, lineAt, left = false, next, ""
		case evClose:
			lv := sc.level(whole[i])
			if lv < 0 {
				bad += 2 // worse than one left open, which a person may still close
				break
			}
			if indent := left + whole[lineAt:i]; blank(indent) {
				w := width(indent)
				lv = sc.aligned(lv, whole[i], w)
				if !sc.stack[lv].aligns(w) {
					bad++
				}
			}
			bad += len(sc.stack) - 1 - lv
			sc.pop(lv)
			if lv <= opened {
				opened = -1
			}
		}
		i = next
	}
	return bad
}

// wordEdge says whether an overlap of k bytes begins and ends at the edges of words, so
// that the last letter of one word is not taken for the first of another.
func wordEdge(text, right string, k int) bool {
	i := len(text) - k
	if !utf8.RuneStart(text[i]) || k < len(right) && !utf8.RuneStart(right[k]) {
		return false
	}
	if k < len(right) && isWord(right[k-1]) && isWord(right[k]) {
		return false
	}
	return i == 0 || !isWord(text[i-1]) || !isWord(text[i])
}

// rewrites says whether text from the byte i on begins with all of the line's right part,
// and that is only what editors write by themselves.
func (f fit) rewrites(text, right string, i int) bool {
	return right != "" && strings.Trim(right, ")]}\"'`;,: ") == "" && strings.HasPrefix(text[i:], right)
}

// balanced closes what the text leaves open.
func (f fit) balanced(text string) string {
	r := f.reach(text)
	if r.open <= 0 && r.end.in == inCode {
		return text
	}
	text = strings.TrimRight(text, " \t")
	if r.end.in == inString && !r.end.lit.lines && f.sc.in == inCode {
		text += r.end.lit.close
	}
	for i := len(r.end.stack) - 1; i >= r.lowest; i-- {
		text += string(closer(r.end.stack[i].open))
	}
	return text
}

// beforeRight drops white space at the end that stands right of the cursor again.
func (f fit) beforeRight(text string) string {
	if f.right != "" && (f.right[0] == ' ' || f.sc.in == inCode && strings.IndexByte(")]};,", f.right[0]) >= 0) {
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
