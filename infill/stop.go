package infill

import "strings"

// rule decides how much of the decided text counts. It holds the scanner as it stands
// at the cursor and never changes.
type rule struct {
	mode  Mode
	start scanner // at the cursor, less carry
	carry string  // text before the cursor whose meaning depends on what follows
	fresh bool    // nothing but white space stands before the cursor on its line
	left  string  // that white space
	below int     // brackets open at the cursor

	// Line.
	literal bool // the string or comment of the cursor ends after it: stop before its end (of Docstring, too)

	// Statement.
	unclosed []bool // by level at the cursor: nothing after it closes the bracket

	// Block, Function and Arguments.
	target  int  // level of the bracket that opened the block or list; -1: an indented block
	closed  bool // its closing bracket stands after the cursor
	extra   int  // brackets around it that the same line opened and nothing closes
	tail    bool // a semicolon may follow
	indent  int  // of an indented block: columns below which it ends
	deepen  bool // its first line sets indent
	maxLine int  // lines of a block at most
}

// cut gives how many bytes of s to keep and, when s is long enough to tell, the name
// under which to stop. With final no more text will come.
//
// A line ends before its line end, or before the end of the string or comment that the
// cursor is in when that stands after the cursor. A block ends where its bracket closes:
// before the bracket when it stands after the cursor, behind it otherwise. An indented
// block ends with the last line before one that is indented less. Brackets in strings
// and comments do not count. Of statements and prose see stopmore.go.
func (r *rule) cut(s string, final bool) (keep int, name string) {
	if r.mode == Nothing {
		return 0, "none"
	}
	text, skip := s, 0
	if r.carry != "" {
		text, skip = r.carry+s, len(r.carry)
	}
	at := func(i int) int { return min(max(i-skip, 0), len(s)) }
	switch r.mode {
	case Line:
		keep, name = r.cutLine(text, skip, final)
	case Statement:
		keep, name = r.cutStatement(text, skip, final)
	case Docstring:
		keep, name = r.cutProse(text, skip, final)
	default:
		keep, name = r.cutBlock(text, skip, final)
	}
	return at(keep), name
}

func (r *rule) cutLine(text string, skip int, final bool) (int, string) {
	end := len(text)
	if i := strings.IndexAny(text[skip:], "\r\n"); i >= 0 {
		end = skip + i
	}
	name := ""
	if end < len(text) {
		name = "line"
	}
	if !r.literal {
		return end, name
	}
	// A scanner is needed only inside a string or comment.
	sc := r.start.clone()
	was := len(sc.stack)
	// The line end is known, so what stands before it has its final meaning.
	final = final || name != ""
	for i := 0; i < end; {
		next, ev := sc.step(text[:end], i, final)
		switch {
		case ev == evWait:
			return end, name
		case ev == evEnd && len(sc.stack) <= was && i >= skip:
			return i, "line"
		case ev == evClose:
			sc.close(text[i])
		}
		i = next
	}
	return end, name
}

func (r *rule) cutBlock(text string, skip int, final bool) (int, string) {
	sc := r.start.clone()
	name := r.mode.String()
	indent, deepen := r.indent, r.deepen
	lines, lineAt := 0, 0 // line ends so far; where the line starts
	fresh := r.fresh      // nothing but white space on the line so far
	solid := skip         // behind the last byte that is not white space
	first := skip         // the same of the first line
	for i := 0; i < len(text); {
		was, depth := sc.in, len(sc.stack)
		next, ev := sc.step(text, i, final)
		c := text[i]
		space := c == ' ' || c == '\t' || c == '\r' || c == '\n'
		if r.target < 0 && fresh && !space {
			fresh = false
			if was == inCode && depth <= r.below {
				col := width(text[lineAt:i])
				if lineAt == 0 {
					col = width(r.left + text[skip:i])
				}
				if col < indent {
					return solid, name
				}
				if deepen {
					indent, deepen = col, false
				}
			}
		}
		switch ev {
		case evWait:
			return len(text), ""
		case evNewline:
			lineAt, fresh = next, true
			if lines == 0 {
				first = solid
			}
			if lines++; lines > r.maxLine {
				if r.mode == Arguments { // a list that never ends is none to be trusted
					return first, name
				}
				return solid, name
			}
		case evClose:
			lv := sc.level(c)
			if r.target >= 0 && lv >= 0 && (lv < r.target || lv == r.target && (c == '}' || r.mode == Arguments)) {
				if lv < r.target || r.closed {
					return max(i, skip), name
				}
				return r.closing(text, next, final, name)
			}
			if lv >= 0 {
				sc.pop(lv)
			}
		}
		if n := len(strings.TrimRight(text[i:next], " \t\r\n")); n > 0 {
			solid = max(i+n, skip)
		}
		i = next
	}
	return len(text), ""
}

// closing goes on behind the bracket that closed the block at i: through the brackets
// that the block's first line opened around it, and a semicolon.
func (r *rule) closing(text string, i int, final bool, name string) (int, string) {
	for n := r.extra; n > 0; n-- {
		if i == len(text) {
			return i, ""
		}
		if text[i] != ')' && text[i] != ']' {
			return i, name
		}
		i++
	}
	if r.tail {
		if i == len(text) && !final {
			return i, ""
		}
		if i < len(text) && text[i] == ';' {
			i++
		}
	}
	return i, name
}
