package infill

import (
	"slices"
	"strings"
)

// region is what a position is in.
type region uint8

const (
	inCode region = iota
	inLineComment
	inBlockComment
	inString
)

// event is what a step of the scanner came upon.
type event uint8

const (
	evNothing event = iota
	evCode          // something that counts, of no other kind
	evOpen          // an opening bracket, pushed
	evClose         // a closing bracket, not yet popped: see close
	evNewline
	evEnd  // the literal or block comment ended; at is where its closing delimiter begins
	evWait // more text is needed to tell
)

// bracket is one that is open. A statement may go over lines before it opens its block,
// so the bracket that closes it is indented like the line where the statement starts, or
// like the one where the bracket stands: own is the likelier.
type bracket struct {
	open  byte // ( [ {
	at    int  // where, in the scanned text
	own   int  // columns of indentation of the line it belongs to
	other int  // the same of the other line that it may belong to
	line  int  // where the line it belongs to starts
	head  margin
	quote literal // for an interpolation: the template string that it stands in
}

// aligns says whether a closing bracket at a column could belong to the bracket.
func (b bracket) aligns(column int) bool { return column == b.own || column == b.other }

// margin is where a statement starts.
type margin struct {
	at     int // its first byte, -1 before that
	line   int // where its line starts
	indent int // columns of indentation of that line
}

// literal is the string or comment that the scanner is in.
type literal struct {
	close    string // delimiter that ends it
	escapes  bool
	lines    bool // may go over lines
	template bool
	regex    bool
	class    bool // in the brackets of a regular expression, where a slash ends nothing
	depth    int  // of nested block comments
	start    int
}

// logical is a finished line of an indented language, brackets and strings included.
type logical struct {
	start  int
	indent int
	opens  bool // ends in a colon
	prose  bool // nothing but a string: a docstring
	valid  bool
}

// scanner tells code from strings and comments and keeps the open brackets. It works on
// one byte range after the other and can be copied with clone at any point, so that a
// stop rule goes on from the cursor as often as it likes.
type scanner struct {
	d      *dialect
	in     region
	lit    literal
	stack  []bracket
	prev   byte   // last byte of code that is not white space
	word   string // the last word of code, while prev ends it
	tight  bool   // the next byte would go on with that word
	line   int    // start of the line
	indent int    // its indentation, in columns
	fresh  bool   // nothing but white space on the line so far
	head   margin // of the statement
	code   bool   // the statement has code other than strings
	last   [2]logical
}

func newScanner(d *dialect, at int) scanner {
	return scanner{d: d, line: at, fresh: true, head: margin{at: -1}}
}

func (s *scanner) clone() scanner {
	c := *s
	c.stack = slices.Clone(s.stack)
	return c
}

// run scans text[from:] and gives the offset it came to: the end, or where more text is
// needed to go on (never when final). Brackets are popped as they match.
func (s *scanner) run(text string, from int, final bool) int {
	for i := from; i < len(text); {
		next, ev := s.step(text, i, final)
		if ev == evWait {
			return i
		}
		if ev == evClose {
			s.close(text[i])
		}
		i = next
	}
	return len(text)
}

// level finds the open bracket that a closing one belongs to: the innermost of its kind;
// -1 when there is none.
func (s *scanner) level(closing byte) int {
	open := opener(closing)
	for i := len(s.stack) - 1; i >= 0; i-- {
		if s.stack[i].open == open {
			return i
		}
	}
	return -1
}

// close pops the bracket that the closing one belongs to, and those left open inside it.
func (s *scanner) close(closing byte) {
	if i := s.level(closing); i >= 0 {
		s.pop(i)
	}
}

func (s *scanner) pop(level int) {
	b := s.stack[level]
	s.stack = s.stack[:level]
	s.head = b.head
	if b.quote.close != "" {
		s.in, s.lit = inString, b.quote // an interpolation ended: back in its string
	} else if b.open == '{' && !s.d.indented {
		s.head.at, s.code = -1, false // a block ends its statement
	}
}

func opener(closing byte) byte {
	switch closing {
	case ')':
		return '('
	case ']':
		return '['
	}
	return '{'
}

func closer(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}

// step takes one token of text at i and gives where the next one starts.
func (s *scanner) step(text string, i int, final bool) (next int, ev event) {
	tight := s.tight
	s.tight = false
	next, ev = s.token(text, i, final, tight)
	if ev == evWait {
		s.tight = tight
	}
	return next, ev
}

func (s *scanner) token(text string, i int, final, tight bool) (next int, ev event) {
	if !s.d.brackets {
		if text[i] == '\n' {
			s.newline(i)
			return i + 1, evNewline
		}
		s.fresh = s.fresh && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r')
		return i + 1, evNothing
	}
	switch s.in {
	case inLineComment:
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			return len(text), evNothing
		}
		if n > 0 {
			return i + n, evNothing
		}
		s.in = inCode
		return s.lineBreak(text, i)
	case inBlockComment:
		return s.blockComment(text, i, final)
	case inString:
		return s.string(text, i, final)
	}
	return s.codeStep(text, i, final, tight)
}

func (s *scanner) newline(i int) { s.line, s.indent, s.fresh = i+1, 0, true }

// lineBreak takes the line feed at i in code.
func (s *scanner) lineBreak(text string, i int) (int, event) {
	if s.head.at >= 0 && s.endsStatement(text) {
		s.endStatement()
	}
	s.newline(i)
	return i + 1, evNewline
}

// endsStatement says whether a line end in code ends the statement.
func (s *scanner) endsStatement(text string) bool {
	d := s.d
	if d.preproc && s.head.at < len(text) && text[s.head.at] == '#' {
		return s.prev != '\\'
	}
	if !d.newlineEnds || s.prev == '\\' {
		return false
	}
	if d.indented {
		return len(s.stack) == 0
	}
	if n := len(s.stack); n > 0 && s.stack[n-1].open != '{' {
		return false
	}
	return strings.IndexByte(",=(+-*/&|?:.<", s.prev) < 0
}

func (s *scanner) endStatement() {
	if s.d.indented && s.head.at >= 0 {
		s.last[1] = s.last[0]
		s.last[0] = logical{start: s.head.at, indent: s.head.indent, opens: s.prev == ':', prose: !s.code, valid: true}
	}
	s.head.at, s.code = -1, false
}

// push opens a bracket.
func (s *scanner) push(open byte, at int, quote literal) {
	b := bracket{open: open, at: at, own: s.head.indent, other: s.indent, line: s.head.line, head: s.head, quote: quote}
	if n := len(s.stack); n > 0 && s.stack[n-1].head.at == s.head.at || open != '{' {
		b.own, b.other, b.line = s.indent, s.head.indent, s.line // inside of another bracket of the statement
	}
	s.stack = append(s.stack, b)
}

// codeStep takes one token of code.
func (s *scanner) codeStep(text string, i int, final, tight bool) (int, event) {
	c := text[i]
	switch c {
	case ' ', '\t':
		if s.fresh {
			s.indent = width(text[s.lineFrom(i) : i+1])
		}
		return i + 1, evNothing
	case '\r', '\f', '\v':
		return i + 1, evNothing
	case '\n':
		return s.lineBreak(text, i)
	}
	if n, ev := s.comment(text, i, final); ev != evNothing || n > i {
		return n, ev
	}
	if s.head.at < 0 {
		s.head, s.code = margin{i, s.line, s.indent}, false
	}
	n, ev := s.openString(text, i, final, tight)
	if ev == evWait {
		return i, evWait
	}
	s.fresh = false
	if n > i {
		return n, ev
	}
	s.code = true
	switch c {
	case '(', '[', '{':
		s.push(c, i, literal{})
		if c == '{' && !s.d.indented {
			s.head.at, s.code = -1, false
		}
		s.prev, s.word = c, ""
		return i + 1, evOpen
	case ')', ']', '}':
		s.prev, s.word = c, ""
		return i + 1, evClose
	case ';':
		if len(s.stack) == 0 || s.stack[len(s.stack)-1].open == '{' {
			s.endStatement()
		}
	}
	if isWord(c) {
		n := i + 1
		for n < len(text) && isWord(text[n]) {
			n++
		}
		word := text[i:n]
		if tight {
			word = s.word + word // it began before what is scanned now
		}
		s.prev, s.word, s.tight = text[n-1], word, true
		return n, evCode
	}
	s.prev, s.word = c, ""
	return i + 1, evCode
}

// lineFrom is where the line starts, in case that lies before what is scanned.
func (s *scanner) lineFrom(i int) int { return min(max(s.line, 0), i) }
