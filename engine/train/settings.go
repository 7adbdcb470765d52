package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/seedling-lsp/seedling/engine/model"
)

// Settings are all that a run depends on besides its corpus and tokenizer. They are
// read from a JSON file (--config), unknown keys refused, and kept in every checkpoint.
type Settings struct {
	Stage string `json:"stage"` // "ar", "tsc", "order", "onpolicy" or "adapt"
	Seed  uint64 `json:"seed"`

	// Shape of a model that starts from nothing; ignored with --init.
	Hidden       int `json:"hidden"`
	Intermediate int `json:"intermediate"`
	Layers       int `json:"layers"`
	Heads        int `json:"heads"`
	KVHeads      int `json:"kv_heads"`
	HeadDim      int `json:"head_dim"`
	Positions    int `json:"positions"` // longest document in tokens, and RoPE's table

	// Steps of the stage. The learning rate warms up, stays, and falls linearly to
	// zero over the last Decay steps; a decayed branch may be cut from any checkpoint.
	Steps  int `json:"steps"`
	Warmup int `json:"warmup"`
	Decay  int `json:"decay"`

	StepTokens  int     `json:"step_tokens"`  // clean tokens per optimizer step
	MicroTokens int     `json:"micro_tokens"` // clean tokens per micro-batch
	NoisedShare float64 `json:"noised_share"` // tsc: noised rows per clean row

	// Optimizer of the hidden matrices: "muon", or "adamw" at HiddenLR. Muon's orthogonalisation
	// is a fixed price a step: a third of it at 73 M weights and 4,096 tokens.
	Optimizer string  `json:"optimizer"`
	MuonLR    float64 `json:"muon_lr"` // hidden matrices; update RMS 0.2·lr as AdamW's
	MuonBeta  float64 `json:"muon_beta"`
	AdamLR    float64 `json:"adam_lr"` // embeddings and norms
	// HiddenLR is AdamW's rate for hidden matrices; 0: AdamLR. A checkpoint with a new
	// vocabulary wants less here than its new rows want there.
	HiddenLR    float64 `json:"hidden_lr,omitempty"`
	WeightDecay float64 `json:"weight_decay"`
	// WeightBits is in how many bits hidden matrices will be stored (model.Groups): 4 to 6,
	// and they learn with that rounding; 0: in 8, which needs none.
	WeightBits int     `json:"weight_bits,omitempty"`
	Clip       float64 `json:"clip"` // bound of the gradient's norm

	FIMShare   float64 `json:"fim_share"`   // share of documents with a suffix
	TestShare  float64 `json:"test_share"`  // weight of test files beside others
	MinWindow  int     `json:"min_window"`  // tokens of the shortest document drawn
	MaxMiddle  int     `json:"max_middle"`  // tokens of the longest middle
	ARWeight   float64 `json:"ar_weight"`   // λ_a
	EndWeight  float64 `json:"end_weight"`  // of the end token
	FillWeight float64 `json:"fill_weight"` // of end tokens that fill a last block

	// Shift trains a canvas row to foretell the token after it (model.Scheme.Shift).
	Shift      bool    `json:"shift"`
	BlockSizes []int   `json:"block_sizes"`
	AllMask    float64 `json:"all_mask"`    // share of noised blocks that are all mask
	MaskRamp   int     `json:"mask_ramp"`   // steps over which the noise bound grows to 1
	TimeWeight bool    `json:"time_weight"` // weight 1/u of random masks after the ramp
	EditFrom   float64 `json:"edit_from"`   // share of steps before edits begin (the paper: 0.8)
	EditShare  float64 `json:"edit_share"`  // share of noised blocks that are edits, from then on
	EditRate   float64 `json:"edit_rate"`   // largest α
	CleanEdits float64 `json:"clean_edits"` // share of edit blocks left clean

	// Stages order and onpolicy, which learn from the model's own trajectories.
	OwnShare  float64 `json:"own_share,omitempty"`  // of the noised rows
	OwnWeight float64 `json:"own_weight,omitempty"` // of what was kept (order) or verified (onpolicy)
	Pool      int     `json:"pool,omitempty"`       // order: generations of a block
	KeepShare float64 `json:"keep_share,omitempty"` // order: of the pool, best by ELBO first
	RealShare float64 `json:"real_share,omitempty"` // order: of states on the way to the file's own text

	EvalEvery  int     `json:"eval_every"`  // steps between held-out reports
	EvalTokens int     `json:"eval_tokens"` // clean tokens of a report
	SaveEvery  float64 `json:"save_every"`  // minutes between checkpoints
}

// DefaultSettings are those of a stage of the built-in model but for its length, schedule
// and seed, which each run sets (engine/train/runs).
func DefaultSettings(stage string) Settings {
	s := Settings{Stage: stage, Seed: 1,
		Hidden: 256, Intermediate: 768, Layers: 6, Heads: 4, KVHeads: 2, HeadDim: 64, Positions: 1024,
		Steps: 1000, Warmup: 100, Decay: 0, StepTokens: 4096, MicroTokens: 2048,
		Optimizer: "muon", MuonLR: 0.005, MuonBeta: 0.95, AdamLR: 0.003, WeightDecay: 0.02, Clip: 1,
		FIMShare: 0.7, TestShare: 0.3, MinWindow: 96, MaxMiddle: 192,
		ARWeight: 1, EndWeight: 3, FillWeight: 0.1,
		BlockSizes: []int{4, 8, 16, 16, 32}, EditFrom: 0.8, EvalEvery: 200, EvalTokens: 16384, SaveEvery: 4}
	if stage == "tsc" {
		s.Steps, s.Warmup, s.Decay = 3000, 50, 600
		s.NoisedShare, s.AllMask, s.MaskRamp = 0.5, 0.5, 100
		s.EditShare, s.EditRate, s.CleanEdits = 0.3, 0.1, 0.2
		s.FIMShare = 0.8
		s.Shift, s.BlockSizes = true, []int{4, 4, 8, 8}
	}
	if stage == "adapt" {
		// The losses of tsc at its end, masks and edits together, at low rates: what the model
		// knows must not be washed out by a repository. Steps follow from the text (fitted).
		s.Steps, s.Warmup, s.Decay = 100, 10, 50
		s.MuonLR, s.AdamLR = 0.002, 0.001
		s.NoisedShare, s.AllMask = 0.5, 0.5
		s.EditFrom, s.EditShare, s.EditRate, s.CleanEdits = 0, 0.3, 0.1, 0.2
		s.FIMShare, s.TestShare = 0.8, 1
		s.Shift, s.BlockSizes = true, []int{4, 4, 8, 8}
		s.EvalEvery, s.SaveEvery = 100, 1
	}
	if s.own() {
		s.Steps, s.Warmup, s.Decay = 300, 20, 150
		s.MuonLR, s.AdamLR = 0.002, 0.001
		s.NoisedShare, s.AllMask, s.EditFrom, s.EditShare, s.EditRate, s.CleanEdits = 0.5, 0.5, 0, 0.2, 0.1, 0.2
		s.FIMShare = 0.8
		s.Shift, s.BlockSizes = true, []int{4, 8, 8}
		s.OwnShare, s.OwnWeight, s.EvalEvery = 0.6, 1, 50
		if stage == "order" {
			s.Pool, s.KeepShare, s.RealShare = 4, 0.5, 0.5
		}
	}
	return s
}

// ReadSettings reads a settings file over the defaults of a stage.
func ReadSettings(path, stage string) (Settings, error) {
	s := DefaultSettings(stage)
	if path == "" {
		return s, s.Validate()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("reading training settings: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("training settings %s: %w; see engine/train/runs for examples", path, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("training settings %s: more than one JSON value", path)
	}
	if s.Stage != stage {
		return s, fmt.Errorf("training settings %s are for stage %q, not %q", path, s.Stage, stage)
	}
	return s, s.Validate()
}

// Validate checks what would otherwise fail an hour later.
func (s Settings) Validate() error {
	share := func(v float64) bool { return v >= 0 && v <= 1 && !math.IsNaN(v) }
	for _, c := range []struct {
		ok   bool
		what string
	}{
		{s.Stage == "ar" || s.Stage == "tsc" || s.Stage == "adapt" || s.own(), "stage must be ar, tsc, order, onpolicy or adapt"},
		{share(s.OwnShare) && share(s.KeepShare) && share(s.RealShare) && s.OwnWeight >= 0, "own_share, keep_share and real_share must be in 0..1, own_weight not negative"},
		{s.Stage != "order" || s.Pool >= 2 && s.Pool <= 32, "stage order needs a pool of 2..32"},
		{s.Hidden > 0 && s.Hidden%8 == 0, "hidden must be a positive multiple of 8"},
		{s.Intermediate > 0 && s.Layers > 0 && s.Heads > 0, "intermediate, layers and heads must be positive"},
		{s.KVHeads > 0 && s.Heads%max(s.KVHeads, 1) == 0, "kv_heads must divide heads"},
		{s.HeadDim > 0 && s.HeadDim%8 == 0, "head_dim must be a positive multiple of 8"},
		{s.Positions >= 64 && s.Positions <= 1<<16, "positions must be in 64..65536"},
		{s.Steps > 0 && s.Warmup >= 0 && s.Decay >= 0 && s.Decay <= s.Steps, "steps must be positive, decay at most steps"},
		{s.MicroTokens >= s.Positions && s.StepTokens >= s.MicroTokens && s.StepTokens%s.MicroTokens == 0, "step_tokens must be a multiple of micro_tokens, and micro_tokens at least positions"},
		{share(s.FIMShare) && share(s.TestShare) && share(s.AllMask) && share(s.EditShare) && share(s.EditFrom) && share(s.EditRate) && share(s.CleanEdits), "shares must be in 0..1"},
		{s.NoisedShare >= 0 && s.NoisedShare <= 4, "noised_share must be in 0..4"},
		{s.Stage == "ar" || s.NoisedShare > 0 && len(s.BlockSizes) > 0, "all stages but ar need noised_share and block_sizes"},
		{s.MinWindow >= 32 && s.MinWindow <= s.Positions, "min_window must be in 32..positions"},
		{s.MaxMiddle > 0 && s.MaxMiddle <= s.Positions/2, "max_middle must be in 1..positions/2"},
		{s.Optimizer == "muon" || s.Optimizer == "adamw", "optimizer must be muon or adamw"},
		{s.MuonLR > 0 && s.AdamLR > 0 && s.Clip > 0, "learning rates and clip must be positive"},
		{s.HiddenLR >= 0 && (s.HiddenLR == 0 || s.Optimizer == "adamw"), "hidden_lr must not be negative, and is for optimizer adamw"},
		{s.MuonBeta >= 0 && s.MuonBeta < 1, "muon_beta must be in 0..1, below 1"},
		{s.WeightBits == 0 || s.WeightBits >= model.MinBits && s.WeightBits <= model.MaxBits, "weight_bits must be 4, 5 or 6, or 0 for 8"},
		{s.WeightDecay >= 0, "weight_decay must not be negative"},
		{s.ARWeight >= 0 && s.EndWeight >= 0 && s.FillWeight >= 0, "weights must not be negative"},
		{s.EvalEvery > 0 && s.EvalTokens > 0, "eval_every and eval_tokens must be positive"},
	} {
		if !c.ok {
			return fmt.Errorf("training settings: %s", c.what)
		}
	}
	for _, b := range s.BlockSizes {
		if b < 1 || b > 64 {
			return fmt.Errorf("training settings: block size %d is not in 1..64", b)
		}
	}
	return nil
}

// Model is the configuration of a model that starts from nothing.
func (s Settings) Model(vocab int, tokens model.SpecialTokens) model.Config {
	end := int(tokens.End)
	return model.Config{
		Architectures: []string{"Qwen3ForCausalLM"}, ModelType: "qwen3", HiddenAct: "silu", TorchDType: "float32",
		HiddenSize: s.Hidden, IntermediateSize: s.Intermediate, NumLayers: s.Layers, NumHeads: s.Heads, NumKVHeads: s.KVHeads,
		HeadDim: s.HeadDim, VocabSize: vocab, MaxPositions: s.Positions, RMSNormEps: 1e-6, RopeTheta: 10000,
		TieWordEmbeddings: true, EOSTokenID: &end,
		Seedling: model.Scheme{Version: 1, ContextAttention: "causal", Commit: "reread", CanvasMark: true, BlockSize: 8, Tokens: tokens},
	}
}

// rate is the schedule's factor at a step, from 0: linear warm-up, constant, linear fall.
func (s Settings) rate(step int) float64 {
	r := 1.0
	if step < s.Warmup {
		r = float64(step+1) / float64(s.Warmup+1)
	}
	if left := s.Steps - step; left < s.Decay {
		r = min(r, float64(left)/float64(s.Decay+1))
	}
	return r
}
