package tokenizer

import "unicode/utf8"

// GPT-2's byte alphabet: each byte is written as one printable character, so that a
// token of any bytes is a JSON string. Printable Latin-1 stands for itself; the other
// 68 bytes, in order, are the characters from U+0100 on (a space is Ġ, a newline Ċ).
var (
	byteRune [256]rune
	runeByte [256 + 68]int16 // by rune; -1 where the rune stands for no byte
)

func init() {
	for i := range runeByte {
		runeByte[i] = -1
	}
	other := rune(256)
	for b := range 256 {
		r := rune(b)
		if !('!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b && b <= 0xFF) {
			r, other = other, other+1
		}
		byteRune[b] = r
		runeByte[r] = int16(b)
	}
}

// appendWritten appends token's name in the file, its bytes in GPT-2's alphabet.
func appendWritten(dst []byte, token string) []byte {
	for i := range len(token) {
		dst = utf8.AppendRune(dst, byteRune[token[i]])
	}
	return dst
}

// readWritten is the inverse of appendWritten; false if name has a character that
// stands for no byte.
func readWritten(name string) (string, bool) {
	out := make([]byte, 0, len(name))
	for _, r := range name {
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return "", false
		}
		out = append(out, byte(runeByte[r]))
	}
	return string(out), true
}
