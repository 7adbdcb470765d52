package adopt

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train"
)

const golden = "../../model/testdata/golden_llama/model.gguf"

func adopted(t testing.TB) *Model {
	t.Helper()
	m, err := ReadGGUF(golden)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func row(m *Model, id int32) []float32 {
	return m.Weights.Embed.F32[int(id)*m.Weights.Embed.Cols:][:m.Weights.Embed.Cols]
}

// Tokens keep their embeddings under their new ids, ours begin with those that mean the
// same or with the mean, and bytes that the file lacks are there. A row off by one would
// make of the checkpoint a network of noise.
func TestReadGGUF(t *testing.T) {
	w, v, err := model.LoadGGUF(golden)
	if err != nil {
		t.Fatal(err)
	}
	m := adopted(t)
	ours := len(train.SpecialNames)
	if n := m.Tokenizer.Size(); n != ours+len(v.Tokens)+3 || n != m.Weights.Config.VocabSize || m.Weights.Embed.Rows != n {
		t.Fatalf("%d tokens, config %d, embeddings %d", n, m.Weights.Config.VocabSize, m.Weights.Embed.Rows)
	}
	if s := m.Weights.Config.Seedling; !s.Plain || s.Tokens.Mask != 0 || s.Tokens.End != 1 || m.Tokenizer.Split() != tokenizer.SplitWords {
		t.Errorf("scheme %+v, split %d", s, m.Tokenizer.Split())
	}
	for id := range v.Tokens {
		if !slices.Equal(row(m, int32(ours+id)), w.Embed.F32[id*96:(id+1)*96]) {
			t.Fatalf("token %d, %q, has another's embedding", id, v.Tokens[id])
		}
	}
	same := func(ours, theirs string) {
		a, _ := m.Tokenizer.Special(ours)
		b, ok := m.Tokenizer.Special(theirs)
		if !ok || !slices.Equal(row(m, a), row(m, b)) {
			t.Errorf("%s does not begin as %s", ours, theirs)
		}
	}
	same("<|end|>", "<|endoftext|>")
	same("<|path|>", "<filename>")
	mean := 0.0
	for id := range v.Tokens {
		mean += float64(w.Embed.F32[id*96+5]) / float64(len(v.Tokens))
	}
	for _, id := range []int32{0, int32(m.Tokenizer.Size() - 1)} { // the mask; a byte
		if math.Abs(float64(row(m, id)[5])-mean) > 1e-6 {
			t.Errorf("token %d begins with %v, the mean is %v", id, row(m, id)[5], mean)
		}
	}
	text := "x\x04\x06\x13y"
	if got := string(tokenizer.Decode(m.Tokenizer, nil, tokenizer.Encode[int32](m.Tokenizer, nil, text))); got != text {
		t.Errorf("%q came back as %q", text, got)
	}
}

// A pruned model is the same network over fewer tokens: rows go with their tokens, texts
// still come back, layers are the ones named.
func TestPruneAndLayers(t *testing.T) {
	m := adopted(t)
	counts := make([]int64, m.Tokenizer.Size())
	for _, id := range tokenizer.Encode[int32](m.Tokenizer, nil, strings.Repeat("import torch\nreturn the tokens", 3)) {
		counts[id]++
	}
	const size = 9 + 256 + 8
	p, err := m.Prune(counts, size)
	if err != nil {
		t.Fatal(err)
	}
	if p.Tokenizer.Size() != size || !slices.Equal(p.Tokenizer.SpecialNames(), train.SpecialNames) || p.Weights.Config.Validate() != nil {
		t.Fatalf("%d tokens, special %q", p.Tokenizer.Size(), p.Tokenizer.SpecialNames())
	}
	old := map[string]int32{}
	for id := range int32(m.Tokenizer.Size()) {
		old[m.Tokenizer.Name(id)] = id
	}
	for id := range int32(size) {
		from, ok := old[p.Tokenizer.Name(id)]
		if !ok || !slices.Equal(row(p, id), row(m, from)) {
			t.Fatalf("token %d, %s, has not the embedding it had", id, p.Tokenizer.Name(id))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if got := string(tokenizer.Decode(p.Tokenizer, nil, tokenizer.Encode[int32](p.Tokenizer, nil, text))); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
	l, err := p.Layers([]int{1})
	if err != nil || l.Weights.Config.NumLayers != 1 || &l.Weights.Layers[0].Q.F32[0] != &m.Weights.Layers[1].Q.F32[0] {
		t.Errorf("layer 1 alone: %v", err)
	}
	for _, keep := range [][]int{nil, {0, 0}, {1, 0}, {2}, {-1}} {
		if _, err := m.Layers(keep); err == nil {
			t.Errorf("layers %v are taken", keep)
		}
	}
}

func TestParseLayers(t *testing.T) {
	for s, want := range map[string][]int{
		"30": nil, "3": {0, 5, 9}, "1": {0}, "10": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, "2": {0, 9}, "0,3-5,9": {0, 3, 4, 5, 9}, "4-4,5": {4, 5},
		"0": nil, "0,": nil, "5-3,1": nil, "0-10": nil, "a": nil, "": nil, "-1": nil,
	} {
		got, err := ParseLayers(s, 10)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v, want %v", s, got, err, want)
		}
	}
}

// The whole job: a directory that loads, cut by a corpus of which the held-out part is not
// read, and a trainer that starts from it, where its loss is what the network's was.
func TestJob(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	for split, text := range map[string]string{"train": "func add(a, b int) int {\n\treturn a + b\n}\n\n", "heldout": "func torch(tokens int) int {\n\treturn tokens\n}\n\n"} {
		at := filepath.Join(src, split, "go", "made-"+split)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, "a.go"), []byte("package a\n\n"+strings.Repeat(text, 30)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	out := filepath.Join(dir, "out")
	job := Job{From: golden, To: out, VocabSize: 275, Grow: 5, VocabFrom: src, Layers: "0-1", Log: &log}
	if err := job.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "bytes a token") {
		t.Errorf("nothing is said of the length of texts:\n%s", log.String())
	}
	w, err := model.LoadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	if w.Config.VocabSize != 280 || w.Config.QKNorm() || !w.Config.Seedling.Plain {
		t.Errorf("config %+v", w.Config)
	}
	settings := filepath.Join(dir, "settings.json")
	if err := os.WriteFile(settings, []byte(`{"stage":"ar","positions":64,"micro_tokens":128,"step_tokens":128,"min_window":32,"max_middle":32,"steps":2,"warmup":0,"eval_every":1,"eval_tokens":64}`), 0o644); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(dir, "run")
	if err := (train.Job{Stage: "ar", Config: settings, Data: src, Init: out, Out: run, Threads: 2, Log: &log}).Run(context.Background()); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	trained, err := model.LoadDir(filepath.Join(run, "model"))
	if err != nil {
		t.Fatal(err)
	}
	if trained.Config.Seedling.Plain || trained.Config.QKNorm() || slices.Equal(trained.Layers[0].Q.F32, w.Layers[0].Q.F32) {
		t.Errorf("after training: %+v", trained.Config)
	}
	for name, bad := range map[string]Job{
		"go together": {From: golden, To: out, VocabSize: 300},
		"--grow":      {From: golden, To: out, Grow: 3},
		"neither":     {From: golden, To: out, Layers: "x"},
		"bytes":       {From: golden, To: out, VocabFrom: src, VocabSize: 100},
		"no such":     {From: golden + ".x", To: out},
	} {
		bad.Log = &log
		if err := bad.Run(context.Background()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
}

// A grown model is the same network with rows for the new tokens: each begins as the mean
// of the old tokens that stand for it, however they were merged.
func TestGrow(t *testing.T) {
	m := adopted(t)
	src := filepath.Join(t.TempDir(), "train", "python", "made")
	if err := os.MkdirAll(src, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(src, "a.py"), []byte(strings.Repeat("import torch\n\nfor i in the tokens:\n    return i in tokens\n", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	c, _, err := train.Prepare(t.Context(), filepath.Dir(filepath.Dir(filepath.Dir(src))), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	size := m.Tokenizer.Size() + 12
	g, err := m.Grow(t.Context(), c, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Tokenizer.Size() != size || g.Weights.Config.VocabSize != size || g.Weights.Embed.Rows != size {
		t.Fatalf("%d tokens, config %d, embeddings %d", g.Tokenizer.Size(), g.Weights.Config.VocabSize, g.Weights.Embed.Rows)
	}
	words := false
	for id := range int32(size) {
		if int(id) < m.Tokenizer.Size() {
			if !slices.Equal(row(g, id), row(m, id)) {
				t.Fatalf("token %d changed", id)
			}
			continue
		}
		text := string(g.Tokenizer.Token(id))
		words = words || strings.Contains(strings.TrimSpace(text), " ")
		old := tokenizer.Encode[int32](m.Tokenizer, nil, text)
		for k, x := range row(g, id) {
			mean := 0.0
			for _, o := range old {
				mean += float64(row(m, o)[k]) / float64(len(old))
			}
			if math.Abs(float64(x)-mean) > 1e-6 {
				t.Fatalf("%q begins with %v at %d, the mean of %d tokens is %v", text, x, k, len(old), mean)
			}
		}
	}
	if !words {
		t.Error("no token crosses a word")
	}
}
