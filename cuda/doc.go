// Package cuda is the engine's backend for NVIDIA cards from the A100 on: our own kernels
// (kernels/), launched through the driver that is found at run time (driver/). Weights and
// activations are bf16, or on Hopper e4m3 with scales ([Options].FP8): a scale an output
// feature of weights, a scale a row and 64 columns of activations. Sums and the residual stream
// are fp32, keys and values bf16; int8 weights are widened.
//
// A pass is embedding, four launches a layer (norm+QKV+QK-norm+RoPE+cache write, attention,
// out+residual, norm+gate/up+SwiGLU+down+residual), the head and its merge. Norms take no
// launch and no pass of their own: their weights are folded into those of the product after
// them. The cache is in pages of 64 tokens, which forks share until one of them writes; the
// keys of long contexts are cut into parts, each a block's work.
//
// The launches of a pass are made once a shape (rows and items of attention, in powers of two)
// and never change: what differs from pass to pass stands in memory. So the second pass of a
// shape is captured as a graph, and starting one makes no garbage.
//
// In diffusion the card also decides (ForwardAhead): the kernel decide unmasks, revises and
// makes the next pass's batch, so that several passes are started together and waited for
// once. engine/denoise repeats each decision from the answers and has the last word. Verify's
// decisions stay with the host, whose memory of the text has a say in each.
//
// What a pass must cost on a card is modelled kernel by kernel ([PlanTable]); its bytes are held
// to what the interpreter counts. `go test ./cuda/... -cuda` holds every kernel to its reference
// on a real card and measures each against the plan. None of this has yet run on one.
//
// Invariants kept here:
//
//   - Nothing is allocated before the whole plan is known to fit ([Plan]).
//   - The caches' lengths move only after a pass has succeeded; what a failed pass wrote
//     lies behind them and is never read. A page that two sequences hold is never written.
//   - Logits are never written to memory.
//   - Sums are taken in an order that does not depend on timing: the same batch gives the
//     same bits.
package cuda
