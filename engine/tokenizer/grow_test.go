package tokenizer

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// wordsOnly is a vocabulary like those that other models bring: no merge crosses a word,
// texts are cut by SplitWords, special tokens stand in the middle of the ids.
func wordsOnly(t *testing.T) *Tokenizer {
	t.Helper()
	cfg := DefaultTrainConfig()
	cfg.Size, cfg.MinSources, cfg.WordShare = 700, 1, 1
	base, err := Train(t.Context(), cfg, slices.Values(sample(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens, special, merges := written(base)
	base, err = New(SplitWords, tokens, special, merges)
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// Grown tokens are what their parts say, keep the old ones under their ids, cross words,
// and make texts shorter. Weights are extended by these parts: one wrong, and a model
// would read a token as another.
func TestGrow(t *testing.T) {
	base := wordsOnly(t)
	files := sample(t)
	cfg := DefaultTrainConfig()
	cfg.Size, cfg.MinSources = base.Size()+150, 1
	last := Progress{}
	grown, parts, err := Grow(t.Context(), base, cfg, slices.Values(files), func(p Progress) { last = p })
	if err != nil {
		t.Fatal(err)
	}
	if grown.Size() != cfg.Size || len(parts) != 150 || last.Done != 150 || last.Total != 150 {
		t.Fatalf("%d tokens, %d parts, progress %+v", grown.Size(), len(parts), last)
	}
	if !slices.Equal(grown.SpecialNames(), base.SpecialNames()) || grown.Split() != SplitLines {
		t.Errorf("special %q, split %d", grown.SpecialNames(), grown.Split())
	}
	for id := range int32(base.Size()) {
		if grown.Name(id) != base.Name(id) {
			t.Fatalf("token %d was %s and is %s", id, base.Name(id), grown.Name(id))
		}
	}
	across := 0
	for i, p := range parts {
		id := int32(base.Size() + i)
		if p[0] >= id || p[1] >= id || string(grown.Token(p[0]))+string(grown.Token(p[1])) != string(grown.Token(id)) {
			t.Fatalf("token %d, %s, is not %s and %s", id, grown.Name(id), grown.Name(p[0]), grown.Name(p[1]))
		}
		if strings.Contains(strings.TrimSpace(string(grown.Token(id))), " ") {
			across++
		}
	}
	if across < 20 {
		t.Errorf("%d of 150 tokens cross a space", across)
	}
	before, after := 0, 0
	for _, f := range files {
		before += len(Encode(base, []int32(nil), string(f.Text)))
		after += len(Encode(grown, []int32(nil), string(f.Text)))
	}
	if float64(after) > 0.85*float64(before) {
		t.Errorf("%d tokens became %d", before, after)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`(if|return| |\n|\t|err|nil|[(){}=!.]){0,40}`)).Draw(t, "text")
		ids := Encode[int32](grown, nil, text)
		if got := string(Decode(grown, nil, ids)); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}

// A grown vocabulary survives its file.
func TestGrownIsSaved(t *testing.T) {
	cfg := DefaultTrainConfig()
	cfg.Size, cfg.MinSources = 760, 1
	grown, _, err := Grow(t.Context(), wordsOnly(t), cfg, slices.Values(sample(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens, special, merges := written(grown)
	again, err := New(SplitLines, tokens, special, merges)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sample(t)[:3] {
		if a, b := Encode[int32](grown, nil, string(f.Text)), Encode[int32](again, nil, string(f.Text)); !slices.Equal(a, b) {
			t.Fatalf("%s is encoded otherwise after saving", f.Path)
		}
	}
}

// What can not be grown is refused, and cancelling ends it.
func TestGrowRefuses(t *testing.T) {
	base := wordsOnly(t)
	cfg := DefaultTrainConfig()
	cfg.Size = base.Size() - 1
	if _, _, err := Grow(t.Context(), base, cfg, texts("a"), nil); err == nil || !strings.Contains(err.Error(), "has 700 tokens already") {
		t.Errorf("a smaller vocabulary: %v", err)
	}
	cfg.Size = 800
	cfg.MaxTokenBytes = 0
	if _, _, err := Grow(t.Context(), base, cfg, texts("a"), nil); err == nil || !strings.Contains(err.Error(), "longest token") {
		t.Errorf("tokens of no length: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Grow(ctx, base, DefaultTrainConfig(), texts("a"), nil); err != context.Canceled && (err == nil || !strings.Contains(err.Error(), "canceled")) {
		t.Errorf("cancelled: %v", err)
	}
}
