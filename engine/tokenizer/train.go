package tokenizer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// TrainConfig says what vocabulary to train.
type TrainConfig struct {
	// Size is the size of the vocabulary: special tokens, 256 bytes, and merges. A
	// corpus too small to give as many merges gives a smaller vocabulary.
	Size int
	// Special names the special tokens; they get the ids from 0 on, in this order.
	Special []string
	// WordShare is the share of the merges that are learnt inside words; the others
	// are learnt across words, inside a chunk (SuperBPE, arXiv 2503.13423). 0 to 1.
	WordShare float64
	// MaxTokenBytes bounds the length of a token. Long tokens are phrases of a few
	// files, and a cursor in the middle of one reads unlike anything in training.
	MaxTokenBytes int
	// MaxChunkBytes: longer chunks (minified code, data) are not learnt from.
	MaxChunkBytes int
	// MinCount: pairs seen less often are not merged.
	MinCount int64
	// MinSources: pairs that stand in fewer sources are not merged, so that the names
	// of one project do not become tokens. If the texts are of fewer sources than
	// this, in all of them.
	MinSources int
}

// DefaultTrainConfig is what the built-in model's vocabulary was trained with.
func DefaultTrainConfig() TrainConfig {
	return TrainConfig{
		Size:          8192,
		Special:       []string{"<|mask|>", "<|end|>", "<|suffix|>", "<|prefix|>", "<|draft|>", "<|path|>", "<|repo|>", "<|delete|>", "<|insert|>"},
		WordShare:     0.75,
		MaxTokenBytes: 24,
		MaxChunkBytes: 400,
		MinCount:      2,
		MinSources:    3,
	}
}

func (c TrainConfig) check() error {
	switch least := len(c.Special) + 256; {
	case c.Size < least || c.Size > maxVocabulary:
		return fmt.Errorf("vocabulary size %d: must be %d (special tokens and bytes) to %d", c.Size, least, maxVocabulary)
	case !(c.WordShare >= 0 && c.WordShare <= 1):
		return fmt.Errorf("word share %g: must be 0 to 1", c.WordShare)
	case c.MaxTokenBytes < 1 || c.MaxTokenBytes > maxTokenBytes:
		return fmt.Errorf("longest token %d bytes: must be 1 to %d", c.MaxTokenBytes, maxTokenBytes)
	case c.MaxChunkBytes < 1:
		return fmt.Errorf("longest chunk %d bytes: must be positive", c.MaxChunkBytes)
	}
	for i, s := range c.Special {
		if s == "" || len(s) > maxTokenBytes || slices.Contains(c.Special[:i], s) {
			return fmt.Errorf("special token %q: names must be of 1 to %d bytes, each once", s, maxTokenBytes)
		}
		if name, ok := readWritten(s); ok && len(name) == 1 {
			return fmt.Errorf("special token %q: the file could not tell it from the byte", s)
		}
	}
	return nil
}

// Stage is a part of training.
type Stage uint8

const (
	Reading Stage = iota // Done counts bytes; Total is not known
	Words                // Done counts the merges of the whole vocabulary
	Chunks               // the same, continued
)

// String names the stage as a person would read it.
func (s Stage) String() string {
	return [...]string{"reading", "merging inside words", "merging across words"}[s]
}

// Progress is how far training is.
type Progress struct {
	Stage       Stage
	Done, Total int
	Token       string // the newest token, in Words and Chunks
}

// Train learns a vocabulary from texts, which are read once and not kept. The same
// texts in any order give the same tokenizer, since nothing but counts decides, and of
// pairs seen equally often the one with the smaller ids merges first. progress, which may be nil, is called often and from
// the same goroutine. Training ends with ctx's error soon after ctx is done.
//
// Memory: some 600 MB for 42 MB of text of many repositories.
func Train(ctx context.Context, cfg TrainConfig, texts iter.Seq[SourceFile], progress func(Progress)) (*Tokenizer, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("train tokenizer: %w", err)
	}
	t, err := train(ctx, cfg, texts, progress)
	if err != nil {
		return nil, fmt.Errorf("train tokenizer: %w", err)
	}
	return t, nil
}

func train(ctx context.Context, cfg TrainConfig, texts iter.Seq[SourceFile], progress func(Progress)) (*Tokenizer, error) {
	chunks, sources, err := countChunks(ctx, cfg, texts, progress)
	if err != nil {
		return nil, err
	}
	if len(chunks) == 0 {
		return nil, errors.New("there is no text to learn from")
	}

	cfg.MinSources = min(cfg.MinSources, sources, maxSources)
	v := newVocabulary(cfg)
	want := cfg.Size - len(v.tokens)
	report := func(stage Stage) func(string) {
		return func(token string) {
			progress(Progress{stage, len(v.merges), want, token})
		}
	}

	// Stage one: the words of all chunks, each with its count, begin as bytes.
	words := map[string]*counted{}
	for _, c := range chunks {
		for from := 0; from < len(c.text); {
			to := wordEnd(c.text, from)
			w := words[c.text[from:to]]
			if w == nil {
				w = &counted{text: c.text[from:to]}
				words[w.text] = w
			}
			w.count += c.count
			w.sources.addAll(&c.sources)
			from = to
		}
	}
	corpus := newCorpus()
	for _, w := range words {
		corpus.begin(w)
		for i := range len(w.text) {
			corpus.add(v.first + int32(w.text[i]))
		}
	}
	size := len(v.tokens) + int(cfg.WordShare*float64(want))
	if err := v.learn(ctx, corpus, size, cfg, report(Words)); err != nil {
		return nil, err
	}

	// Stage two: whole chunks, encoded as the merges so far encode them. That is what
	// encoding will do too: it does not know of words, so the merges of stage one
	// already run across them where they fit.
	t, err := v.tokenizer()
	if err != nil {
		return nil, err
	}
	if corpus, err = t.chunksOf(ctx, chunks); err != nil {
		return nil, err
	}
	if err := v.learn(ctx, corpus, cfg.Size, cfg, report(Chunks)); err != nil {
		return nil, err
	}
	return v.tokenizer()
}

// counted is a distinct piece of text, how often it stands in the corpus and where.
type counted struct {
	text    string
	count   int64
	sources sourceSet
}

// countChunks reads the texts and returns their distinct chunks, and of how many
// sources they are.
func countChunks(ctx context.Context, cfg TrainConfig, texts iter.Seq[SourceFile], progress func(Progress)) (chunks map[string]*counted, sources int, err error) {
	counts := map[string]*counted{}
	done := 0
	numbered := map[string]int{}
	for file := range texts {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		source, ok := numbered[file.Source]
		if !ok {
			source = len(numbered)
			numbered[file.Source] = source
		}
		text := string(file.Text)
		for from := 0; from < len(text); {
			to := ChunkEnd(text, from)
			if chunk := text[from:to]; len(chunk) <= cfg.MaxChunkBytes {
				c := counts[chunk]
				if c == nil {
					own := strings.Clone(chunk) // so that the whole text is not kept
					c = &counted{text: own}
					counts[own] = c
				}
				c.count++
				c.sources.add(source)
			}
			from = to
		}
		done += len(text)
		progress(Progress{Stage: Reading, Done: done})
	}
	return counts, len(numbered), nil
}

// growing is a vocabulary in the making.
type growing struct {
	tokens  []string
	ids     map[string]int32 // of text tokens
	merges  []merge
	first   int32 // the id of byte 0; special tokens are before it
	special []int32
}

func newVocabulary(cfg TrainConfig) *growing {
	v := &growing{ids: map[string]int32{}, first: int32(len(cfg.Special))}
	for i, name := range cfg.Special {
		v.tokens = append(v.tokens, name)
		v.special = append(v.special, int32(i))
	}
	for b := range 256 {
		v.ids[string([]byte{byte(b)})] = int32(len(v.tokens))
		v.tokens = append(v.tokens, string([]byte{byte(b)}))
	}
	return v
}

// join records the merge of a and b and returns the token it makes. Two merges may
// make the same token, by different ways.
func (v *growing) join(a, b int32) int32 {
	text := v.tokens[a] + v.tokens[b]
	id, ok := v.ids[text]
	if !ok {
		id = int32(len(v.tokens))
		v.tokens = append(v.tokens, text)
		v.ids[text] = id
	}
	v.merges = append(v.merges, merge{a, b, id})
	return id
}

func (v *growing) tokenizer() (*Tokenizer, error) {
	tokens := make([][]byte, len(v.tokens))
	for i, token := range v.tokens {
		tokens[i] = []byte(token)
	}
	return newTokenizer(SplitLines, tokens, slices.Clone(v.special), slices.Clone(v.merges))
}

// learn merges the most frequent pair of c, again and again, until there are size
// tokens or no pair is frequent enough.
func (v *growing) learn(ctx context.Context, c *corpus, size int, cfg TrainConfig, report func(string)) error {
	if err := c.countPairs(ctx); err != nil {
		return err
	}
	for len(v.tokens) < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, b, ok := c.mostFrequent(cfg.MinCount)
		if !ok {
			return nil
		}
		text := v.tokens[a] + v.tokens[b]
		if _, special := slices.BinarySearch(v.special, v.named(text)); special || len(text) > cfg.MaxTokenBytes || !c.spread(a, b, cfg.MinSources) {
			continue
		}
		c.merge(a, b, v.join(a, b))
		report(text)
	}
	return nil
}

// named returns the special token that is written in the file as text would be, -1 if
// none is: the file could not tell the two apart, so text must not become a token.
func (v *growing) named(text string) int32 {
	name := string(appendWritten(nil, text))
	for _, id := range v.special {
		if v.tokens[id] == name {
			return id
		}
	}
	return -1
}
