package denoise

// Mode is how a block is decided.
type Mode uint8

const (
	// Diffusion unmasks in parallel by threshold and revises (method.md, section 6).
	Diffusion Mode = iota
	// Verify denoises a draft and keeps the longest prefix that greedy causal
	// decoding would have written: exactly the causal text, in fewer forwards.
	Verify
	// Causal writes one token a forward, left to right, as any language model.
	Causal
)

// Phase says what a forward pass was for.
type Phase uint8

const (
	PhasePrefill Phase = iota
	PhaseDenoise
	PhaseCommit
)
