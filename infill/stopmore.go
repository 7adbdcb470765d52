package infill

import "strings"

// The stop rules of what goes over lines without being a block: a statement, and prose.

const (
	statementLines = 10 // of a statement at most
	proseLines     = 12 // of a docstring or block comment
)

// cutStatement keeps a line, and those after it that its open brackets and strings need: a
// call whose arguments stand one below the other is one statement. An opening curly bracket
// at the end of a line rather begins a block, and ends it. What does not come to its end is
// cut back to the first line.
func (r *rule) cutStatement(text string, skip int, final bool) (int, string) {
	sc := r.start.clone()
	low, lines, first := len(sc.stack), 0, -1
	open := func() bool {
		if sc.in == inString && sc.lit.lines || sc.in == inBlockComment {
			return true
		}
		n := len(sc.stack)
		if n == 0 || sc.stack[n-1].open == '{' && !sc.d.indented {
			return false
		}
		return n > low || n <= len(r.unclosed) && r.unclosed[n-1]
	}
	for i := 0; i < len(text); {
		c := text[i]
		if i >= skip && (c == '\n' || c == '\r') {
			if !open() {
				if lines == 0 {
					return i, "line"
				}
				return i, "statement"
			}
			if first < 0 {
				first = i
			}
			if c == '\n' || i+1 < len(text) && text[i+1] != '\n' {
				lines++
			}
			if lines >= r.maxLine {
				return first, "line"
			}
		}
		next, ev := sc.step(text, i, final)
		switch ev {
		case evWait:
			return len(text), ""
		case evClose:
			sc.close(c)
			low = min(low, len(sc.stack))
		}
		i = next
	}
	if final && first >= 0 && open() {
		return first, ""
	}
	return len(text), ""
}

// cutProse keeps a docstring or a block comment to its end: behind the delimiter that the text
// writes, or, where one stands after the cursor, before it or at the end of the paragraph,
// behind which a small model goes on with code. What does not come to its end is cut back to
// its first line.
func (r *rule) cutProse(text string, skip int, final bool) (int, string) {
	sc := r.start.clone()
	lines, first, solid, bare := 0, -1, skip, r.fresh
	for i := 0; i < len(text); {
		c := text[i]
		if i >= skip && c == '\n' {
			if r.literal && bare && lines > 0 && solid > skip {
				return solid, "docstring"
			}
			if first < 0 {
				first = i
			}
			bare = true
			if lines++; lines >= r.maxLine {
				return first, "line"
			}
		}
		next, ev := sc.step(text, i, final)
		switch {
		case ev == evWait:
			return len(text), ""
		case ev == evEnd && sc.in == inCode:
			if r.literal {
				return max(i, skip), "docstring"
			}
			return max(next, skip), "docstring"
		}
		if n := len(strings.TrimRight(text[i:next], " \t\r\n")); n > 0 {
			solid, bare = max(i+n, skip), false
		}
		i = next
	}
	if final && first >= 0 && !r.literal {
		return first, ""
	}
	return len(text), ""
}
