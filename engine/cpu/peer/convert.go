package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
)

// half rounds to a 16-bit float, ties to even, and gives its bits. Beyond the range it is
// infinite.
func half(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	a := math.Abs(float64(f))
	if a >= 65520 || a != a {
		return sign | 0x7c00
	}
	// In units of the last place of the binade it falls in; below 2⁻¹⁴ of the subnormals.
	exp := max(math.Ilogb(a), -14)
	if a == 0 {
		exp = -14
	}
	n := uint16(math.RoundToEven(math.Ldexp(a, 10-exp))) // [0, 2048]
	return sign | uint16(exp+14)<<10 + n                 // the implicit bit carries into the exponent
}

// unhalf is the number that half gave the bits of.
func unhalf(h uint16) float32 {
	exp, frac := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(frac, -24)
	if exp > 0 {
		v = math.Ldexp(1024+frac, exp-25)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return float32(v)
}

// pack stores a matrix. Q8_0 takes int8 weights as they are: each block of a row has the
// row's scale, rounded to 16 bits. Q4_0 rounds as ggml does: the largest weight of a block
// becomes −8.
func pack(m model.Matrix, t Type) ([]byte, error) {
	if m.Cols%block != 0 && t != F32 {
		return nil, fmt.Errorf("a row of %d weights is no whole number of blocks of %d", m.Cols, block)
	}
	out := make([]byte, 0, t.size(m.Rows*m.Cols))
	row := make([]float32, m.Cols)
	for r := range m.Rows {
		at := r * m.Cols
		for c := range row {
			if m.F32 != nil {
				row[c] = m.F32[at+c]
			} else {
				row[c] = m.Scale[r] * float32(m.I8[at+c])
			}
		}
		switch {
		case t == F32:
			for _, v := range row {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
			}
		case t == Q8_0 && m.I8 != nil:
			for c := 0; c < m.Cols; c += block {
				out = binary.LittleEndian.AppendUint16(out, half(m.Scale[r]))
				for _, q := range m.I8[at+c : at+c+block] {
					out = append(out, byte(q))
				}
			}
		case t == Q8_0:
			for c := 0; c < m.Cols; c += block {
				out = q8(out, row[c:c+block])
			}
		case t == Q4_0:
			for c := 0; c < m.Cols; c += block {
				out = q4(out, row[c:c+block])
			}
		default:
			return nil, fmt.Errorf("type %d is not written here", t)
		}
	}
	return out, nil
}

// q8 appends a block of float weights as Q8_0.
func q8(out []byte, w []float32) []byte {
	top := float32(0)
	for _, v := range w {
		top = max(top, float32(math.Abs(float64(v))))
	}
	scale := top / 127
	out = binary.LittleEndian.AppendUint16(out, half(scale))
	for _, v := range w {
		q := 0.0
		if scale > 0 {
			q = math.Round(float64(v / scale))
		}
		out = append(out, byte(int8(q)))
	}
	return out
}

// q4 appends a block as Q4_0: weight i in the low half of byte i, weight 16+i in the high.
func q4(out []byte, w []float32) []byte {
	top := float32(0) // the weight of the largest magnitude, with its sign
	for _, v := range w {
		if math.Abs(float64(v)) > math.Abs(float64(top)) {
			top = v
		}
	}
	scale, inverse := top/-8, float32(0)
	if scale != 0 {
		inverse = 1 / scale
	}
	out = binary.LittleEndian.AppendUint16(out, half(scale))
	q := func(v float32) byte { return byte(min(15, max(0, int(v*inverse+8.5)))) }
	for i := range block / 2 {
		out = append(out, q(w[i])|q(w[i+block/2])<<4)
	}
	return out
}

// vocabulary is what GGUF needs of a tokenizer.json.
type vocabulary struct {
	tokens []string // by id, in the byte-level alphabet
	kinds  []int32  // 1: a token of text, 3: a special one
	merges []string // "left right"
}

func readVocabulary(r io.Reader) (vocabulary, error) {
	var f struct {
		Added []struct {
			ID      int
			Content string
		} `json:"added_tokens"`
		Model struct {
			Vocab  map[string]int
			Merges []json.RawMessage
		}
	}
	var v vocabulary
	if err := json.NewDecoder(r).Decode(&f); err != nil {
		return v, fmt.Errorf("tokenizer.json: %w", err)
	}
	size := 0
	for _, id := range f.Model.Vocab {
		size = max(size, id+1)
	}
	for _, a := range f.Added {
		size = max(size, a.ID+1)
	}
	v.tokens, v.kinds = make([]string, size), make([]int32, size)
	for s, id := range f.Model.Vocab {
		v.tokens[id], v.kinds[id] = s, 1
	}
	for _, a := range f.Added {
		v.tokens[a.ID], v.kinds[a.ID] = a.Content, 3
	}
	for id, k := range v.kinds {
		if k == 0 {
			return v, fmt.Errorf("tokenizer.json: no token has the id %d", id)
		}
	}
	for _, m := range f.Model.Merges {
		var two []string
		var one string
		if err := json.Unmarshal(m, &two); err == nil && len(two) == 2 {
			one = two[0] + " " + two[1]
		} else if err := json.Unmarshal(m, &one); err != nil {
			return v, fmt.Errorf("tokenizer.json: merge %s: %w", m, err)
		}
		v.merges = append(v.merges, one)
	}
	return v, nil
}

// convert writes a model directory as GGUF, for llama.cpp's architecture qwen3, or llama
// where the heads of q and k have no norms. Only the matrices are of type t; norms stay
// float32. The head is tied, as in the model.
func convert(to io.Writer, name string, dir fs.FS, w *model.Weights, t Type) error {
	f, err := dir.Open("tokenizer.json")
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := readVocabulary(f)
	if err != nil {
		return err
	}
	c := w.Config
	if len(v.tokens) != c.VocabSize {
		return fmt.Errorf("tokenizer.json has %d tokens, config.json %d", len(v.tokens), c.VocabSize)
	}
	if !c.TieWordEmbeddings {
		return fmt.Errorf("the head of %s is not tied to the embedding: not converted here", name)
	}
	u := func(n int) uint32 { return uint32(n) }
	arch, normed := "qwen3", c.QKNorm()
	if !normed {
		arch = "llama"
	}
	keys := []pair{
		{"general.architecture", arch},
		{"general.name", "seedling " + name},
		{"general.file_type", map[Type]uint32{F32: 0, Q4_0: 2, Q8_0: 7}[t]},
		{arch + ".context_length", u(c.MaxPositions)},
		{arch + ".embedding_length", u(c.HiddenSize)},
		{arch + ".block_count", u(c.NumLayers)},
		{arch + ".feed_forward_length", u(c.IntermediateSize)},
		{arch + ".attention.head_count", u(c.NumHeads)},
		{arch + ".attention.head_count_kv", u(c.NumKVHeads)},
		{arch + ".attention.key_length", u(c.HeadDim)},
		{arch + ".attention.value_length", u(c.HeadDim)},
		{arch + ".attention.layer_norm_rms_epsilon", float32(c.RMSNormEps)},
		{arch + ".rope.freq_base", float32(c.RopeTheta)},
		{arch + ".rope.dimension_count", u(c.HeadDim)},
		{"tokenizer.ggml.model", "gpt2"},
		{"tokenizer.ggml.pre", "gpt-2"}, // of no account: prompts come as token ids
		{"tokenizer.ggml.tokens", v.tokens},
		{"tokenizer.ggml.token_type", v.kinds},
		{"tokenizer.ggml.merges", v.merges},
		{"tokenizer.ggml.eos_token_id", uint32(c.Seedling.Tokens.End)},
		{"tokenizer.ggml.add_bos_token", false},
	}
	var tensors []tensor
	vec := func(name string, x []float32) {
		b, _ := pack(model.Matrix{Rows: 1, Cols: len(x), F32: x}, F32)
		tensors = append(tensors, tensor{name, []int{len(x)}, F32, b})
	}
	mat := func(name string, m model.Matrix) {
		b, e := pack(m, t)
		if e != nil && err == nil {
			err = fmt.Errorf("tensor %s: %w", name, e)
		}
		tensors = append(tensors, tensor{name, []int{m.Cols, m.Rows}, t, b})
	}
	heads := func(name string, m model.Matrix) { // as the architecture's RoPE wants them
		if !normed {
			m = paired(m, c.HeadDim)
		}
		mat(name, m)
	}
	mat("token_embd.weight", w.Embed)
	vec("output_norm.weight", w.Norm)
	for i, l := range w.Layers {
		p := fmt.Sprintf("blk.%d.", i)
		vec(p+"attn_norm.weight", l.InputNorm)
		heads(p+"attn_q.weight", l.Q)
		heads(p+"attn_k.weight", l.K)
		mat(p+"attn_v.weight", l.V)
		if normed {
			vec(p+"attn_q_norm.weight", l.QNorm)
			vec(p+"attn_k_norm.weight", l.KNorm)
		}
		mat(p+"attn_output.weight", l.O)
		vec(p+"ffn_norm.weight", l.PostNorm)
		mat(p+"ffn_gate.weight", l.Gate)
		mat(p+"ffn_up.weight", l.Up)
		mat(p+"ffn_down.weight", l.Down)
	}
	if err != nil {
		return err
	}
	return writeGGUF(to, keys, tensors)
}

// paired lays the rows of a projection of heads of hd as llama.cpp's architecture llama has
// them: its RoPE turns the rows 2i and 2i+1 together, where ours turns i and i+hd/2.
func paired(m model.Matrix, hd int) model.Matrix {
	out := model.Matrix{Rows: m.Rows, Cols: m.Cols}
	for r := range m.Rows {
		from := r/hd*hd + r%hd%2*hd/2 + r%hd/2
		if m.F32 != nil {
			out.F32 = append(out.F32, m.F32[from*m.Cols:(from+1)*m.Cols]...)
		} else {
			out.I8 = append(out.I8, m.I8[from*m.Cols:(from+1)*m.Cols]...)
			out.Scale = append(out.Scale, m.Scale[from])
		}
	}
	return out
}

// forbidden are the tokens that neither side may write: all special ones but the end.
func forbidden(s model.SpecialTokens) []backend.TokenID {
	return []backend.TokenID{s.Mask, s.Suffix, s.Prefix, s.Draft, s.Path, s.Repo, s.Delete, s.Insert}
}
