package adopt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train"
)

// Model is a network with its tokenizer.
type Model struct {
	Weights   *model.Weights
	Tokenizer *tokenizer.Tokenizer
}

// ReadGGUF reads a GGUF checkpoint of Llama layout with byte-level BPE as a model of ours:
// a plain one ([model.Scheme].Plain), with our special tokens added before its own, and
// single bytes that it has no token for behind them.
//
// Where the file has a token that means what one of ours does, ours begins with its
// embedding: the end of a text, the name of a file, a repository's. The others begin with
// the mean of all. (So none of them takes more probability from a row than a token of the
// vocabulary has on average.)
func ReadGGUF(path string) (*Model, error) {
	w, v, err := model.LoadGGUF(path)
	if err != nil {
		return nil, err
	}
	tok, err := vocabulary(v)
	if err != nil {
		return nil, fmt.Errorf("%s: its vocabulary: %w", path, err)
	}
	if len(v.Tokens) != w.Config.VocabSize {
		return nil, fmt.Errorf("%s: %d tokens, but embeddings of %d: the file is damaged", path, len(v.Tokens), w.Config.VocabSize)
	}
	m := &Model{w, tok}
	grown, from, err := tok.Adapt(train.SpecialNames, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: its vocabulary: %w", path, err)
	}
	return m.with(grown, from)
}

// splits are the pre-tokenizers of llama.cpp that we have, by name.
var splits = map[string]tokenizer.Split{"smollm": tokenizer.SplitWords, "starcoder": tokenizer.SplitWords, "refact": tokenizer.SplitWords, "command-r": tokenizer.SplitWords, "codeshell": tokenizer.SplitWords, "exaone": tokenizer.SplitWords}

// vocabulary makes a tokenizer of what a GGUF file says of it.
func vocabulary(v *model.Vocabulary) (*tokenizer.Tokenizer, error) {
	if v.Model != "gpt2" {
		return nil, fmt.Errorf("tokenizer.ggml.model is %q: only gpt2 (byte-level BPE) is supported", v.Model)
	}
	split, ok := splits[v.Pre]
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre is %q: only smollm and its likes (starcoder, refact, command-r, codeshell, exaone) are supported", v.Pre)
	}
	if len(v.Types) != len(v.Tokens) {
		return nil, fmt.Errorf("%d tokens with %d types", len(v.Tokens), len(v.Types))
	}
	var special []int32
	for id, t := range v.Types {
		if t != model.TokenNormal {
			special = append(special, int32(id))
		}
	}
	return tokenizer.New(split, slices.Concat(v.Tokens, tokenizer.MissingBytes(v.Tokens)), special, v.Merges)
}

// alike are tokens of other vocabularies that mean what ours do, the best first.
var alike = map[string][]string{
	"<|end|>":  {"<|endoftext|>", "<|end_of_text|>", "</s>"},
	"<|path|>": {"<filename>", "<file_sep>"},
	"<|repo|>": {"<reponame>", "<repo_name>"},
}

// with gives m another vocabulary, made by Adapt: rows of embedding and head go with their
// tokens. Its own weights are shared where they stay.
func (m *Model) with(tok *tokenizer.Tokenizer, from []int32) (*Model, error) {
	ids, err := train.SpecialTokens(tok)
	if err != nil {
		return nil, err
	}
	first := make([]int32, tok.Size()) // the row that a token begins with; -1: the mean
	copy(first, from)
	for id := range first {
		if int(from[id]) >= m.Weights.Config.VocabSize { // a byte that the file lacked
			first[id] = -1
		}
		if from[id] >= 0 {
			continue
		}
		name := tok.Name(int32(id))
		if old, ok := m.Tokenizer.Special(name); ok { // ours, in a model of ours
			first[id] = old
			continue
		}
		for _, other := range alike[name] {
			if old, ok := m.Tokenizer.Special(other); ok {
				first[id] = old
				break
			}
		}
	}
	w := *m.Weights
	w.Config.VocabSize = tok.Size()
	w.Embed = regrouped(w.Embed, first)
	if w.Head.F32 != nil {
		w.Head = regrouped(w.Head, first)
	}
	end := int(ids.End)
	w.Config.EOSTokenID, w.Config.BOSTokenID = &end, nil
	if w.Config.Seedling.Version == 0 {
		w.Config.Seedling = model.Scheme{Version: 1, Plain: true, ContextAttention: "causal", Commit: "reread", CanvasMark: true, BlockSize: 8}
	}
	w.Config.Seedling.Tokens = ids
	if err := w.Config.Validate(); err != nil {
		return nil, err
	}
	return &Model{&w, tok}, nil
}

// regrouped is a matrix of rows of m; row -1 is the mean of all.
func regrouped(m model.Matrix, rows []int32) model.Matrix {
	mean := make([]float64, m.Cols)
	for r := range m.Rows {
		for c, x := range m.F32[r*m.Cols : (r+1)*m.Cols] {
			mean[c] += float64(x) / float64(m.Rows)
		}
	}
	out := model.Matrix{Rows: len(rows), Cols: m.Cols, F32: make([]float32, len(rows)*m.Cols)}
	for i, r := range rows {
		to := out.F32[i*m.Cols : (i+1)*m.Cols]
		if r >= 0 {
			copy(to, m.F32[int(r)*m.Cols:])
			continue
		}
		for c, x := range mean {
			to[c] = float32(x)
		}
	}
	return out
}

// Layers is m with only the layers listed, from 0, in ascending order ([Spread]).
func (m *Model) Layers(keep []int) (*Model, error) {
	w := *m.Weights
	w.Layers = nil
	for i, l := range keep {
		if l < 0 || l >= len(m.Weights.Layers) || i > 0 && l <= keep[i-1] {
			return nil, fmt.Errorf("layers %v: ascending numbers from 0 to %d are expected", keep, len(m.Weights.Layers)-1)
		}
		w.Layers = append(w.Layers, m.Weights.Layers[l])
	}
	if len(w.Layers) == 0 {
		return nil, errors.New("no layer is left")
	}
	w.Config.NumLayers = len(w.Layers)
	return &Model{&w, m.Tokenizer}, nil
}

// Prune is m with a vocabulary of size tokens: those that texts use most (see
// [tokenizer.Tokenizer.Adapt]), by counts of m's tokens ([Count]).
func (m *Model) Prune(counts []int64, size int) (*Model, error) {
	own := m.Tokenizer
	tok, from, err := own.Adapt(nil, counts, size-len(train.SpecialNames))
	if err != nil {
		return nil, err
	}
	// Ours went with the special ones: they come back in their places.
	grown, again, err := tok.Adapt(train.SpecialNames, nil, 0)
	if err != nil {
		return nil, err
	}
	for i, id := range again {
		if id >= 0 {
			again[i] = from[id]
		}
	}
	return m.with(grown, again)
}

// Save writes m as a model directory, the weights as float32 or bfloat16.
func (m *Model) Save(dir string, t model.DType) error {
	if err := m.Weights.SaveAs(dir, t); err != nil {
		return err
	}
	path := filepath.Join(dir, "tokenizer.json")
	f, err := os.CreateTemp(dir, ".tokenizer-*")
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	err = m.Tokenizer.WriteJSON(f)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// Spread is n of a network's layers at even distances, the first and the last among them.
func Spread(layers, n int) []int {
	if n <= 1 || layers <= 1 {
		return []int{0}
	}
	n = min(n, layers)
	var out []int
	for i := range n {
		out = append(out, (i*(layers-1)+(n-1)/2)/(n-1))
	}
	return slices.Compact(out)
}
