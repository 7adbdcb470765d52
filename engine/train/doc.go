// Package train makes models: forward and backward passes, optimizers, the stages of
// the recipe (method.md), the corpus they read and the checkpoints they leave.
//
// Stages order and onpolicy go on from a trained model, on states of trajectories that it
// takes itself while they run: in order the pool's best by ELBO, in onpolicy bold ones,
// whose end is foretold at once where careful decoding, or the file, has the same text. What
// is drawn follows from the weights and the micro-batch, so that they resume exactly;
// speed.csv has the tokens a forward and the exact match of held-out blocks. They are new:
// that they speed a model up at the same exact match has not been shown yet.
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
