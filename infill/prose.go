package infill

import "strings"

// prose says whether the cursor is in a docstring or a block comment that may go on over
// lines: nothing of it stands after the cursor but, on a later line, its end (closed), or it
// has no end yet.
func (a *around) prose() (closed, ok bool) {
	docstring := a.sc.in == inString && a.sc.lit.lines && a.d.indented && !a.sc.code
	if !docstring && a.sc.in != inBlockComment || !blank(a.right) {
		return false, false
	}
	if a.literalEnd < 0 || a.endsElsewhere(docstring) {
		return false, true
	}
	return true, a.literalEnd > a.lineTo && strings.Trim(a.doc.Text[a.lineTo:a.literalEnd], " \t\r\n*") == ""
}

// endsElsewhere says whether the end that was found after the cursor is another literal's:
// code stands before it, or what begins one.
func (a *around) endsElsewhere(docstring bool) bool {
	between := a.doc.Text[a.lineTo:max(a.lineTo, a.literalEnd)]
	if !docstring {
		return strings.Contains(between, "/*") && !a.d.nested
	}
	opened := 0
	if start := a.sc.lit.start; start < a.at {
		if at, ok := lineStart(a.doc.Text, start); ok {
			opened = width(indentOf(a.doc.Text[at:a.at]))
		}
	}
	for line := range strings.Lines(between) {
		body := strings.TrimLeft(line, " \t")
		if blank(body) {
			continue
		}
		switch w := width(indentOf(line)); {
		case w < opened:
			return true
		case w == opened && beginsCode[body[:wordLen(body)]]:
			return true
		}
	}
	return false
}

// beginsCode are words that begin a line of Python and hardly one of prose.
var beginsCode = words(`def class import return raise assert self async pass`)
