package tokenizer

// ChunkPattern is the pre-tokenization as a regular expression, as it stands in
// tokenizer.json; ChunkEnd is the same by hand. A chunk is the rest of a line with
// the line ends that follow it (blank lines with it, up to one that holds spaces) and
// the indentation after them.
const ChunkPattern = `[^\r\n]*[\r\n]+[ \t]*|[^\r\n]+`

// ChunkEnd returns the offset at which the chunk that starts at the offset from ends.
// It is len(text) if from is.
func ChunkEnd(text string, from int) int {
	i := from
	for i < len(text) && !isLineEnd(text[i]) {
		i++
	}
	if i == len(text) {
		return i
	}
	for i < len(text) && isLineEnd(text[i]) {
		i++
	}
	for i < len(text) && isIndent(text[i]) {
		i++
	}
	return i
}

// ChunkStart returns the start of the chunk that holds the byte at offset at, or the
// last chunk's if at is len(text) or more. It looks at the line around at only: the
// tokens of text[:ChunkStart(text, at)] and those of the rest, one after the other, are
// the tokens of text.
func ChunkStart(text string, at int) int {
	at = min(at, len(text)-1)
	for i := at; i > 0; i-- {
		if startsChunk(text, i) {
			return i
		}
	}
	return 0
}

// startsChunk says whether a chunk of text begins at offset i, 0 < i < len(text).
func startsChunk(text string, i int) bool {
	if isIndent(text[i]) {
		return false // indentation ends a chunk, spaces elsewhere are inside one
	}
	j := i
	for j > 0 && isIndent(text[j-1]) {
		j--
	}
	if j == 0 || !isLineEnd(text[j-1]) {
		return false // inside a line, or in the indentation of the first
	}
	return j < i || !isLineEnd(text[i]) // a run of line ends is not cut
}

func isLineEnd(b byte) bool { return b == '\n' || b == '\r' }
func isIndent(b byte) bool  { return b == ' ' || b == '\t' }
