package engine

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// longestBegun bounds what is decided anew of a prefix, in bytes: what is longer is no
// word, and every token of it costs a forward.
const longestBegun = 32

// begun cuts off the end of a prefix what is being written: a word, or a word and up to
// four signs behind it (`fmt.`, `f("`), with the space before it.
//
// A vocabulary's words carry the space before them and some the signs behind, so that the
// tokens of a text cut there are not those of the whole text: of `ret` the model has hardly
// ever seen the token, after `x :=` and a space it has hardly ever been asked. So the
// context ends before, and the answer is made to begin with what stands there (token
// healing). While a word is written the context stays the same, and its cache.
//
// Where words are chunks (tokenizer.SplitWords), so is the white space between them but for
// its last character: there all white space before the word is cut off with it.
func begun(prefix string, split tokenizer.Split) (context, word string) {
	at := len(prefix)
	for at > 0 && len(prefix)-at < 4 && isSign(prefix[at-1]) {
		at--
	}
	for at > 0 && isWord(prefix[at-1]) {
		if at--; len(prefix)-at > longestBegun {
			return prefix, ""
		}
	}
	if split == tokenizer.SplitWords {
		for at > 0 && strings.IndexByte(" \t\r\n", prefix[at-1]) >= 0 {
			if at--; len(prefix)-at > longestBegun {
				return prefix, ""
			}
		}
	} else if at > 1 && prefix[at-1] == ' ' && strings.IndexByte(" \t\r\n\v\f", prefix[at-2]) < 0 {
		at--
	}
	if !utf8.ValidString(prefix[at:]) {
		return prefix, ""
	}
	return prefix[:at], prefix[at:]
}

// unfinished cuts off the end of a prefix's tokens what a longer token may begin with: the
// vocabulary has `if err != nil {` and its new line as one token, so that of a text that reads
// `if err != ` the model has learned that it is something else. word is what follows the tokens; a
// line's start is settled.
func unfinished(tok *tokenizer.Tokenizer, prefix []backend.TokenID, word string) ([]backend.TokenID, string) {
	keep, left := prefix, word
	for i := len(prefix) - 1; i >= 0; i-- {
		b := tok.Token(int32(prefix[i]))
		if len(b) == 0 || len(b)+len(word) > longestBegun || bytes.IndexByte(b, '\n') >= 0 {
			break
		}
		if word = string(b) + word; tok.Extends(word) {
			keep, left = prefix[:i], word
		}
	}
	return keep, left
}

func isSign(c byte) bool { return '!' <= c && c <= '~' && !isWord(c) }

func isWord(c byte) bool {
	return c == '_' || c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// beginning makes tokens begin with a text (denoise.Options.Begin).
func beginning(tok *tokenizer.Tokenizer, word string) func([]backend.TokenID) ([]backend.TokenID, bool) {
	if word == "" {
		return nil
	}
	return func(decided []backend.TokenID) ([]backend.TokenID, bool) {
		rest := word
		for _, t := range decided {
			b := tok.Token(int32(t))
			if len(b) >= len(rest) {
				return nil, true
			}
			rest = rest[len(b):]
		}
		forbid := make([]backend.TokenID, 0, tok.Size())
		for id := range int32(tok.Size()) {
			b := tok.Token(id) // of special tokens none
			if len(b) == 0 || b[0] != rest[0] || !strings.HasPrefix(rest, string(b[:min(len(b), len(rest))])) {
				forbid = append(forbid, backend.TokenID(id))
			}
		}
		return forbid, false
	}
}
