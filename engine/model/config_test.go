package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each of these configs would give another network than the one that was trained, or
// dimensions that overflow, and no other test looks at them.
func TestConfigRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"architecture", func(c *Config) { c.Architectures = []string{"LlamaForCausalLM"} }, "architectures"},
		{"model type", func(c *Config) { c.ModelType = "qwen2" }, "qwen2"},
		{"d 0", func(c *Config) { c.HiddenSize = 0 }, "hidden_size"},
		{"d negative", func(c *Config) { c.HiddenSize = -8 }, "hidden_size"},
		{"d odd", func(c *Config) { c.HiddenSize = 12 }, "hidden_size"},
		{"d absurd", func(c *Config) { c.HiddenSize = 1 << 40 }, "hidden_size"},
		{"ff 0", func(c *Config) { c.IntermediateSize = 0 }, "intermediate_size"},
		{"layers 0", func(c *Config) { c.NumLayers = 0 }, "num_hidden_layers"},
		{"layers absurd", func(c *Config) { c.NumLayers = math.MaxInt }, "num_hidden_layers"},
		{"heads 0", func(c *Config) { c.NumHeads = 0 }, "num_attention_heads"},
		{"kv 0", func(c *Config) { c.NumKVHeads = 0 }, "num_key_value_heads"},
		{"kv no divisor", func(c *Config) { c.NumHeads, c.NumKVHeads = 3, 2 }, "no multiple"},
		{"kv above heads", func(c *Config) { c.NumHeads, c.NumKVHeads = 2, 4 }, "no multiple"},
		{"head 12", func(c *Config) { c.HeadDim = 12 }, "head_dim"},
		{"vocab 0", func(c *Config) { c.VocabSize = 0 }, "vocab_size"},
		{"positions 0", func(c *Config) { c.MaxPositions = 0 }, "max_position"},
		{"eps 0", func(c *Config) { c.RMSNormEps = 0 }, "rms_norm_eps"},
		{"eps 1", func(c *Config) { c.RMSNormEps = 1 }, "rms_norm_eps"},
		{"eps NaN", func(c *Config) { c.RMSNormEps = math.NaN() }, "rms_norm_eps"},
		{"theta 0", func(c *Config) { c.RopeTheta = 0 }, "rope_theta"},
		{"theta infinite", func(c *Config) { c.RopeTheta = math.Inf(1) }, "rope_theta"},
		{"gelu", func(c *Config) { c.HiddenAct = "gelu" }, "hidden_act"},
		{"bias", func(c *Config) { c.AttentionBias = true }, "attention_bias"},
		{"dtype", func(c *Config) { c.TorchDType = "float64" }, "torch_dtype"},
		{"eos", func(c *Config) { e := 11; c.EOSTokenID = &e }, "eos_token_id"},
		{"bos", func(c *Config) { e := -1; c.BOSTokenID = &e }, "bos_token_id"},
		{"no scheme", func(c *Config) { c.Seedling = Scheme{} }, `"seedling" key`},
		{"version", func(c *Config) { c.Seedling.Version = 2 }, "update seedling"},
		{"context", func(c *Config) { c.Seedling.ContextAttention = "full" }, "context_attention"},
		{"commit", func(c *Config) { c.Seedling.Commit = "keep" }, "commit"},
		{"block 0", func(c *Config) { c.Seedling.BlockSize = 0 }, "block_size"},
		{"block above positions", func(c *Config) { c.Seedling.BlockSize = 17 }, "block_size"},
		{"token outside", func(c *Config) { c.Seedling.Tokens.Repo = 11 }, "tokens.repo"},
		{"token negative", func(c *Config) { c.Seedling.Tokens.Mask = -1 }, "tokens.mask"},
		{"tokens equal", func(c *Config) { c.Seedling.Tokens.Insert = 0 }, "tokens.mask and tokens.insert"},
	} {
		cfg := tinyConfig()
		c.edit(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	cfg := tinyConfig()
	if err := cfg.Validate(); err != nil {
		t.Errorf("the config that these start from: %v", err)
	}
	// The bounds themselves must not overflow the count of parameters.
	cfg.HiddenSize, cfg.IntermediateSize, cfg.NumLayers, cfg.NumHeads, cfg.NumKVHeads = maxHidden, maxFF, maxLayers, maxHeads, maxHeads
	cfg.HeadDim, cfg.VocabSize, cfg.TieWordEmbeddings = maxHeadDim, maxVocab, false
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if n := cfg.parameters(); n < 1<<46 || n > 1<<50 {
		t.Errorf("%d parameters at the bounds", n)
	}
}

// What stands in a config.json by other tools, or damaged.
func TestParseConfig(t *testing.T) {
	tiny := tinyConfig()
	good, err := json.MarshalIndent(tiny, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	insert := func(pairs string) string { return "{" + pairs + "," + string(good[1:]) }
	replace := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	for _, c := range []struct{ name, text, want string }{
		{"as we write it", string(good), ""},
		{"foreign keys", insert(`"transformers_version":"5.23.0","use_cache":true,"pad_token_id":null,"rope_scaling":null,"sliding_window":null,"use_sliding_window":false,"layer_types":["full_attention","full_attention"],"dtype":"float32"`), ""},
		{"theta as transformers 5 has it", replace(`"rope_theta": 10000`, `"rope_parameters":{"rope_theta":10000.0,"rope_type":"default"}`), ""},
		{"theta in both places", insert(`"rope_parameters":{"rope_theta":10000.0}`), ""},
		{"int8 of ours", replace(`"model_type": "qwen3"`, `"model_type": "seedling_int8"`), ""},
		{"two thetas", insert(`"rope_parameters":{"rope_theta":1000000}`), "make them one"},
		{"two types", insert(`"dtype":"bfloat16"`), "make them one"},
		{"yarn", insert(`"rope_parameters":{"rope_type":"yarn"}`), "rope_type"},
		{"partial", insert(`"rope_parameters":{"partial_rotary_factor":0.5}`), "partial_rotary_factor"},
		{"scaling", insert(`"rope_scaling":{"type":"linear"}`), "rope_scaling"},
		{"window", insert(`"use_sliding_window":true`), "use_sliding_window"},
		{"layer types", insert(`"layer_types":["full_attention","sliding_attention"]`), "layer_types[1]"},
		{"quantized", insert(`"quantization_config":{"quant_method":"awq"}`), "quantization_config"},
		{"twice", insert(`"hidden_size":16`), "twice"},
		{"twice in another case", insert(`"Hidden_Size":16`), "twice"},
		{"twice inside", replace(`"mask": 0`, `"mask": 0, "mask": 0`), "twice"},
		{"a fraction", replace(`"hidden_size": 8`, `"hidden_size": 8.5`), "hidden_size"},
		{"a string", replace(`"hidden_size": 8`, `"hidden_size": "8"`), "hidden_size"},
		{"too large for an int", replace(`"hidden_size": 8`, `"hidden_size": 1e99`), "hidden_size"},
		{"token above int32", replace(`"mask": 0`, `"mask": 4294967296`), "mask"},
		{"two objects", string(good) + "{}", "follows"},
		{"cut", string(good[:len(good)/2]), "unexpected E"},
		{"array", "[]", "array"},
		{"null", "null", "architectures"},
		{"empty", "", "unexpected EOF"},
		{"no UTF-8", replace("qwen3", "qwen\xff"), "UTF-8"},
		{"deep", strings.Repeat(`{"a":`, 100), "deeper"},
	} {
		got, err := ParseConfig([]byte(c.text))
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if d := cmp.Diff(tiny, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// The golden config is what the Python script wrote by hand: keys that we write must be
// the same, or the two would drift apart.
func TestConfigKeys(t *testing.T) {
	w, err := LoadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := w.Save(dir); err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile(filepath.Join(dir, ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	readGolden(t, ConfigFile, &a)
	if err := json.Unmarshal(ours, &b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
}

func FuzzParseConfig(f *testing.F) {
	tiny := tinyConfig()
	good, err := json.Marshal(tiny)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"rope_parameters":{"rope_theta":1e6},"layer_types":[],"dtype":"bfloat16"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		d, err := ParseConfig(again)
		if err != nil || cmp.Diff(c, d) != "" {
			t.Fatalf("accepted, but not when written again: %v %s", err, cmp.Diff(c, d))
		}
	})
}
