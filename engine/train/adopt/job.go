package adopt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train"
)

// Job is what `seedling model import` is asked for.
type Job struct {
	From      string    `arg:"" type:"existingfile" help:"GGUF file: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K or Q6_K."`
	To        string    `arg:"" help:"Directory to write."`
	VocabSize int       `placeholder:"N" help:"Keep only N tokens: those that --vocab-from uses most, and every byte."`
	VocabFrom string    `type:"existingdir" placeholder:"DIR" help:"Sources to count tokens in (as for train --data), or the folder of a run."`
	Grow      int       `placeholder:"N" help:"Then add N tokens: what --vocab-from writes most across words and lines, so that a text has fewer."`
	Layers    string    `placeholder:"N|LIST" help:"Keep only N layers, evenly spread, or those listed, from 0: 0,1,5-9,29."`
	BF16      bool      `name:"bf16" help:"Write bfloat16 instead of float32: half the size, rounded."`
	Log       io.Writer `kong:"-"` // for people
}

// Run does the job.
func (j Job) Run(ctx context.Context) error {
	if (j.VocabSize == 0) != (j.VocabFrom == "") {
		return errors.New("--vocab-size and --vocab-from go together")
	}
	if j.Grow < 0 || j.Grow > 0 && j.VocabFrom == "" {
		return errors.New("--grow wants a number of tokens, and --vocab-from to learn them from")
	}
	m, err := ReadGGUF(j.From)
	if err != nil {
		return err
	}
	if j.VocabFrom != "" {
		if m, err = j.prune(ctx, m); err != nil {
			return err
		}
	}
	if j.Layers != "" {
		keep, err := ParseLayers(j.Layers, len(m.Weights.Layers))
		if err != nil {
			return fmt.Errorf("--layers: %w", err)
		}
		if m, err = m.Layers(keep); err != nil {
			return err
		}
		fmt.Fprintf(j.Log, "layers kept: %v\n", keep)
	}
	t := model.F32
	if j.BF16 {
		t = model.BF16
	}
	if err := m.Save(j.To, t); err != nil {
		return err
	}
	fmt.Fprintf(j.Log, "%s: %.1f M weights, %d layers of %d, %d tokens\n", j.To, float64(m.Weights.Parameters())/1e6, m.Weights.Config.NumLayers, m.Weights.Config.HiddenSize, m.Tokenizer.Size())
	return nil
}

// countedFiles is about how many files of a corpus are counted: the counts of more differ
// in tokens alone that hardly matter.
const countedFiles = 20000

// prune cuts the vocabulary, grows it if asked, and says what that does to the length of texts.
func (j Job) prune(ctx context.Context, m *Model) (*Model, error) {
	c, err := training(ctx, j.VocabFrom)
	if err != nil {
		return nil, fmt.Errorf("--vocab-from: %w", err)
	}
	step := max(1, len(c.Files)/countedFiles)
	before, err := Count(ctx, c, m.Tokenizer, step)
	if err != nil {
		return nil, err
	}
	out, err := m.Prune(before.Counts, j.VocabSize)
	if err != nil {
		return nil, err
	}
	if j.Grow > 0 {
		bar := progressbar.NewOptions(j.Grow, progressbar.OptionSetWriter(j.Log), progressbar.OptionSetDescription("merging across words"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(200*time.Millisecond))
		out, err = out.Grow(ctx, c, out.Tokenizer.Size()+j.Grow, func(p tokenizer.Progress) {
			if p.Stage == tokenizer.Chunks {
				bar.Set(p.Done)
			}
		})
		bar.Finish()
		if err != nil {
			return nil, err
		}
	}
	after, err := Count(ctx, c, out.Tokenizer, step)
	if err != nil {
		return nil, err
	}
	for _, lang := range slices.Sorted(maps.Keys(before.Bytes)) {
		n := float64(before.Bytes[lang])
		fmt.Fprintf(j.Log, "%s, %.1f MB: %.3f bytes a token with %d tokens, %.3f with %d\n", lang, n/1e6,
			n/float64(before.Tokens[lang]), m.Tokenizer.Size(), n/float64(after.Tokens[lang]), out.Tokenizer.Size())
	}
	return out, nil
}

// training is the training split of a folder of sources, or of the corpus that a run has
// prepared.
func training(ctx context.Context, dir string) (*train.Corpus, error) {
	c, err := train.OpenCorpus(filepath.Join(dir, "corpus-train"))
	if errors.Is(err, os.ErrNotExist) {
		c, _, err = train.Prepare(ctx, dir, nil, nil)
	}
	if err == nil && len(c.Files) == 0 {
		err = fmt.Errorf("%s has no sources to train on", dir)
	}
	return c, err
}

// ParseLayers reads a number of layers (see [Spread]) or a list of them, "0,1,5-9".
func ParseLayers(s string, layers int) ([]int, error) {
	bad := fmt.Errorf("%q is neither a number of layers, 1 to %d, nor a list of them, 0 to %d, such as 0,1,5-9", s, layers, layers-1)
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > layers {
			return nil, bad
		}
		return Spread(layers, n), nil
	}
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		lo, err1 := strconv.Atoi(first)
		hi, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || lo < 0 || hi < lo || hi >= layers {
			return nil, bad
		}
		for l := lo; l <= hi; l++ {
			out = append(out, l)
		}
	}
	return out, nil
}
