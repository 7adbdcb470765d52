package adopt

import (
	"context"
	"iter"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train"
)

// grownBytes is about how much text of each language new tokens are learnt from.
const grownBytes = 16 << 20

// Grow is m with a vocabulary of size tokens: its own and, of what a corpus writes most,
// merges across words and lines ([tokenizer.Grow]). A new token's row of embedding and head
// begins with the mean of the rows that it stands for, counted as often as it has them.
func (m *Model) Grow(ctx context.Context, c *train.Corpus, size int, progress func(tokenizer.Progress)) (*Model, error) {
	cfg := tokenizer.DefaultTrainConfig()
	cfg.Size = size
	tok, parts, err := tokenizer.Grow(ctx, m.Tokenizer, cfg, sampled(c), progress)
	if err != nil {
		return nil, err
	}
	w := *m.Weights
	w.Config.VocabSize = tok.Size()
	w.Embed = extended(w.Embed, parts)
	if w.Head.F32 != nil {
		w.Head = extended(w.Head, parts)
	}
	if err := w.Config.Validate(); err != nil {
		return nil, err
	}
	return &Model{&w, tok}, nil
}

// sampled are files of all sources, some [grownBytes] of each language.
func sampled(c *train.Corpus) iter.Seq[tokenizer.SourceFile] {
	bytes := map[string]int{}
	for i := range c.Files {
		bytes[c.Files[i].Language] += len(c.Text(i))
	}
	return func(yield func(tokenizer.SourceFile) bool) {
		seen := map[string]int{}
		for i, f := range c.Files {
			every := max(1, bytes[f.Language]/grownBytes)
			seen[f.Language]++
			if seen[f.Language]%every == 0 && !yield(tokenizer.SourceFile{Source: f.Source, Path: f.Path, Text: []byte(c.Text(i))}) {
				return
			}
		}
	}
}

// extended is a matrix with rows for the tokens of parts behind its own.
func extended(m model.Matrix, parts [][2]int32) model.Matrix {
	out := model.Matrix{Rows: m.Rows + len(parts), Cols: m.Cols, F32: make([]float32, (m.Rows+len(parts))*m.Cols)}
	copy(out.F32, m.F32[:m.Rows*m.Cols])
	count := make([]float32, out.Rows) // rows of m that a row stands for
	for r := range m.Rows {
		count[r] = 1
	}
	for i, p := range parts {
		r := m.Rows + i
		a, b := count[p[0]], count[p[1]]
		count[r] = a + b
		left, right, to := out.F32[int(p[0])*m.Cols:], out.F32[int(p[1])*m.Cols:], out.F32[r*m.Cols:(r+1)*m.Cols]
		for k := range to {
			to[k] = (a*left[k] + b*right[k]) / (a + b)
		}
	}
	return out
}
