package infill

import "strings"

// style is how a file is indented, as far as its lines near the cursor show.
type style struct {
	tabs  bool
	unit  int  // columns of one step, for spaces
	known bool // one of the two prevails
}

// styleReach is how far around the cursor lines are looked at.
const styleReach = 8 << 10

// style looks at the indentation near the cursor.
func (a *around) style() style {
	from := max(0, a.lineAt-styleReach)
	to := min(len(a.doc.Text), a.lineTo+styleReach)
	tabs, spaces, unit := 0, 0, 0
	before := 0
	for line := range strings.Lines(a.doc.Text[from:to]) {
		indent := indentOf(line)
		if blank(line) || strings.HasPrefix(line[len(indent):], "*") {
			continue // the stars of a comment are set one to the right
		}
		switch {
		case strings.HasPrefix(indent, "\t"):
			tabs++
		case indent != "":
			spaces++
			if step := len(indent) - before; step > 1 && (unit == 0 || step < unit) {
				unit = step
			}
		}
		before = len(indent)
	}
	if unit == 0 {
		unit = 4
	}
	s := style{tabs: tabs > spaces, unit: unit, known: tabs != spaces}
	if own := indentOf(a.left + a.right); own != "" {
		s.tabs, s.known = own[0] == '\t', true // the cursor's line knows best
	}
	if tabs+spaces == 0 && a.d == dialectOf(a.doc.Language) && a.doc.Language.String() == "go" {
		return style{tabs: true, known: true, unit: 4}
	}
	return s
}

// apply rewrites the indentation of a text's lines, the first one only where the cursor
// stands at the start of its line.
func (s style) apply(text, left string) string {
	if !s.known || !strings.Contains(text, "\n") && left != "" {
		return text
	}
	lines := strings.Split(text, "\n")
	step := 0 // columns of the model's own steps, when it writes spaces in a file of tabs
	for _, l := range lines {
		if n := len(indentOf(l)); n > 1 && l[0] == ' ' && !strings.HasPrefix(l[n:], "*") && (step == 0 || n < step) {
			step = n
		}
	}
	step = max(2, min(step, 4))
	for i, l := range lines {
		if i == 0 && left != "" {
			continue
		}
		indent := indentOf(l)
		switch {
		case blank(l):
			lines[i] = ""
			if i == len(lines)-1 {
				lines[i] = indent
			}
		case s.tabs && strings.HasPrefix(indent, " ") && len(indent) >= step:
			lines[i] = strings.Repeat("\t", len(indent)/step) + strings.Repeat(" ", len(indent)%step) + l[len(indent):]
		case !s.tabs && strings.HasPrefix(indent, "\t"):
			lines[i] = strings.ReplaceAll(indent, "\t", strings.Repeat(" ", s.unit)) + l[len(indent):]
		}
	}
	return strings.Join(lines, "\n")
}
