package engine

import (
	"strings"
	"unicode/utf8"
)

// Word is a stretch of text that changes as one: a name, a number, a sign, a literal in
// quotes on one line. Text[Start:End).
type Word struct{ Start, End int }

// Words cuts a text into its words and leaves out the white space between. It knows no
// language: the signs are those that most have.
func Words(text string) []Word {
	var words []Word
	for i := 0; i < len(text); {
		n := wordLength(text[i:])
		if strings.IndexByte(" \t\r\n\f\v", text[i]) < 0 {
			words = append(words, Word{i, i + n})
		}
		i += n
	}
	return words
}

// signs of two and three bytes.
var signs = []string{"<<=", ">>=", "**=", "//=", "===", "!==", "...", "&&=", "||=", "&^=",
	":=", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "++", "--", "->", "=>", "<-", "**", "//", "::", "&^"}

func wordLength(s string) int {
	switch c := s[0]; {
	case isWord(c):
		n := 1
		for n < len(s) && (isWord(s[n]) || '0' <= c && c <= '9' && s[n] == '.' && n+1 < len(s) && isWord(s[n+1])) {
			n++
		}
		return n
	case c == '"' || c == '\'' || c == '`':
		for n := 1; n < len(s) && s[n] != '\n'; n++ {
			switch s[n] {
			case '\\':
				n++
			case c:
				return n + 1
			}
		}
		return 1
	}
	for _, sign := range signs {
		if strings.HasPrefix(s, sign) {
			return len(sign)
		}
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}
