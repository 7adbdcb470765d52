package infill

import (
	"strings"
	"unicode/utf8"
)

// This file holds where strings and comments begin and end, per dialect.

// blockComment takes one token inside of a block comment.
func (s *scanner) blockComment(text string, i int, final bool) (int, event) {
	switch c := text[i]; {
	case c == '\n':
		s.newline(i)
		return i + 1, evNewline
	case c != '*' && (c != '/' || !s.d.nested):
		n := strings.IndexAny(text[i+1:], "*/\n")
		if n < 0 {
			return len(text), evNothing
		}
		return i + 1 + n, evNothing
	case i+1 == len(text) && !final:
		return i, evWait
	case strings.HasPrefix(text[i:], "*/"):
		if s.lit.depth--; s.lit.depth > 0 {
			return i + 2, evNothing
		}
		s.in = inCode
		return i + 2, evEnd
	case s.d.nested && strings.HasPrefix(text[i:], "/*"):
		s.lit.depth++
		return i + 2, evNothing
	}
	return i + 1, evNothing
}

// string takes one token inside of a string.
func (s *scanner) string(text string, i int, final bool) (int, event) {
	switch c := text[i]; {
	case c == '\n':
		s.newline(i)
		if s.lit.lines {
			return i + 1, evNewline
		}
		s.in, s.prev = inCode, '"' // left open: the line ends it
		return s.lineBreak(text, i)
	case c == '\\' && s.lit.escapes:
		if i+1 == len(text) {
			if final {
				return i + 1, evNothing
			}
			return i, evWait
		}
		if text[i+1] == '\r' && i+2 == len(text) && !final {
			return i, evWait
		}
		if n := i + 1; text[n] == '\n' || strings.HasPrefix(text[n:], "\r\n") {
			n += strings.IndexByte(text[n:], '\n')
			s.newline(n)
			return n + 1, evNewline
		}
		return i + 2, evNothing
	case s.lit.regex && (c == '[' || c == ']'):
		s.lit.class = c == '['
		return i + 1, evNothing
	case s.lit.class:
		return i + 1, evNothing
	case s.lit.template && c == '$':
		if i+1 == len(text) && !final {
			return i, evWait
		}
		if strings.HasPrefix(text[i:], "${") {
			s.push('{', i+1, s.lit)
			s.in, s.prev = inCode, '{'
			return i + 2, evOpen
		}
		return i + 1, evNothing
	case c == s.lit.close[0]:
		if strings.HasPrefix(text[i:], s.lit.close) {
			s.in, s.prev, s.word = inCode, '"', ""
			return i + len(s.lit.close), evEnd
		}
		if !final && strings.HasPrefix(s.lit.close, text[i:]) {
			return i, evWait
		}
	}
	n := i + 1
	for n < len(text) && text[n] != '\n' && text[n] != '\\' && text[n] != '$' && text[n] != '[' && text[n] != s.lit.close[0] {
		n++
	}
	return n, evNothing
}

// comment opens the comment that begins at i, if one does.
func (s *scanner) comment(text string, i int, final bool) (int, event) {
	c := text[i]
	if c == '#' && s.d.hash {
		s.in, s.lit = inLineComment, literal{start: i}
		return i + 1, evNothing
	}
	if c != '/' || !s.d.slash {
		return i, evNothing
	}
	if i+1 == len(text) {
		if final {
			return i, evNothing
		}
		return i, evWait
	}
	switch text[i+1] {
	case '/':
		s.in, s.lit = inLineComment, literal{start: i}
		return i + 2, evNothing
	case '*':
		s.in, s.lit = inBlockComment, literal{start: i, close: "*/", depth: 1, lines: true}
		return i + 2, evNothing
	}
	return i, evNothing
}

// openString opens the string that begins at i, if one does; i when none does.
func (s *scanner) openString(text string, i int, final, tight bool) (int, event) {
	c, d := text[i], s.d
	rest := text[i:]
	enter := func(open int, l literal) (int, event) {
		l.start = i
		s.in, s.lit = inString, l
		return i + open, evCode
	}
	wait := func(have, want int) bool { return !final && have < want }
	switch c {
	case '"', '\'':
		quote := rest[:1]
		if strings.Contains(d.triple, quote) {
			if len(rest) < 3 && strings.Count(rest, quote) == len(rest) && !final {
				return i, evWait
			}
			if three := strings.Repeat(quote, 3); strings.HasPrefix(rest, three) {
				return enter(3, literal{close: three, escapes: true, lines: true})
			}
		}
		if c == '\'' && d.digitQuotes && s.word != "" && isDigit(s.word[0]) {
			if wait(len(rest), 2) {
				return i, evWait
			}
			if len(rest) > 1 && isWord(rest[1]) {
				return i + 1, evCode
			}
		}
		if c == '\'' && d.lifetimes {
			switch char, known := isRustChar(rest, final); {
			case !known:
				return i, evWait
			case !char:
				return i + 1, evCode
			}
		}
		// A backslash guards the quote in Python's raw strings too.
		return enter(1, literal{close: quote, escapes: true, lines: d.lifetimes && c == '"'})
	case '`':
		switch d.backtick {
		case 'r':
			return enter(1, literal{close: "`", lines: true})
		case 't':
			return enter(1, literal{close: "`", escapes: true, lines: true, template: true})
		}
	case '/':
		if d.regex && s.regexMayStart() {
			return enter(1, literal{close: "/", escapes: true, regex: true})
		}
	case 'r', 'b':
		if !d.hashRaw || tight {
			break
		}
		n := strings.TrimPrefix(rest, "b")
		if wait(len(n), 1) {
			return i, evWait
		}
		if !strings.HasPrefix(n, "r") {
			break
		}
		hashes := len(n) - 1 - len(strings.TrimLeft(n[1:], "#"))
		if wait(len(n), hashes+2) {
			return i, evWait
		}
		if strings.HasPrefix(n[1+hashes:], `"`) {
			return enter(len(rest)-len(n)+hashes+2, literal{close: `"` + strings.Repeat("#", hashes), lines: true})
		}
	case 'R':
		if !d.delimRaw || tight {
			break
		}
		if wait(len(rest), 2) {
			return i, evWait
		}
		if !strings.HasPrefix(rest, `R"`) {
			break
		}
		n := strings.IndexAny(rest[2:], "(\n \\)")
		if n < 0 && len(rest) < 18 && !final {
			return i, evWait
		}
		if n >= 0 && n <= 16 && rest[2+n] == '(' {
			return enter(n+3, literal{close: ")" + rest[2:2+n] + `"`, lines: true})
		}
	}
	return i, evNothing
}

// isRustChar tells a character literal from a lifetime or label at a single quote.
func isRustChar(rest string, final bool) (char, known bool) {
	if len(rest) < 2 {
		return true, final
	}
	if rest[1] == '\\' {
		return true, true
	}
	if !utf8.FullRuneInString(rest[1:]) && !final {
		return false, false
	}
	_, size := utf8.DecodeRuneInString(rest[1:])
	if len(rest) <= 1+size {
		return !isWord(rest[1]), final
	}
	return rest[1+size] == '\'', true
}

// regexMayStart says whether a slash begins a regular expression, by what stands before.
// Behind < it does not: that is the closing tag of JSX.
func (s *scanner) regexMayStart() bool {
	switch s.word {
	case "return", "typeof", "case", "in", "of", "do", "else", "void", "delete", "await", "yield":
		return true
	}
	return s.prev == 0 || strings.IndexByte("(,=:[!&|?{};+-*%~^>", s.prev) >= 0
}
