package engine

import (
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// answer turns decided tokens into text and asks the request's stop rule.
type answer struct {
	tok  *tokenizer.Tokenizer
	rule func(decided string) (keep int, name string)
	// begun are the bytes at the start of what is decided that stand before the gap: they
	// are no part of the text.
	begun int

	raw  []byte // all that is decided
	buf  []byte // of it, what is text
	ends []int  // buf's length after each token
	keep int    // bytes, once stopped
	stop string // name of the rule, once stopped
}

// decode sets buf and ends to the text of tokens and gives the length of its valid part:
// up to the first byte that is not UTF-8. broken says that no further token can make it
// valid; else it ends inside a character.
func (a *answer) decode(tokens []backend.TokenID) (valid int, broken bool) {
	a.raw, a.ends = a.raw[:0], a.ends[:0]
	for i := range tokens {
		a.raw = tokenizer.Decode(a.tok, a.raw, tokens[i:i+1])
		a.ends = append(a.ends, max(0, len(a.raw)-a.begun))
	}
	a.buf = a.raw[min(a.begun, len(a.raw)):]
	return validPrefix(a.buf)
}

// look is the stop rule as denoise has it: over tokens.
func (a *answer) look(decided []backend.TokenID) (keep int, stop bool) {
	valid, broken := a.decode(decided)
	if a.rule != nil {
		if n, name := a.rule(string(a.buf[:valid])); name != "" {
			a.keep, a.stop = runeStart(a.buf[:valid], n), name
			return covering(a.ends, a.keep), true
		}
	}
	if broken { // no text any more: what came before is the answer
		a.keep, a.stop = valid, "none"
		return covering(a.ends, valid), true
	}
	return 0, false
}

// unlikely says whether the first line, as far as it is decided, has a log-probability below
// least (nats). What follows only makes it less, unless the stop rule takes tokens back that it
// let pass: then an answer is given up that might have been shown.
func (a *answer) unlikely(decided []backend.TokenID, logs []float32, least float64) bool {
	valid, _ := a.decode(decided)
	first := covering(a.ends, firstLine(string(a.buf[:valid])))
	return sum(logs[:min(first, len(logs))]) < least
}

// covering is how many tokens the first n bytes are made of.
func covering(ends []int, n int) int {
	if n <= 0 {
		return 0
	}
	for i, end := range ends {
		if end >= n {
			return i + 1
		}
	}
	return len(ends)
}

// validPrefix is the length of the longest beginning of b that is UTF-8; broken says that
// what follows is not the beginning of a character either.
func validPrefix(b []byte) (n int, broken bool) {
	for n < len(b) {
		if b[n] < utf8.RuneSelf {
			n++
			continue
		}
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 {
			return n, utf8.FullRune(b[n:])
		}
		n += size
	}
	return n, false
}

// runeStart is the last place up to n at which a character of b begins or b ends.
func runeStart(b []byte, n int) int {
	n = max(0, min(n, len(b)))
	for n > 0 && n < len(b) && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// firstLine is the length of the first line of text that is not blank, with the blank ones
// before it, without its line end.
func firstLine(text string) int {
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			return len(text)
		}
		if strings.TrimSpace(text[at:at+end]) != "" {
			return at + end
		}
		at += end + 1
	}
	return len(text)
}
