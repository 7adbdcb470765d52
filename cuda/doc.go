// Package cuda is the engine's backend for NVIDIA cards from the A100 on: our own kernels
// (kernels/), launched through the driver that is found at run time (driver/). Weights and
// activations are bf16, sums and the residual stream fp32; int8 weights are widened.
//
// A pass is embedding, five launches a layer (norm+QKV+QK-norm+RoPE+cache write,
// attention, out+residual, norm+gate/up+SwiGLU, down+residual), the head and its merge.
// Norms take no launch and no pass of their own: their weights are folded into those of
// the product after them.
//
// Invariants kept here:
//
//   - Nothing is allocated before the whole plan is known to fit ([Plan]).
//   - The caches' lengths move only after a pass has succeeded; what a failed pass wrote
//     lies behind them and is never read.
//   - Logits are never written to memory.
//   - Sums are taken in an order that does not depend on timing: the same batch gives the
//     same bits.
package cuda
