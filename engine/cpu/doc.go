// Package cpu runs the network on processors: int8 weights and C kernels picked for the
// instruction set at run time (avx512vnni, avxvnni, avx2, neondot, portable), beside a
// plain-Go reference ("go") that also takes float weights.
//
// Invariants kept here:
//
//   - Everything that reaches C was checked in Go and lives in C's memory.
//   - Canvas rows write no cache; a pass that fails or is cancelled moves no length.
//   - Answers do not depend, to the last bit, on the number of threads, on the batch in
//     which a row comes, or on how its context was cut into passes.
//   - Every instruction set quantizes alike, so answers differ by float rounding alone
//     (and by what the next layer's quantization makes of it).
//   - Between passes no thread runs.
package cpu
