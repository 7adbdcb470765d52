package infill

import (
	"fmt"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
)

// decide chooses the mode and says why.
func decide(a around, opt Options) (Mode, string) {
	literal := a.sc.in != inCode
	_, prose := a.prose()
	if opt.Mode != Auto {
		switch {
		case opt.Mode == Docstring && prose:
			return Docstring, "asked for"
		case opt.Mode > Line && literal:
			return Line, fmt.Sprintf("%s was asked for, but the cursor is in a %s", opt.Mode, a.sc.in)
		case opt.Mode == Docstring:
			return Line, "docstring was asked for, but the cursor is in none that goes on below"
		case opt.Mode == Arguments && !a.lists():
			return Line, "arguments was asked for, but the cursor is in no list that is closed below"
		case opt.Mode == Statement && !blank(a.right):
			return Line, "statement was asked for, but there is text right of the cursor on the line"
		}
		if opt.Mode > Line && !a.d.brackets {
			return Line, fmt.Sprintf("%s was asked for, but plain text knows lines only", opt.Mode)
		}
		return opt.Mode, "asked for"
	}
	automatic := opt.Priority < engine.Invoked
	inWord := inWord(a.left, a.right)
	if a.d.brackets && !literal && atNumber(a.left) && (automatic || inWord) {
		return Nothing, "the cursor is at a number, which nobody can guess"
	}
	if inWord {
		if automatic {
			return Nothing, "the cursor is inside of a word"
		}
		return Line, "inside of a word, but asked for by hand: the rest of the line"
	}
	if prose {
		return Docstring, fmt.Sprintf("the cursor is in a %s that goes over lines", a.sc.in)
	}
	if why := a.data(); why != "" && automatic {
		return Nothing, "the cursor is in a string of data: " + why
	}
	if literal {
		return Line, fmt.Sprintf("the cursor is in a %s", a.sc.in)
	}
	if h, ok := a.emptyBlock(); ok {
		if h.function {
			return Function, "the body of the function around the cursor is empty"
		}
		return Block, "the block around the cursor is empty"
	}
	switch {
	case !a.d.brackets && blank(a.left) && blank(a.right):
		return Line, "plain text knows lines only"
	case !blank(a.right):
		return Line, "there is text right of the cursor on the line"
	case automatic && a.finished():
		return Nothing, "the statement before the cursor is finished"
	case a.lists():
		return Arguments, "the rest of the list around the cursor is empty"
	case !a.d.brackets:
		return Line, "the line has begun left of the cursor"
	case a.restBelow():
		return Line, "the rest of the statement stands below"
	case !blank(a.left):
		return Statement, "the line has begun left of the cursor"
	}
	return Statement, "the cursor is on an empty line among other code"
}

// lists says whether the cursor is in a list (arguments, parameters, elements) that is closed
// on a later line, with nothing in between.
func (a *around) lists() bool {
	top := len(a.sc.stack) - 1
	if top < 0 || a.sc.in != inCode || !blank(a.right) || a.sc.stack[top].open == '{' && !a.d.indented {
		return false
	}
	return a.closes[top] > a.lineTo && a.closes[top] == a.nextCode
}

// String names the region for people.
func (r region) String() string {
	switch r {
	case inString:
		return "string"
	case inCode:
		return "code"
	}
	return "comment"
}

// inWord: letters on both sides.
func inWord(left, right string) bool {
	return left != "" && right != "" && isWord(left[len(left)-1]) && isWord(right[0])
}

// atNumber: the cursor stands in or behind a number.
func atNumber(left string) bool {
	i := len(left)
	for i > 0 && (isWord(left[i-1]) || left[i-1] == '.') {
		i--
	}
	n := left[i:]
	return n != "" && isDigit(n[0]) && !strings.HasSuffix(n, "..")
}

// emptyBlock gives the header of the block around the cursor when there is nothing in
// the block yet but comments and perhaps a docstring.
func (a *around) emptyBlock() (header, bool) {
	if a.d.indented {
		h, ok := a.indentedHeader()
		if !ok || !blank(a.right) || a.indentedContent(h.indent) {
			return h, false
		}
		return h, true
	}
	top := len(a.sc.stack) - 1
	if top < 0 || a.sc.stack[top].open != '{' || a.sc.prev != '{' {
		return header{}, false
	}
	closed := a.closes[top] >= 0
	if closed && a.closes[top] != a.nextCode {
		return header{}, false // there is code further down in the block
	}
	if !blank(a.right) && (!closed || a.nextCode >= a.lineTo || !blank(a.right[:a.nextCode-a.at])) {
		return header{}, false
	}
	h := a.headerAt(top)
	return h, !h.literal
}

// indentedContent reports whether the first line of code after the cursor's line is
// indented more than the header, and so belongs to its block.
func (a *around) indentedContent(indent int) bool {
	rest := a.doc.Text[a.lineTo:min(len(a.doc.Text), a.lineTo+lookAhead)]
	for line := range strings.Lines(rest) {
		if body := strings.TrimLeft(line, " \t"); !blank(body) && body[0] != '#' {
			return width(indentOf(line)) > indent
		}
	}
	return false
}

// rule makes the stop rule of a mode.
func (a *around) rule(m Mode, opt Options) *rule {
	r := &rule{mode: m, start: a.held.clone(), carry: a.carry, below: len(a.sc.stack), target: -1, maxLine: opt.MaxLines}
	// Positions of the rule count from the carried text on.
	r.start.line = 0
	r.start.fresh = false // the indentation is that of the cursor's line, whatever follows
	if old := r.start.head.at; old >= 0 {
		r.start.head.at = 0
		for i := range r.start.stack {
			if r.start.stack[i].head.at == old {
				r.start.stack[i].head.at = 0
			}
		}
	}
	if m == Function {
		r.maxLine *= 2
	}
	if r.fresh = blank(a.left); r.fresh {
		r.left = a.left
	}
	switch m {
	case Line:
		r.literal = a.literalEndsNear()
		return r
	case Statement:
		r.maxLine = min(opt.MaxLines, statementLines)
		r.unclosed = make([]bool, len(a.closes))
		for i, at := range a.closes {
			r.unclosed[i] = at < 0
		}
		return r
	case Docstring:
		r.literal, _ = a.prose()
		r.maxLine = min(opt.MaxLines, proseLines)
		return r
	case Arguments:
		r.target, r.closed, r.maxLine = len(a.sc.stack)-1, true, min(opt.MaxLines, statementLines)
		return r
	}
	if a.d.indented {
		a.indentedRule(r)
		return r
	}
	h, ok := a.opened(m == Function)
	if !ok {
		// No such block is open: then the one that the answer itself will open, up to its
		// closing bracket.
		r.target = len(a.sc.stack)
		return r
	}
	r.target, r.closed = h.level, a.closes[h.level] >= 0
	if !r.closed {
		for lv := h.level - 1; lv >= 0 && a.sc.stack[lv].line == a.sc.stack[h.level].line && a.sc.stack[lv].open != '{' && a.closes[lv] < 0; lv-- {
			r.extra++
		}
		words := a.doc.Text[h.head:h.at]
		value := strings.Contains(words, "=") && !h.function && !h.members || h.members && dialectNeedsTail(a.d)
		r.tail = a.d.semicolons && (r.extra > 0 || value || h.function && strings.Contains(words, " = "))
	}
	return r
}

// dialectNeedsTail: types end in a semicolon in C and C++ alone.
func dialectNeedsTail(d *dialect) bool { return d.preproc }

// literalEndsNear reports whether the string or comment of the cursor ends on the
// cursor's line, or with the first thing on the next one that is not blank.
func (a *around) literalEndsNear() bool {
	if a.literalEnd < 0 {
		return false
	}
	// Plain quotes at the start of the next line rather open another string.
	long := a.sc.in == inBlockComment || a.sc.lit.close == "`" || len(a.sc.lit.close) > 1
	return a.literalEnd <= a.lineTo || long && blank(a.doc.Text[a.lineTo:a.literalEnd])
}

func (a *around) indentedRule(r *rule) {
	h, ok := a.indentedHeader()
	if ok && (r.mode == Block || h.function) {
		r.indent, r.deepen = h.indent+1, true
		return
	}
	if r.mode == Function {
		if h, ok = a.enclosingDef(); ok {
			r.indent = h.indent + 1
			return
		}
	}
	r.indent = a.codeIndent()
	if r.fresh && r.indent == 0 && a.sc.last[0].valid && blank(a.left) {
		r.indent = a.sc.last[0].indent
	}
}
