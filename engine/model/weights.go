package model

import (
	"errors"
	"fmt"
	"strconv"
)

// Matrix is a weight of shape [Rows, Cols] = [output features, input features],
// row-major. Exactly one of F32 and I8 is set. With I8 the value at (r, c) is
// Scale[r] * I8[r*Cols+c] (symmetric, one scale an output row); I8 is in [-127, 127],
// scales are finite and not negative.
type Matrix struct {
	Rows, Cols int
	F32        []float32
	I8         []int8
	Scale      []float32
	Groups     *Groups // how I8 is stored; nil: as it is. Not kept when a file is read
}

// Layer holds the weights of one transformer block, named as Qwen3 does.
type Layer struct {
	InputNorm []float32 // input_layernorm.weight [d]
	Q         Matrix    // self_attn.q_proj.weight [heads*headDim, d]
	K         Matrix    // self_attn.k_proj.weight [kvHeads*headDim, d]
	V         Matrix    // self_attn.v_proj.weight [kvHeads*headDim, d]
	QNorm     []float32 // self_attn.q_norm.weight [headDim]; nil without Config.QKNorm
	KNorm     []float32 // self_attn.k_norm.weight [headDim]; likewise
	O         Matrix    // self_attn.o_proj.weight [d, heads*headDim]
	PostNorm  []float32 // post_attention_layernorm.weight [d]
	Gate      Matrix    // mlp.gate_proj.weight [ff, d]
	Up        Matrix    // mlp.up_proj.weight [ff, d]
	Down      Matrix    // mlp.down_proj.weight [d, ff]
}

// Weights is a whole network. Head is the zero Matrix when embeddings are tied.
type Weights struct {
	Config Config
	Embed  Matrix // model.embed_tokens.weight [vocab, d]
	Layers []Layer
	Norm   []float32 // model.norm.weight [d]
	Head   Matrix    // lm_head.weight [vocab, d], unless tied
}

// Parameters is the number of weights: scales do not count, a tied head counts once.
func (w *Weights) Parameters() int { return int(w.Config.parameters()) }

// slot is one tensor of a network: its name, its shape, and where it lives in a Weights.
// Exactly one of vec and mat is set.
type slot struct {
	name string
	rows int // of a matrix; 0 for a vector
	cols int // or the length of the vector
	vec  *[]float32
	mat  *Matrix
}

// dims is the slot's shape as a file has it.
func (s *slot) dims() []int64 {
	if s.vec != nil {
		return []int64{int64(s.cols)}
	}
	return []int64{int64(s.rows), int64(s.cols)}
}

// scaleSuffix makes the name of an I8 matrix's scales from the matrix's own.
const scaleSuffix = "_scale"

// slots lists every tensor that w.Config asks for, in the order of the network.
// len(w.Layers) must be Config.NumLayers.
func (w *Weights) slots() []slot {
	c := &w.Config
	d, q, kv := c.HiddenSize, c.NumHeads*c.HeadDim, c.NumKVHeads*c.HeadDim
	s := make([]slot, 0, 3+11*len(w.Layers))
	vec := func(name string, v *[]float32, n int) { s = append(s, slot{name: name, cols: n, vec: v}) }
	mat := func(name string, m *Matrix, rows, cols int) {
		s = append(s, slot{name: name, rows: rows, cols: cols, mat: m})
	}
	mat("model.embed_tokens.weight", &w.Embed, c.VocabSize, d)
	for i := range w.Layers {
		l, p := &w.Layers[i], "model.layers."+strconv.Itoa(i)+"."
		vec(p+"input_layernorm.weight", &l.InputNorm, d)
		mat(p+"self_attn.q_proj.weight", &l.Q, q, d)
		mat(p+"self_attn.k_proj.weight", &l.K, kv, d)
		mat(p+"self_attn.v_proj.weight", &l.V, kv, d)
		if c.QKNorm() {
			vec(p+"self_attn.q_norm.weight", &l.QNorm, c.HeadDim)
			vec(p+"self_attn.k_norm.weight", &l.KNorm, c.HeadDim)
		}
		mat(p+"self_attn.o_proj.weight", &l.O, d, q)
		vec(p+"post_attention_layernorm.weight", &l.PostNorm, d)
		mat(p+"mlp.gate_proj.weight", &l.Gate, c.IntermediateSize, d)
		mat(p+"mlp.up_proj.weight", &l.Up, c.IntermediateSize, d)
		mat(p+"mlp.down_proj.weight", &l.Down, d, c.IntermediateSize)
	}
	vec("model.norm.weight", &w.Norm, d)
	if !c.TieWordEmbeddings {
		mat("lm_head.weight", &w.Head, c.VocabSize, d)
	}
	return s
}

// check says whether w holds what its config asks for, in memory: a Weights may have
// been built by hand (the trainer does).
func (w *Weights) check() error {
	if err := w.Config.Validate(); err != nil {
		return err
	}
	if len(w.Layers) != w.Config.NumLayers {
		return fmt.Errorf("%d layers, num_hidden_layers asks for %d", len(w.Layers), w.Config.NumLayers)
	}
	for i, l := range w.Layers {
		if !w.Config.QKNorm() && (l.QNorm != nil || l.KNorm != nil) {
			return fmt.Errorf("layer %d has norms of queries and keys, model_type %q has none", i, w.Config.ModelType)
		}
	}
	for _, s := range w.slots() {
		if s.vec != nil {
			if len(*s.vec) != s.cols {
				return fmt.Errorf("tensor %q: %d values, the config asks for %d", s.name, len(*s.vec), s.cols)
			}
			continue
		}
		if err := s.mat.check(s.rows, s.cols); err != nil {
			return fmt.Errorf("tensor %q: %w", s.name, err)
		}
	}
	if w.Config.TieWordEmbeddings && (w.Head.F32 != nil || w.Head.I8 != nil) {
		return errors.New(`tensor "lm_head.weight": set, but the config ties it to the embedding`)
	}
	return nil
}

// check compares a matrix with the shape that is asked for, and its slices with it.
func (m *Matrix) check(rows, cols int) error {
	if m.Rows != rows || m.Cols != cols {
		return fmt.Errorf("shape [%d %d], the config asks for [%d %d]", m.Rows, m.Cols, rows, cols)
	}
	if (m.F32 == nil) == (m.I8 == nil) {
		return errors.New("exactly one of F32 and I8 must be set")
	}
	if g := m.Groups; g != nil && (m.I8 == nil || g.Bits < MinBits || g.Bits > MaxBits || len(g.Codes) != rows*rowBytes(cols, g.Bits) || len(g.Factor) != rows*rowGroups(cols)) {
		return errors.New("the groups are not those of such a matrix")
	}
	if m.F32 != nil && len(m.F32) != rows*cols || m.I8 != nil && (len(m.I8) != rows*cols || len(m.Scale) != rows) {
		return fmt.Errorf("%d F32, %d I8 and %d scales do not make [%d %d]", len(m.F32), len(m.I8), len(m.Scale), rows, cols)
	}
	return nil
}
