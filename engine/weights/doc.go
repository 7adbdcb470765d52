// Package weights is the small model of the binary: its files, embedded, and its card. The
// large one is in package large, so that what does not want its size need not link it.
//
// Invariants kept here:
//
//   - What is embedded was trained by this repository's trainer on the sources that the
//     card lists; the large model from a checkpoint that its card names.
package weights
