package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Split is how a text is cut into the chunks that merges run in.
type Split uint8

const (
	// SplitLines is ours: a chunk is the rest of a line with its end and the indentation after
	// it ([ChunkEnd]).
	SplitLines Split = iota
	// SplitWords is GPT-2's pattern with every digit a chunk of its own, as StarCoder's and
	// SmolLM's vocabularies have it (tokenizers: Digits, then ByteLevel with its regex;
	// llama.cpp: "smollm"):
	//
	//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
	//
	// A word carries the space before it; of longer white space before a word the last
	// character stands apart, so that what a text ends in may be cut differently once it
	// goes on.
	SplitWords
)

// chunkEnd returns the offset at which the chunk that starts at the offset from ends.
// from < len(text).
func (s Split) chunkEnd(text string, from int) int {
	if s == SplitWords {
		return wordChunkEnd(text, from)
	}
	return ChunkEnd(text, from)
}

// runeClass is what the pattern of SplitWords tells characters apart by. Bytes that are no
// UTF-8 are signs.
type runeClass uint8

const (
	nothing runeClass = iota // the end of a text, and a number, at which the pattern sees the end
	aLetter
	aSpace
	aSign
)

func classAt(text string, i int) (class runeClass, size int) {
	if i >= len(text) {
		return nothing, 0
	}
	if c := text[i]; c < utf8.RuneSelf {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			return aLetter, 1
		case '0' <= c && c <= '9':
			return nothing, 1
		case c == ' ' || '\t' <= c && c <= '\r':
			return aSpace, 1
		}
		return aSign, 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	switch {
	case unicode.IsLetter(r):
		return aLetter, size
	case unicode.IsNumber(r):
		return nothing, size
	case unicode.IsSpace(r):
		return aSpace, size
	}
	return aSign, size
}

// wordChunkEnd is chunkEnd of SplitWords.
func wordChunkEnd(text string, from int) int {
	class, size := classAt(text, from)
	if class == nothing {
		return from + size
	}
	if text[from] == '\'' {
		for _, s := range [...]string{"s", "t", "re", "ve", "m", "ll", "d"} {
			if strings.HasPrefix(text[from+1:], s) {
				return from + 1 + len(s)
			}
		}
	}
	i := from + size
	if text[from] == ' ' {
		if next, n := classAt(text, i); next == aLetter || next == aSign {
			class, i = next, i+n
		}
	}
	last := from // where the last character of the run begins
	if i > from+size {
		last = from + size
	}
	for {
		next, n := classAt(text, i)
		if next != class {
			if class == aSpace && next != nothing && last > from {
				return last // the last one stands apart, or goes to the word
			}
			return i
		}
		last, i = i, i+n
	}
}
