// Package weights is the built-in model: its files, embedded in the binary, and its card.
//
// Invariants kept here:
//
//   - What is embedded was trained by this repository's trainer on the sources that the
//     card lists.
package weights
