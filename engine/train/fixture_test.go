package train

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/weights"
)

// builtinTokenizer is the built-in vocabulary and its special tokens.
var builtinTokenizer = sync.OnceValues(func() (*tokenizer.Tokenizer, error) {
	return tokenizer.Load(bytes.NewReader(weights.TokenizerJSON))
})

func vocabulary(t testing.TB) (*tokenizer.Tokenizer, model.SpecialTokens) {
	t.Helper()
	tok, err := builtinTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := SpecialTokens(tok)
	if err != nil {
		t.Fatal(err)
	}
	return tok, ids
}

// tinySettings are a stage that takes a second: one micro-batch of 128 tokens a step and
// a network of 32 wide. The tsc stage meets ramp, edits and decay within its steps.
func tinySettings(stage string) Settings {
	s := DefaultSettings(stage)
	s.Hidden, s.Intermediate, s.Layers, s.Heads, s.KVHeads, s.HeadDim, s.Positions = 32, 48, 2, 2, 1, 16, 96
	s.Steps, s.Warmup, s.Decay, s.StepTokens, s.MicroTokens = 6, 2, 2, 256, 128
	s.MinWindow, s.MaxMiddle, s.MaskRamp, s.EditFrom = 32, 32, 2, 0.5
	s.BlockSizes = []int{4, 8, 16}
	s.EvalEvery, s.EvalTokens, s.SaveEvery = 3, 100, 1e9
	return s
}

// source writes a plausible Go or Python file of about size bytes.
func source(language string, seed uint64, size int) string {
	r := rand.New(rand.NewPCG(seed, 5))
	words := strings.Fields("count index total value name path buffer reader writer result line token offset size node tree cache state limit depth")
	word := func() string { return words[r.IntN(len(words))] }
	var b strings.Builder
	if language == "go" {
		fmt.Fprintf(&b, "package %s%d\n\n", word(), seed)
	}
	for i := 0; b.Len() < size; i++ {
		x, y := word(), word()
		if language == "go" {
			fmt.Fprintf(&b, "// %s%d adds the %s.\nfunc %s%d(%s int, %s []int) (int, error) {\n\tfor i := range %s {\n\t\tif %s > %d {\n\t\t\treturn 0, err\n\t\t}\n\t\t%s += %s[i]\n\t}\n\treturn %s, nil\n}\n\n",
				x, i, y, x, i, x, y, y, x, r.IntN(100), x, y, x)
			continue
		}
		fmt.Fprintf(&b, "def %s_%d(self, %s, %s):\n    for item in %s:\n        if item is None:\n            return %d\n        self.%s.append(item)\n    return %s\n\n\n",
			x, i, x, y, y, r.IntN(100), x, x)
	}
	return b.String()
}

// sourceCorpus is n files of each language.
func sourceCorpus(split string, n int, seed uint64, size int) *Corpus {
	c := &Corpus{Split: split}
	for i := range n {
		for _, lang := range [][2]string{{"go", ".go"}, {"python", ".py"}} {
			text := source(lang[0], seed+uint64(i), size)
			c.Files = append(c.Files, File{Source: "made", Language: lang[0], Path: fmt.Sprintf("pkg/%s%d%s", split, i, lang[1]),
				Offset: int64(len(c.text)), Length: len(text)})
			c.text = append(c.text, text...)
		}
	}
	c.finish(nil)
	return c
}

// tinyOptions are those of a run in dir over a made corpus.
func tinyOptions(t testing.TB, dir string) Options {
	t.Helper()
	tok, ids := vocabulary(t)
	return Options{Out: dir, Train: sourceCorpus("train", 3, 1, 3000), HeldOut: sourceCorpus("heldout", 1, 100, 2000),
		Tokenizer: tok, VocabHash: vocabHash(weights.TokenizerJSON), Tokens: ids, Threads: 2, Spans: SyntaxSpans()}
}

// start makes a trainer that the test closes.
func start(t testing.TB, s Settings, opt Options) *Trainer {
	t.Helper()
	tr, err := New(s, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// within waits for work that could hang.
func within(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		return errors.New("still at it after 20 s: an endless loop")
	}
}

// denseCorpus is text of which a token holds little more than a byte, so that documents
// fill all their positions.
func denseCorpus() *Corpus {
	r := rand.New(rand.NewPCG(3, 3))
	var b bytes.Buffer
	for range 200 {
		fmt.Fprintf(&b, "q%x %d;", r.Uint64(), r.IntN(1e9))
		if r.IntN(3) == 0 {
			b.WriteByte('\n')
		}
	}
	c := &Corpus{Split: "train", Files: []File{{Source: "made", Language: "go", Path: "pkg/dense.go", Length: b.Len()}}, text: b.Bytes()}
	c.finish(nil)
	return c
}
