package adopt

import (
	"context"

	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train"
)

// Usage is how often a corpus uses each token, by language alike, and how long a token is.
type Usage struct {
	// Counts by id, in such units that every language weighs the same.
	Counts []int64
	// Bytes and Tokens by language.
	Bytes, Tokens map[string]int64
}

// Count encodes every step-th file of a corpus (1: all). Languages weigh alike, however
// much text there is of each.
func Count(ctx context.Context, c *train.Corpus, tok *tokenizer.Tokenizer, step int) (*Usage, error) {
	u := &Usage{Counts: make([]int64, tok.Size()), Bytes: map[string]int64{}, Tokens: map[string]int64{}}
	by := map[string][]int64{}
	var ids []int32
	for i := 0; i < len(c.Files); i += step {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		lang := c.Files[i].Language
		n := by[lang]
		if n == nil {
			n = make([]int64, tok.Size())
			by[lang] = n
		}
		text := c.Text(i)
		ids = tokenizer.Encode(tok, ids[:0], string(text))
		for _, id := range ids {
			n[id]++
		}
		u.Bytes[lang] += int64(len(text))
		u.Tokens[lang] += int64(len(ids))
	}
	for lang, n := range by {
		for id, k := range n {
			u.Counts[id] += int64(float64(k) / float64(u.Tokens[lang]) * 1e12)
		}
	}
	return u, nil
}
