package train

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// Param is one trained tensor, [Rows, Cols] (Rows 1 for a norm), with its gradient.
// W and G lie in memory from kernels.Alloc.
type Param struct {
	Name       string
	Rows, Cols int
	W, G       []float32
	// Rounded is W as it will be stored, if that is in few bits; nil: as it is (round.go).
	Rounded []float32
	// Hidden marks the matrices between hidden states, which Muon updates;
	// embeddings and norms go to AdamW.
	Hidden bool
}

func newParam(name string, rows, cols int, hidden bool) *Param {
	return &Param{Name: name, Rows: rows, Cols: cols, Hidden: hidden,
		W: kernels.Alloc[float32](rows * cols), G: kernels.Alloc[float32](rows * cols)}
}

// layerParams are the tensors of one transformer block; qNorm and kNorm are nil without
// QK-norm.
type layerParams struct {
	inNorm, q, k, v, qNorm, kNorm, o, postNorm, gate, up, down *Param
}

// Params are all tensors of a network, in a fixed order.
type Params struct {
	Config model.Config
	embed  *Param
	norm   *Param
	layers []layerParams
	All    []*Param
}

// NewParams allocates the tensors of a tied Qwen3- or Llama-shaped network, all zero.
func NewParams(c model.Config) *Params {
	p := &Params{Config: c}
	add := func(name string, rows, cols int, hidden bool) *Param {
		t := newParam(name, rows, cols, hidden)
		p.All = append(p.All, t)
		return t
	}
	d, hd, ff := c.HiddenSize, c.HeadDim, c.IntermediateSize
	headNorm := func(name string) *Param {
		if !c.QKNorm() {
			return nil
		}
		return add(name, 1, hd, false)
	}
	p.embed = add("model.embed_tokens.weight", c.VocabSize, d, false)
	for i := range c.NumLayers {
		n := "model.layers." + strconv.Itoa(i) + "."
		p.layers = append(p.layers, layerParams{
			inNorm:   add(n+"input_layernorm.weight", 1, d, false),
			q:        add(n+"self_attn.q_proj.weight", c.NumHeads*hd, d, true),
			k:        add(n+"self_attn.k_proj.weight", c.NumKVHeads*hd, d, true),
			v:        add(n+"self_attn.v_proj.weight", c.NumKVHeads*hd, d, true),
			qNorm:    headNorm(n + "self_attn.q_norm.weight"),
			kNorm:    headNorm(n + "self_attn.k_norm.weight"),
			o:        add(n+"self_attn.o_proj.weight", d, c.NumHeads*hd, true),
			postNorm: add(n+"post_attention_layernorm.weight", 1, d, false),
			gate:     add(n+"mlp.gate_proj.weight", ff, d, true),
			up:       add(n+"mlp.up_proj.weight", ff, d, true),
			down:     add(n+"mlp.down_proj.weight", d, ff, true),
		})
	}
	p.norm = add("model.norm.weight", 1, d, false)
	return p
}

// Init draws the starting weights: norms one, embeddings N(0, 0.02²), matrices
// N(0, 1/(3·fan-in)), those that write to the residual stream scaled down by the
// square root of twice the depth.
func (p *Params) Init(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	fill := func(t *Param, std float64) {
		for i := range t.W {
			t.W[i] = float32(r.NormFloat64() * std)
		}
	}
	one := func(t *Param) {
		for i := range t.W {
			t.W[i] = 1
		}
	}
	residual := 1 / math.Sqrt(2*float64(len(p.layers)))
	matrix := func(t *Param, scale float64) { fill(t, scale/math.Sqrt(3*float64(t.Cols))) }
	fill(p.embed, 0.02)
	for _, l := range p.layers {
		for _, t := range []*Param{l.inNorm, l.qNorm, l.kNorm, l.postNorm} {
			if t != nil {
				one(t)
			}
		}
		for _, t := range []*Param{l.q, l.k, l.v, l.gate, l.up} {
			matrix(t, 1)
		}
		matrix(l.o, residual)
		matrix(l.down, residual)
	}
	one(p.norm)
}

// Count is the number of weights.
func (p *Params) Count() int {
	n := 0
	for _, t := range p.All {
		n += len(t.W)
	}
	return n
}

// ZeroGrad clears every gradient.
func (p *Params) ZeroGrad() {
	for _, t := range p.All {
		clear(t.G)
	}
}

// Weights views the parameters as a model, without copying.
func (p *Params) Weights() *model.Weights {
	m := func(t *Param) model.Matrix { return model.Matrix{Rows: t.Rows, Cols: t.Cols, F32: t.W} }
	w := &model.Weights{Config: p.Config, Embed: m(p.embed), Norm: p.norm.W}
	for _, l := range p.layers {
		x := model.Layer{
			InputNorm: l.inNorm.W, Q: m(l.q), K: m(l.k), V: m(l.v),
			O: m(l.o), PostNorm: l.postNorm.W, Gate: m(l.gate), Up: m(l.up), Down: m(l.down)}
		if p.Config.QKNorm() {
			x.QNorm, x.KNorm = l.qNorm.W, l.kNorm.W
		}
		w.Layers = append(w.Layers, x)
	}
	return w
}

// Load copies the weights of a model of the same shape.
func (p *Params) Load(w *model.Weights) {
	dst := p.Weights()
	put := func(d, s model.Matrix) {
		if s.I8 != nil {
			for r := range s.Rows {
				for c := range s.Cols {
					d.F32[r*s.Cols+c] = s.Scale[r] * float32(s.I8[r*s.Cols+c])
				}
			}
			return
		}
		copy(d.F32, s.F32)
	}
	put(dst.Embed, w.Embed)
	copy(dst.Norm, w.Norm)
	for i := range dst.Layers {
		a, b := dst.Layers[i], w.Layers[i]
		copy(a.InputNorm, b.InputNorm)
		copy(a.QNorm, b.QNorm)
		copy(a.KNorm, b.KNorm)
		copy(a.PostNorm, b.PostNorm)
		put(a.Q, b.Q)
		put(a.K, b.K)
		put(a.V, b.V)
		put(a.O, b.O)
		put(a.Gate, b.Gate)
		put(a.Up, b.Up)
		put(a.Down, b.Down)
	}
}
