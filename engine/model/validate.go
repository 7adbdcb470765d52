package model

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// Bounds of what is taken for a model at all. They are far above any Qwen3 (the largest
// has d 5,120, 64 layers, 64 heads, ff 25,600, vocabulary 151,936), and low enough that no
// product of them overflows an int64.
const (
	maxHidden    = 1 << 16
	maxFF        = 1 << 18
	maxLayers    = 512
	maxHeads     = 1024
	maxHeadDim   = 1024
	maxVocab     = 1 << 20
	maxPositions = 1 << 22
	maxBlock     = 1024
)

// Validate says whether the network that c describes is one that Seedling computes, and
// whether c agrees with itself. The error names the key of config.json and what it may be.
func (c *Config) Validate() error {
	if err := c.validateNetwork(); err != nil {
		return err
	}
	if err := c.Seedling.validate(c); err != nil {
		return fmt.Errorf("seedling: %w", err)
	}
	return nil
}

// validateNetwork is Validate without the scheme, which checkpoints of others lack.
func (c *Config) validateNetwork() error {
	switch {
	case slices.Contains(c.Architectures, qwen3Architecture) && c.ModelType == qwen3ModelType:
	case slices.Contains(c.Architectures, llamaArchitecture) && c.ModelType == llamaModelType:
	default:
		return fmt.Errorf("architectures %q with model_type %q: only Qwen3ForCausalLM with qwen3 and LlamaForCausalLM with llama are supported",
			c.Architectures, c.ModelType)
	}
	for _, dim := range []struct {
		key           string
		value         int
		multiple, max int
	}{
		{"hidden_size", c.HiddenSize, 8, maxHidden},
		{"intermediate_size", c.IntermediateSize, 1, maxFF},
		{"num_hidden_layers", c.NumLayers, 1, maxLayers},
		{"num_attention_heads", c.NumHeads, 1, maxHeads},
		{"num_key_value_heads", c.NumKVHeads, 1, maxHeads},
		{"head_dim", c.HeadDim, 8, maxHeadDim},
		{"vocab_size", c.VocabSize, 1, maxVocab},
		{"max_position_embeddings", c.MaxPositions, 1, maxPositions},
	} {
		if dim.value < dim.multiple || dim.value > dim.max || dim.value%dim.multiple != 0 {
			return fmt.Errorf("%s is %d: must be a multiple of %d from %d to %d",
				dim.key, dim.value, dim.multiple, dim.multiple, dim.max)
		}
	}
	if c.NumHeads%c.NumKVHeads != 0 {
		return fmt.Errorf("num_attention_heads %d is no multiple of num_key_value_heads %d", c.NumHeads, c.NumKVHeads)
	}
	// Negated, so that a NaN (which JSON can not say, but a caller can) is refused too.
	if !(c.RMSNormEps > 0 && c.RMSNormEps <= 0.1) {
		return fmt.Errorf("rms_norm_eps is %g: must be above 0 and at most 0.1 (Qwen3: 1e-06)", c.RMSNormEps)
	}
	if !(c.RopeTheta >= 1 && c.RopeTheta <= math.MaxFloat32) {
		return fmt.Errorf("rope_theta is %g: must be a finite number from 1 on (Qwen3: 1000000)", c.RopeTheta)
	}
	if c.HiddenAct != "silu" {
		return fmt.Errorf("hidden_act is %q: only silu is supported", c.HiddenAct)
	}
	if c.AttentionBias {
		return errors.New("attention_bias is true: only projections without bias are supported")
	}
	switch c.TorchDType {
	case "", "float32", "bfloat16", "float16":
	default:
		return fmt.Errorf("torch_dtype is %q: must be float32, bfloat16 or float16", c.TorchDType)
	}
	for _, id := range []struct {
		key string
		id  *int
	}{{"bos_token_id", c.BOSTokenID}, {"eos_token_id", c.EOSTokenID}} {
		if id.id != nil && (*id.id < 0 || *id.id >= c.VocabSize) {
			return fmt.Errorf("%s is %d: the vocabulary has %d tokens", id.key, *id.id, c.VocabSize)
		}
	}
	return nil
}

func (s *Scheme) validate(c *Config) error {
	if s.Version == 0 {
		return errors.New("no version: config.json needs a \"seedling\" key that says how the model denoises; " +
			"a plain causal checkpoint has none and must be trained first (`seedling train --init`)")
	}
	if s.Version != 1 {
		return fmt.Errorf("version is %d, this build knows 1: update seedling", s.Version)
	}
	if s.ContextAttention != "causal" {
		return fmt.Errorf("context_attention is %q: only causal is supported", s.ContextAttention)
	}
	if s.Commit != "reread" {
		return fmt.Errorf("commit is %q: only reread is supported", s.Commit)
	}
	if s.BlockSize < 1 || s.BlockSize > min(maxBlock, c.MaxPositions) {
		return fmt.Errorf("block_size is %d: must be from 1 to %d", s.BlockSize, min(maxBlock, c.MaxPositions))
	}
	names := [...]string{"mask", "end", "suffix", "prefix", "draft", "path", "repo", "delete", "insert"}
	t := &s.Tokens
	ids := [...]backend.TokenID{t.Mask, t.End, t.Suffix, t.Prefix, t.Draft, t.Path, t.Repo, t.Delete, t.Insert}
	for i, id := range ids {
		if id < 0 || int(id) >= c.VocabSize {
			return fmt.Errorf("tokens.%s is %d: the vocabulary has %d tokens", names[i], id, c.VocabSize)
		}
		if j := slices.Index(ids[:], id); j < i {
			return fmt.Errorf("tokens.%s and tokens.%s are both %d: each needs an id of its own", names[j], names[i], id)
		}
	}
	return nil
}
