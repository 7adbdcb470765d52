package serve

import (
	"hash/fnv"
	"io"
	"strings"
)

// slidingLines is the length from which a text before the cursor is taken for a window that
// slides with it: llama.vim and llama.vscode send the 256 lines before the cursor, minuet
// 12,000 characters. Of shorter ones the beginning is the file's.
const slidingLines = 200

// farBytes is how far away a place to begin at is looked for.
const farBytes = 64 << 10

// steady lets a window begin where the window of the next keystroke will begin, too. The
// engine's cache holds a beginning of the context: were each line typed below one line less
// above, nothing of it would ever be found again. Of the lines that lie farther than keep
// bytes before the cursor, more than which the model does not read, the one whose hash is
// the least is a place that stays while the window slides past it.
func steady(before string, keep int) string {
	if len(before) <= keep || strings.Count(before, "\n") < slidingLines {
		return before
	}
	low := max(0, len(before)-keep-farBytes)
	far := before[low : len(before)-keep]
	from, least := 0, ^uint64(0)
	// The first line may be cut in the middle: it counts for none.
	for i := strings.IndexByte(far, '\n') + 1; i > 0 && i < len(far); {
		if h := lines3(before[low+i:]); h < least {
			from, least = low+i, h
		}
		n := strings.IndexByte(far[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
	}
	return before[from:]
}

// lines3 is a hash of the first three lines of a text. One line alone is too often the same
// as another.
func lines3(text string) uint64 {
	h := fnv.New64a()
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > 3 {
			break
		}
		_, _ = io.WriteString(h, line) // to a hash: it can not fail
	}
	return h.Sum64() * 0x9e3779b97f4a7c15
}
