package lsp

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// ignoreRule is one line of a .gitignore, as gitignore(5) has it.
type ignoreRule struct {
	text     string // as it stands in the file
	line     int    // 1-based
	negative bool   // takes back what rules before it ignore
	folder   bool   // matches folders only
	name     bool   // is matched with the last element of a path, in any folder
	glob     string // as doublestar has it
	fold     bool   // upper and lower case are the same
}

// ignoreRules reads an ignore file. Lines that git can match with nothing are left out.
func ignoreRules(data []byte, fold bool) []ignoreRule {
	var rules []ignoreRule
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for i, line := range strings.Split(string(data), "\n") {
		r := ignoreRule{line: i + 1, fold: fold}
		r.text = withoutTrailingSpaces(strings.TrimSuffix(line, "\r"))
		p := r.text
		if p == "" || p[0] == '#' {
			continue
		}
		p, r.negative = strings.CutPrefix(p, "!")
		p, r.folder = strings.CutSuffix(p, "/")
		r.name = !strings.Contains(p, "/")
		p = strings.TrimPrefix(p, "/")
		if fold {
			p = strings.ToLower(p)
		}
		var ok bool
		if r.glob, ok = doublestarOf(bytewise(p), r.name); ok {
			rules = append(rules, r)
		}
	}
	return rules
}

// withoutTrailingSpaces leaves a space that a backslash stands before.
func withoutTrailingSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' && i+1 < len(line) {
			i++
		} else if line[i] == ' ' {
			continue
		}
		end = i + 1
	}
	return line[:end]
}

// matches says whether the rule is about a path, which is relative to the rule's folder.
func (r ignoreRule) matches(rel string, folder bool) bool {
	if r.folder && !folder {
		return false
	}
	if r.name {
		rel = path.Base(rel)
	}
	if r.fold {
		rel = strings.ToLower(rel)
	}
	ok, err := doublestar.Match(r.glob, bytewise(rel))
	return err == nil && ok
}

// bytewise makes every byte a character: a ? of git is one byte.
func bytewise(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			runes := make([]rune, len(s))
			for j := range len(s) {
				runes[j] = rune(s[j])
			}
			return string(runes)
		}
	}
	return s
}

// lastOf is the last rule about a path, which is the one that counts; nil if none is.
func lastOf(rules []ignoreRule, rel string, folder bool) *ignoreRule {
	for i := len(rules) - 1; i >= 0; i-- {
		if rules[i].matches(rel, folder) {
			return &rules[i]
		}
	}
	return nil
}

// doublestarOf writes a pattern of git for doublestar: braces are letters to git, ** is
// more than * only between slashes, a/** is not a itself, and classes have names. ok is
// false for patterns that match nothing.
func doublestarOf(pattern string, name bool) (glob string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '{', '}':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\\':
			if i++; i == len(pattern) {
				return "", false
			}
			b.WriteByte('\\')
			b.WriteByte(pattern[i])
		case '*':
			from := i
			for i+1 < len(pattern) && pattern[i+1] == '*' {
				i++
			}
			whole := !name && i == from+1 && (from == 0 || pattern[from-1] == '/')
			switch {
			case whole && i+1 == len(pattern):
				b.WriteString("**/*")
			case whole && pattern[i+1] == '/':
				b.WriteString("**")
			default:
				b.WriteByte('*')
			}
		case '[':
			class, n, ok := classOf(pattern[i:])
			if !ok {
				return "", false
			}
			b.WriteString(class)
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	glob = b.String()
	if strings.Contains("/"+glob+"/", "//") {
		return "", false // no path has an empty element
	}
	return glob, doublestar.ValidatePattern(glob)
}

// classNames are the classes of characters that have names.
var classNames = map[string]string{"alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "xdigit": "0-9a-fA-F",
	"blank": " \t", "space": " \t\n\v\f\r", "cntrl": "\x01-\x1f\x7f", "print": " -.0-~", "graph": "\\!-.0-~", "punct": "\\!-.:-@\\[-`\\{-~"}

// classOf reads a class, as in [!a-z\]], and the number of bytes that it takes. No class of
// git's holds the slash; doublestar's may.
func classOf(p string) (class string, n int, ok bool) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		b.WriteString("^/")
		i++
	}
	letter := func() (c rune, ok bool) { // at i, and past it
		if i < len(p) && p[i] == '\\' {
			i++
		}
		c, size := utf8.DecodeRuneInString(p[i:])
		i += size
		return c, size > 0
	}
	span := func(from, to rune) {
		for _, c := range []rune{from, to} {
			if c != from {
				b.WriteByte('-')
			}
			if strings.ContainsRune(`\]-^![{},*?`, c) {
				b.WriteByte('\\')
			}
			b.WriteRune(c)
			if from == to {
				break
			}
		}
	}
	for first := true; ; first = false {
		if i >= len(p) {
			return "", 0, false
		}
		if p[i] == ']' && !first {
			break
		}
		if name, rest, found := strings.Cut(strings.TrimPrefix(p[i:], "[:"), ":]"); found && strings.HasPrefix(p[i:], "[:") && !strings.Contains(name, "]") {
			chars, known := classNames[name]
			if !known {
				return "", 0, false
			}
			b.WriteString(chars)
			i = len(p) - len(rest)
			continue
		}
		from, ok := letter()
		to := from
		if ok && i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
			i++
			to, ok = letter()
		}
		switch {
		case !ok:
			return "", 0, false
		case from > to: // nothing
		case from <= '/' && to >= '/':
			if from < '/' {
				span(from, '/'-1)
			}
			if to > '/' {
				span('/'+1, to)
			}
		default:
			span(from, to)
		}
	}
	if s := b.String(); s == "[" { // nothing is in it
		return "", 0, false
	}
	b.WriteByte(']')
	return b.String(), i + 1, true
}
