package tokenizer

// wordEnd returns where the word that starts at the offset from of chunk ends. Words
// are what the first stage of training merges inside: an identifier or a run of
// punctuation, each with one space before it, a single digit, a run of white space.
// They exist in training only; encoding knows chunks alone.
//
// Of several spaces before an identifier or punctuation the last is taken to belong to
// it, so that aligned columns use the same words as plain code.
func wordEnd(chunk string, from int) int {
	i := from
	if chunk[i] == ' ' && i+1 < len(chunk) {
		if k := kindOf(chunk[i+1]); k == letter || k == punctuation {
			i++
		}
	}
	switch kind := kindOf(chunk[i]); kind {
	case digit:
		return i + 1
	case letter:
		for i++; i < len(chunk) && (kindOf(chunk[i]) == letter || kindOf(chunk[i]) == digit); i++ {
		}
		return i
	case punctuation:
		for i++; i < len(chunk) && kindOf(chunk[i]) == punctuation; i++ {
		}
		return i
	default:
		for i++; i < len(chunk) && kindOf(chunk[i]) == space; i++ {
		}
		if i < len(chunk) && i-from > 1 && chunk[i-1] == ' ' && kindOf(chunk[i]) != digit {
			i--
		}
		return i
	}
}

type byteKind uint8

const (
	punctuation byteKind = iota
	letter               // and underscores, and every byte of a character outside ASCII
	digit
	space
)

func kindOf(b byte) byteKind {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', b == '_', b >= 0x80:
		return letter
	case '0' <= b && b <= '9':
		return digit
	case b == ' ', b == '\t', b == '\n', b == '\r':
		return space
	default:
		return punctuation
	}
}
