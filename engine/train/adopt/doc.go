// Package adopt makes models of other people's checkpoints: it reads a GGUF file, adds
// Seedling's special tokens, and may cut the vocabulary to what a corpus uses and leave
// layers out, so that a trainer of two cores has less to carry.
//
// Invariants kept here:
//
//   - What is not cut is not changed: kept tokens and layers have the file's weights.
//   - Whatever the vocabulary is cut to, every text can still be encoded and decodes to
//     itself.
//   - Of a corpus the training split alone is read.
package adopt
