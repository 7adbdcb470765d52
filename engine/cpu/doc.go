// Package cpu runs the network on processors: int8 weights and C kernels picked for the
// instruction set at run time (avx512vnni, avx2, portable), beside a plain-Go reference
// ("go") that also takes float weights.
//
// Invariants kept here:
//
//   - Everything that reaches C was checked in Go and lives in C's memory.
//   - Canvas rows write no cache; a pass that fails or is cancelled moves no length.
//   - Every instruction set quantizes alike, so answers differ by float rounding alone.
package cpu
