// Package large is the large model of the binary: its files, embedded, and its card.
//
// Invariants kept here:
//
//   - Only the command imports it: whatever links it grows by its 78 MB.
//   - Its file stays under 80 MB, its layers in the bits a weight that it was trained through.
package large
