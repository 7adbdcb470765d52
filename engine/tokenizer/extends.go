package tokenizer

import (
	"bytes"
	"sort"
	"strings"
)

// Extends says whether some token begins with text and goes on behind it: a text that ends so
// is cut where its own tokens may not be those of what it becomes.
func (t *Tokenizer) Extends(text string) bool {
	if text == "" {
		return false
	}
	t.sorted.Do(func() {
		for id := range t.tokens {
			if !t.special[id] {
				t.byBytes = append(t.byBytes, int32(id))
			}
		}
		sort.Slice(t.byBytes, func(i, j int) bool { return bytes.Compare(t.tokens[t.byBytes[i]], t.tokens[t.byBytes[j]]) < 0 })
	})
	// The first token behind text in the order of bytes is one that begins with it, if there is any.
	i := sort.Search(len(t.byBytes), func(i int) bool { return string(t.tokens[t.byBytes[i]]) > text })
	return i < len(t.byBytes) && strings.HasPrefix(string(t.tokens[t.byBytes[i]]), text)
}
