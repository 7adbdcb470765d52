package infill

import (
	"slices"
	"strings"
)

// block fits a text of many lines.
func (f fit) block(text string) string {
	if f.rules.Has(RuleBelow) {
		text = f.withoutBelow(text)
	}
	if !f.rules.Has(RuleBrackets) {
		return strings.TrimRight(text, " \t\n")
	}
	if f.d.indented {
		text = strings.TrimRight(text, " \t\n")
		if r := f.reach(text); r.open > 0 || r.end.in == inString {
			text = f.wholeLines(text)
		}
		return text
	}
	r := f.reach(text)
	if r.repeats >= 0 {
		text = text[:r.repeats]
		r = f.reach(text)
	}
	if r.open > 0 || r.end.in == inString || r.end.in == inBlockComment {
		text = f.wholeLines(text)
		r = f.reach(text)
	}
	bare := strings.TrimRight(text, " \t\n")
	if blank(bare) {
		return ""
	}
	return f.closing(bare, text, r)
}

// standsBelow says whether one of the lines of a statement, the first one aside, stands right
// below the cursor: of such a statement the first line is what was missing.
func (f fit) standsBelow(text string) bool {
	lines := strings.Split(text, "\n")
	below := f.linesBelow(statementLines)
	for _, l := range lines[1:] {
		l = strings.TrimSpace(l)
		if !onlyClosers(l) && slices.ContainsFunc(below, func(b string) bool { return strings.TrimSpace(b) == l }) {
			return true
		}
	}
	return false
}

// prose fits the lines of a docstring or comment.
func (f fit) prose(text string) string {
	if f.rules.Has(RuleBelow) {
		text = f.withoutBelow(text)
	}
	return strings.TrimRight(text, " \t\n")
}

// closing brings the closing bracket of the block to where it belongs: on a line of its
// own when the text has lines, and written when it stands nowhere.
func (f fit) closing(bare, text string, r reach) string {
	t := f.rule.target
	if t < 0 || t >= len(f.sc.stack) || r.lowest <= t {
		return bare // no bracket, or written by the model
	}
	indent := ""
	if line := f.doc.Text[min(f.sc.stack[t].line, f.at):f.at]; line != "" {
		indent = indentOf(line)
	}
	lines := strings.Contains(bare, "\n") || blank(f.left)
	onLine := f.rule.closed && f.closes[t] < f.lineTo && blank(f.doc.Text[f.at:max(f.at, f.closes[t])])
	switch {
	case onLine && lines:
		return bare + "\n" + indent
	case onLine:
		if strings.HasPrefix(bare, " ") && !strings.HasPrefix(f.right, " ") {
			return bare + " "
		}
		return bare
	case f.rule.closed || !blank(f.right):
		return bare
	}
	end := "\n" + indent + "}"
	if !lines {
		end = " }"
	}
	for lv := t - 1; lv >= t-f.rule.extra && lv >= 0; lv-- {
		end += string(closer(f.sc.stack[lv].open))
	}
	if f.rule.tail {
		end += ";"
	}
	return bare + end
}

// wholeLines cuts a text that broke off back to the last line end at which no bracket,
// string or comment of its own is open. Nothing is left when there is none.
func (f fit) wholeLines(text string) string {
	for end := strings.LastIndexByte(text, '\n'); end > 0; end = strings.LastIndexByte(text[:end], '\n') {
		if blank(text[:end]) {
			break
		}
		r := f.reach(text[:end])
		if r.open <= 0 && (r.end.in == inCode || r.end.in == inLineComment) && !(f.d.indented && r.end.prev == ':') {
			return text[:end]
		}
	}
	return ""
}

// withoutBelow drops lines at the end of the text that are the first lines below the
// cursor.
func (f fit) withoutBelow(text string) string {
	if !blank(f.right) {
		return text
	}
	body := strings.TrimRight(text, " \t\n")
	lines := strings.Split(f.left+body, "\n")
	below := f.linesBelow(len(lines))
	for k := min(len(lines), len(below)); k > 0; k-- {
		same, useful := true, false
		for i := range k {
			line := strings.TrimRight(lines[len(lines)-k+i], " \t")
			same = same && line == below[i]
			useful = useful || !onlyClosers(line)
		}
		if !same || !useful {
			continue
		}
		if k == len(lines) {
			return ""
		}
		rest := strings.Join(lines[:len(lines)-k], "\n")[len(f.left):]
		if r := f.reach(rest); r.open <= 0 && r.repeats < 0 {
			return rest
		}
	}
	return text
}
