// Package train makes models: forward and backward passes, optimizers, the stages of
// the recipe (method.md), the corpus they read and the checkpoints they leave.
//
// Invariants kept here:
//
//   - A run is a pure function of its settings, its corpus and its step: sample i is
//     drawn from (seed, i) alone, so a resumed run has bit-equal losses.
//   - Inputs are laid out by engine.Layout, as in serving.
//   - The held-out split is read by reports, never by gradients.
package train
