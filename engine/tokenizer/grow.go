package tokenizer

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// Grow makes a tokenizer of t's tokens and further ones, up to cfg.Size: merges of t's
// tokens that are frequent in texts, across words and the white space between lines, as
// [Train] learns them in its second stage. A vocabulary that was made for prose writes
// "\n\t\treturn nil, err" in eight tokens; each of them is a row to compute.
//
// t's tokens keep their ids, and its merges their ranks. parts[i] are the tokens that
// t.Size()+i is merged from. The result cuts texts by [SplitLines]: where t cuts between
// words its merges do not reach, so but for white space, which t may cut elsewhere, a text
// has t's tokens with the new merges on top.
//
// cfg.Special and cfg.WordShare are not looked at.
func Grow(ctx context.Context, t *Tokenizer, cfg TrainConfig, texts iter.Seq[SourceFile], progress func(Progress)) (grown *Tokenizer, parts [][2]int32, err error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	cfg.Special, cfg.WordShare = nil, 0
	if err := cfg.check(); err != nil {
		return nil, nil, fmt.Errorf("grow vocabulary: %w", err)
	}
	if cfg.Size < t.Size() {
		return nil, nil, fmt.Errorf("grow vocabulary: it has %d tokens already, more than %d", t.Size(), cfg.Size)
	}
	v := &growing{ids: map[string]int32{}, special: slices.Clone(t.order), merges: slices.Clone(t.merges)}
	for id, token := range t.tokens {
		v.tokens = append(v.tokens, string(token))
		if !t.special[id] {
			v.ids[string(token)] = int32(id)
		}
	}
	chunks, sources, err := countChunks(ctx, cfg, texts, progress)
	if err != nil {
		return nil, nil, fmt.Errorf("grow vocabulary: %w", err)
	}
	cfg.MinSources = min(cfg.MinSources, sources, maxSources)
	base, err := v.tokenizer()
	if err != nil {
		return nil, nil, fmt.Errorf("grow vocabulary: %w", err)
	}
	corpus, err := base.chunksOf(ctx, chunks)
	if err != nil {
		return nil, nil, fmt.Errorf("grow vocabulary: %w", err)
	}
	had := len(v.merges)
	report := func(token string) { progress(Progress{Chunks, len(v.tokens) - t.Size(), cfg.Size - t.Size(), token}) }
	if err := v.learn(ctx, corpus, cfg.Size, cfg, report); err != nil {
		return nil, nil, fmt.Errorf("grow vocabulary: %w", err)
	}
	parts = make([][2]int32, len(v.tokens)-t.Size())
	for _, m := range slices.Backward(v.merges[had:]) { // the first merge that made it has the last word
		if i := int(m.into) - t.Size(); i >= 0 {
			parts[i] = [2]int32{m.left, m.right}
		}
	}
	grown, err = v.tokenizer()
	if err != nil {
		return nil, nil, fmt.Errorf("grow vocabulary: %w", err)
	}
	return grown, parts, nil
}

// chunksOf is what the second stage merges in: chunks, encoded as the merges so far do.
func (t *Tokenizer) chunksOf(ctx context.Context, chunks map[string]*counted) (*corpus, error) {
	c := newCorpus()
	var s scratch
	for _, chunk := range chunks {
		if len(c.seqs)%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c.begin(chunk)
		for _, id := range t.encodeChunk(&s, chunk.text) {
			c.add(id)
		}
	}
	return c, nil
}
