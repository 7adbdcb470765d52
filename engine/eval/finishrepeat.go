package eval

import (
	"strings"

	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// repeats says whether a suggestion writes again what stands after the cursor: the rest of
// the line or its beginning, a closing bracket that nothing is open for, or the lines
// below. It is made of plain comparisons, and of none of the finish's own code.
func repeats(text string, lang treesitter.Language, s infill.Suggestion) bool {
	got := strings.TrimRight(s.Text, " \t\r\n")
	after := text[s.End:]
	right, below, _ := strings.Cut(after, "\n")
	right = strings.TrimSpace(right)
	return right != "" && overlaps(got, right) || closesAgain(text, lang, s) || right == "" && endsLike(lineBefore(text, int(s.Start))+got, below)
}

func lineBefore(text string, at int) string {
	return text[strings.LastIndexByte(text[:at], '\n')+1 : at]
}

// overlaps says whether got ends in right, or in a beginning of it that holds a word.
func overlaps(got, right string) bool {
	for k := min(len(got), len(right)); k > 0; k-- {
		head := right[:k]
		if !strings.HasSuffix(got, head) || strings.IndexFunc(head, letter) < 0 {
			continue
		}
		if i := len(got) - k; i > 0 && wordByte(got[i-1]) && wordByte(got[i]) || k < len(right) && wordByte(right[k-1]) && wordByte(right[k]) {
			continue // a part of a word
		}
		return true
	}
	return false
}

func letter(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
}

// closesAgain says whether the text with the suggestion has more closing brackets without
// a partner than without it, and the suggestion closes one that stands after the cursor.
func closesAgain(text string, lang treesitter.Language, s infill.Suggestion) bool {
	next := strings.TrimLeft(text[s.End:], " \t\r\n")
	if next == "" || strings.IndexByte(")]}", next[0]) < 0 || strings.IndexByte(s.Text, next[0]) < 0 {
		return false
	}
	return strays(text[:s.Start]+s.Text+text[s.End:], lang) > strays(text, lang)
}

// strays counts closing brackets that close nothing.
func strays(text string, lang treesitter.Language) int {
	var open []byte
	n := 0
	for i := 0; i < len(text); i++ {
		c, rest := text[i], text[i:]
		skip := func(to string) {
			if k := strings.Index(rest[1:], to); k >= 0 {
				i += k + len(to)
			} else {
				i = len(text)
			}
		}
		switch {
		case lang == treesitter.Python && (strings.HasPrefix(rest, `"""`) || strings.HasPrefix(rest, `'''`)):
			i += 2
			if k := strings.Index(text[i+1:], rest[:3]); k >= 0 {
				i += k + 3
			} else {
				i = len(text)
			}
		case lang == treesitter.Python && c == '#', lang == treesitter.Go && strings.HasPrefix(rest, "//"):
			skip("\n")
		case lang == treesitter.Go && strings.HasPrefix(rest, "/*"):
			skip("*/")
		case lang == treesitter.Go && c == '`':
			skip("`")
		case c == '"' || c == '\'':
			for i++; i < len(text) && text[i] != c && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '(':
			open = append(open, ')')
		case c == '[':
			open = append(open, ']')
		case c == '{':
			open = append(open, '}')
		case c == ')' || c == ']' || c == '}':
			k := len(open) - 1
			for k >= 0 && open[k] != c {
				k--
			}
			if k < 0 {
				n++
			} else {
				open = open[:k]
			}
		}
	}
	return n
}

// endsLike says whether the last lines of got, the cursor's with what stands before it
// included, are the first ones below it. Lines of closing brackets alone do not count.
func endsLike(got, below string) bool {
	lines := strings.Split(got, "\n")
	var next []string
	for line := range strings.Lines(below) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			next = append(next, line)
		}
		if len(next) == len(lines) {
			break
		}
	}
	for k := 1; k <= min(len(lines), len(next)); k++ {
		same, words := true, false
		for i := range k {
			same = same && strings.TrimRight(lines[len(lines)-k+i], " \t\r") == next[i]
			words = words || strings.IndexFunc(next[i], letter) >= 0
		}
		if same && words {
			return true
		}
	}
	return false
}
