// Package train makes models: forward and backward passes, optimizers, the stages of
// the recipe (method.md), the corpus they read and the checkpoints they leave.
//
// Stage adapt fits a trained model to one repository: the losses of tsc at low rates, for
// as many steps as its text is worth, with a tenth of its files held out to tell the gain by.
//
// Invariants kept here:
//
//   - A run is a pure function of its settings, its corpus and its step: sample i is
//     drawn from (seed, i) alone, so a resumed run has bit-equal losses.
//   - Inputs are laid out by engine.Layout, as in serving.
//   - The held-out split is read by reports, never by gradients.
package train
