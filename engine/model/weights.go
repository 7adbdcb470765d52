package model

// Matrix is a weight of shape [Rows, Cols] = [output features, input features],
// row-major. Exactly one of F32 and I8 is set. With I8 the value at (r, c) is
// Scale[r] * I8[r*Cols+c] (symmetric, one scale an output row).
type Matrix struct {
	Rows, Cols int
	F32        []float32
	I8         []int8
	Scale      []float32
}

// Layer holds the weights of one transformer block, named as Qwen3 does.
type Layer struct {
	InputNorm []float32 // input_layernorm.weight [d]
	Q         Matrix    // self_attn.q_proj.weight [heads*headDim, d]
	K         Matrix    // self_attn.k_proj.weight [kvHeads*headDim, d]
	V         Matrix    // self_attn.v_proj.weight [kvHeads*headDim, d]
	QNorm     []float32 // self_attn.q_norm.weight [headDim]
	KNorm     []float32 // self_attn.k_norm.weight [headDim]
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
