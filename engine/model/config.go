package model

import "github.com/seedling-lsp/seedling/engine/backend"

// Config is the content of a model directory's config.json: the keys of Qwen3 and Llama
// that transformers reads, and ours under "seedling".
type Config struct {
	Architectures     []string `json:"architectures"` // ["Qwen3ForCausalLM"] or ["LlamaForCausalLM"]
	ModelType         string   `json:"model_type"`    // "qwen3" or "llama"; on disk "seedling_int8" for int8
	HiddenSize        int      `json:"hidden_size"`
	IntermediateSize  int      `json:"intermediate_size"`
	NumLayers         int      `json:"num_hidden_layers"`
	NumHeads          int      `json:"num_attention_heads"`
	NumKVHeads        int      `json:"num_key_value_heads"`
	HeadDim           int      `json:"head_dim"`
	VocabSize         int      `json:"vocab_size"`
	MaxPositions      int      `json:"max_position_embeddings"`
	RMSNormEps        float64  `json:"rms_norm_eps"`
	RopeTheta         float64  `json:"rope_theta"`
	TieWordEmbeddings bool     `json:"tie_word_embeddings"`
	HiddenAct         string   `json:"hidden_act"`     // "silu"
	AttentionBias     bool     `json:"attention_bias"` // false
	// TorchDType is the type of the floating-point tensors as transformers names it:
	// "float32", "bfloat16" or "float16"; empty is float32. Save goes by it.
	TorchDType string `json:"torch_dtype,omitempty"`
	BOSTokenID *int   `json:"bos_token_id"`
	EOSTokenID *int   `json:"eos_token_id"`

	Seedling Scheme `json:"seedling"`
}

// The architectures by the names of transformers, with their model types.
const (
	qwen3Architecture, qwen3ModelType = "Qwen3ForCausalLM", "qwen3"
	llamaArchitecture, llamaModelType = "LlamaForCausalLM", "llama"
)

// QKNorm says whether each head's queries and keys are normalised before RoPE, by weights
// of their own ([Layer].QNorm, KNorm). Qwen3 does that; Llama does not and has no such
// tensors, and is else the same network.
func (c *Config) QKNorm() bool { return c.ModelType != llamaModelType }

// Scheme is how a checkpoint denoises: the switches in which block-diffusion
// models differ (DESIGN.md, "The model"), and its special tokens.
type Scheme struct {
	Version int `json:"version"` // 1

	// Plain is a language model that was never trained on our markers and canvases: it
	// reads the text before the gap alone, and decodes causally. Stages of training make
	// it one that is not.
	Plain bool `json:"plain,omitempty"`
	// ContextAttention is how context rows attend: "causal".
	ContextAttention string `json:"context_attention"`
	// Commit is how a finished block enters the cache: "reread" (causally, as context).
	Commit string `json:"commit"`
	// Shift: a canvas row predicts the token after it instead of its own, as a context
	// row does. While a block is all mask, its first position is foretold by the last
	// context row, position i by the mask at i-1. Once tokens are decided, the last context
	// token leaves the context and leads the canvas as a visible row. The mask at the last
	// position is left out: nothing is asked of it.
	Shift bool `json:"shift"`
	// CanvasMark: the embedding of the mask token is added to that of every visible
	// canvas token, so that a row knows that it is canvas and sees what stands after it; a
	// masked position is the mask's embedding alone.
	CanvasMark bool `json:"canvas_mark"`
	// BlockSize is the canvas size the checkpoint is served with unless told otherwise.
	BlockSize int `json:"block_size"`
	// Revises: the edit stage was trained, so placed tokens may be revised.
	Revises bool `json:"revises"`

	Tokens SpecialTokens `json:"tokens"`
}

// SpecialTokens are the ids of the tokens that no text encodes to.
type SpecialTokens struct {
	Mask   backend.TokenID `json:"mask"`
	End    backend.TokenID `json:"end"`
	Suffix backend.TokenID `json:"suffix"`
	Prefix backend.TokenID `json:"prefix"`
	Draft  backend.TokenID `json:"draft"`
	Path   backend.TokenID `json:"path"`
	Repo   backend.TokenID `json:"repo"`
	Delete backend.TokenID `json:"delete"`
	Insert backend.TokenID `json:"insert"`
}
