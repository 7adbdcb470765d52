package model

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

// Vocabulary is what a GGUF file says of its tokenizer: byte-level BPE, as the file has
// it. Nothing in it was checked but its types.
type Vocabulary struct {
	Model  string   // "gpt2": byte-level BPE
	Pre    string   // name of the pre-tokenizer in llama.cpp, "smollm"
	Tokens []string // by id, in GPT-2's byte alphabet; special ones by their names
	Types  []int64  // by id: 1 normal, 3 control; see TokenNormal
	Merges []string // "left right", by rank
	BOS    int64    // -1: none is named
	EOS    int64    // likewise
}

// Types of a GGUF vocabulary's tokens.
const (
	TokenNormal  = 1
	TokenControl = 3
)

// LoadGGUF reads a GGUF checkpoint of Llama layout (general.architecture "llama"): its
// network with every tensor as float32, and its vocabulary. The weights have no Scheme:
// they are no model of ours yet ([Config.Validate] says so).
//
// Rows of q and k come in llama.cpp's order, whose RoPE turns neighbouring pairs; they
// are put back into that of transformers and ours, which turns the pairs (i, i+headDim/2).
//
// The file is read once from front to back. Everything in it is checked: counts and
// lengths against the size of the file before anything is allocated for them, shapes
// against the metadata, missing, unknown, doubled and overlapping tensors, NaN and
// infinities.
func LoadGGUF(path string) (*Weights, *Vocabulary, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: is no regular file", path)
	}
	w, v, err := readGGUF(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, v, nil
}

func readGGUF(f io.ReadSeeker, size int64) (*Weights, *Vocabulary, error) {
	h, err := readGGUFHeader(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s", err, hintDamaged)
	}
	c, err := h.config()
	if err != nil {
		return nil, nil, err
	}
	// Half a byte a parameter is the least that any of the formats takes.
	if c.parameters()/2 > size {
		return nil, nil, fmt.Errorf("has %d bytes, its metadata describes %d parameters: %s", size, c.parameters(), hintDamaged)
	}
	w := &Weights{Config: c, Layers: make([]Layer, c.NumLayers)}
	if err := h.load(f, w); err != nil {
		return nil, nil, err
	}
	heads := func(m *Matrix) { unpermute(m, c.HeadDim) }
	for i := range w.Layers {
		heads(&w.Layers[i].Q)
		heads(&w.Layers[i].K)
	}
	return w, h.vocabulary(), nil
}

// ggufKeys reads metadata and keeps the first thing that is wrong with it.
type ggufKeys struct {
	meta map[string]any
	err  error
}

// whole is a count from 0 to 2^31-1; or is what a missing key stands for, -1 for a must.
func (k *ggufKeys) whole(key string, or int) int {
	v, there := k.meta[key]
	if !there && or >= 0 {
		return or
	}
	n, ok := v.(int64)
	if (!ok || n < 0 || n > math.MaxInt32) && k.err == nil {
		k.err = fmt.Errorf("metadata %s is %v: a whole number belongs there", key, v)
	}
	return int(n)
}

func (k *ggufKeys) real(key string, or float64) float64 {
	v, there := k.meta[key]
	if !there && or > 0 {
		return or
	}
	f, ok := v.(float64)
	if !ok && k.err == nil {
		k.err = fmt.Errorf("metadata %s is %v: a real number belongs there", key, v)
	}
	return f
}

// config makes the network's configuration of the metadata, without a scheme.
func (h *ggufHeader) config() (Config, error) {
	if arch := h.meta["general.architecture"]; arch != "llama" {
		return Config{}, fmt.Errorf("general.architecture is %v: only llama is supported", arch)
	}
	k := &ggufKeys{meta: h.meta}
	c := Config{
		Architectures: []string{llamaArchitecture}, ModelType: llamaModelType, HiddenAct: "silu", TorchDType: "float32",
		HiddenSize:       k.whole("llama.embedding_length", -1),
		IntermediateSize: k.whole("llama.feed_forward_length", -1),
		NumLayers:        k.whole("llama.block_count", -1),
		NumHeads:         k.whole("llama.attention.head_count", -1),
		MaxPositions:     k.whole("llama.context_length", -1),
		RMSNormEps:       k.real("llama.attention.layer_norm_rms_epsilon", 0),
		RopeTheta:        k.real("llama.rope.freq_base", 10000),
	}
	c.NumKVHeads = k.whole("llama.attention.head_count_kv", c.NumHeads)
	if k.err != nil {
		return c, k.err
	}
	c.HeadDim = k.whole("llama.attention.key_length", c.HiddenSize/max(c.NumHeads, 1))
	c.TieWordEmbeddings = true
	embedding := int64(0)
	for _, t := range h.tensors {
		switch t.name {
		case "output.weight":
			c.TieWordEmbeddings = false
		case "token_embd.weight":
			embedding = t.rows
		}
	}
	// The embedding's rows are the vocabulary: the metadata need not name its size.
	c.VocabSize = int(embedding)
	switch rope := k.whole("llama.rope.dimension_count", c.HeadDim); {
	case k.err != nil:
		return c, k.err
	case rope != c.HeadDim:
		return c, fmt.Errorf("llama.rope.dimension_count is %d of a head of %d: only whole heads are supported", rope, c.HeadDim)
	case k.whole("llama.expert_count", 0) != 0:
		return c, errors.New("llama.expert_count is set: mixtures of experts are not supported")
	}
	if s, ok := h.meta["llama.rope.scaling.type"]; ok && s != "none" {
		return c, fmt.Errorf("llama.rope.scaling.type is %v: only plain rotary positions are supported", s)
	}
	return c, c.validateNetwork()
}

// ggufNames are the tensors of llama.cpp by their names in transformers, layers by what
// follows their number.
var ggufNames = map[string]string{
	"token_embd.weight":  "model.embed_tokens.weight",
	"output_norm.weight": "model.norm.weight",
	"output.weight":      "lm_head.weight",

	"attn_norm.weight":   "input_layernorm.weight",
	"attn_q.weight":      "self_attn.q_proj.weight",
	"attn_k.weight":      "self_attn.k_proj.weight",
	"attn_v.weight":      "self_attn.v_proj.weight",
	"attn_output.weight": "self_attn.o_proj.weight",
	"ffn_norm.weight":    "post_attention_layernorm.weight",
	"ffn_gate.weight":    "mlp.gate_proj.weight",
	"ffn_up.weight":      "mlp.up_proj.weight",
	"ffn_down.weight":    "mlp.down_proj.weight",
}

// ggufName is a tensor's name in transformers.
func ggufName(name string) (string, bool) {
	var layer int
	var rest string
	if n, _ := fmt.Sscanf(name, "blk.%d.%s", &layer, &rest); n == 2 && "blk."+strconv.Itoa(layer)+"."+rest == name {
		to, ok := ggufNames[rest]
		return "model.layers." + strconv.Itoa(layer) + "." + to, ok
	}
	to, ok := ggufNames[name]
	return to, ok
}

// load reads every tensor into its slot.
func (h *ggufHeader) load(f io.ReadSeeker, w *Weights) error {
	slots := w.slots()
	index := make(map[string]int, len(slots))
	for i := range slots {
		index[slots[i].name] = i
	}
	filled := make([]bool, len(slots))
	r := bufio.NewReaderSize(f, 1<<20)
	for _, t := range h.tensors {
		name, known := ggufName(t.name)
		i, ok := index[name]
		switch {
		case !known || !ok:
			return fmt.Errorf("tensor %s: unknown in this architecture", shown([]byte(t.name)))
		case filled[i]:
			return fmt.Errorf("tensor %s: stands twice: %s", shown([]byte(t.name)), hintDamaged)
		case t.rows != int64(slots[i].rows) || t.cols != int64(slots[i].cols):
			return fmt.Errorf("tensor %s: shape [%d %d], the metadata asks for [%d %d]: %s", shown([]byte(t.name)), t.rows, t.cols, slots[i].rows, slots[i].cols, hintDamaged)
		}
		if _, err := f.Seek(h.data+t.offset, io.SeekStart); err != nil {
			return err
		}
		r.Reset(f)
		v, err := t.read(r)
		if err == nil {
			if at := notFinite(v); at >= 0 {
				err = fmt.Errorf("value %d is %v", at, v[at])
			}
		}
		if err != nil {
			return fmt.Errorf("tensor %s: %w: %s", shown([]byte(t.name)), err, hintDamaged)
		}
		filled[i] = true
		if s := &slots[i]; s.vec != nil {
			*s.vec = v
		} else {
			*s.mat = Matrix{Rows: s.rows, Cols: s.cols, F32: v}
		}
	}
	for i := range slots {
		if !filled[i] {
			return fmt.Errorf("tensor %q: missing: %s", slots[i].name, hintDamaged)
		}
	}
	return nil
}

// read decodes the tensor's values.
func (t *ggufTensor) read(r io.Reader) ([]float32, error) {
	f := ggufFormats[t.kind]
	v := make([]float32, t.elements())
	blocks := max(1, chunk/f.bytes)
	buf := make([]byte, blocks*f.bytes)
	for done := 0; done < len(v); {
		n := min(blocks, (len(v)-done)/f.values)
		if _, err := io.ReadFull(r, buf[:n*f.bytes]); err != nil {
			return nil, cut(err)
		}
		for b := range n {
			f.decode(buf[b*f.bytes:(b+1)*f.bytes], v[done+b*f.values:done+(b+1)*f.values])
		}
		done += n * f.values
	}
	return v, nil
}

// unpermute puts the rows of a projection of heads of hd back into the order that our
// RoPE wants: llama.cpp's converter laid the halves of a head alternately.
func unpermute(m *Matrix, hd int) {
	head := make([]float32, hd*m.Cols)
	for at := 0; at < len(m.F32); at += len(head) {
		rows := m.F32[at : at+len(head)]
		copy(head, rows)
		for i := range hd {
			from := head[i*m.Cols : (i+1)*m.Cols]
			copy(rows[(i%2*hd/2+i/2)*m.Cols:], from)
		}
	}
}

func (h *ggufHeader) vocabulary() *Vocabulary {
	v := &Vocabulary{BOS: -1, EOS: -1}
	v.Model, _ = h.meta["tokenizer.ggml.model"].(string)
	v.Pre, _ = h.meta["tokenizer.ggml.pre"].(string)
	v.Tokens, _ = h.meta["tokenizer.ggml.tokens"].([]string)
	v.Types, _ = h.meta["tokenizer.ggml.token_type"].([]int64)
	v.Merges, _ = h.meta["tokenizer.ggml.merges"].([]string)
	if id, ok := h.meta["tokenizer.ggml.bos_token_id"].(int64); ok {
		v.BOS = id
	}
	if id, ok := h.meta["tokenizer.ggml.eos_token_id"].(int64); ok {
		v.EOS = id
	}
	return v
}
