package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

type position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// offsetAt turns LINE:COLUMN (from 1, characters) into a byte offset. A column past the
// end of its line is the line's end.
func offsetAt(text, at string) (int, error) {
	l, col, ok := strings.Cut(at, ":")
	line, err1 := strconv.Atoi(l)
	column, err2 := strconv.Atoi(col)
	if !ok || err1 != nil || err2 != nil || line < 1 || column < 1 {
		return 0, fmt.Errorf("position %q is not LINE:COLUMN, both from 1", at)
	}
	off := 0
	for i := 1; i < line; i++ {
		n := strings.IndexByte(text[off:], '\n')
		if n < 0 {
			return 0, fmt.Errorf("the file has no line %d, only %d", line, i)
		}
		off += n + 1
	}
	for range column - 1 {
		if off >= len(text) || text[off] == '\n' || text[off] == '\r' {
			break
		}
		_, size := utf8.DecodeRuneInString(text[off:])
		off += size
	}
	return off, nil
}

// positionOf is a byte offset as LSP counts: from 0, columns in UTF-16 units.
func positionOf(text string, off int) position {
	start := strings.LastIndexByte(text[:off], '\n') + 1
	return position{strings.Count(text[:off], "\n"), len(utf16.Encode([]rune(text[start:off])))}
}
