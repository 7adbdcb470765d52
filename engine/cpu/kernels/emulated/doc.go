// Package emulated runs the kernels for AVX-512 VNNI and AVX-VNNI on any processor: their
// own sources with vectors that the compiler takes apart, and a stand-in for the one
// instruction that they name. So tiling, edges, packing and the offset of activations are
// tested where the instructions are missing. It is slow and only tests import it.
//
// Invariants kept here:
//
//   - No kernel is written here: what is tested is what those machines run.
//
// With the build tag simde, vpdpbusd is SIMDe's (Debian: libsimde-dev) instead of ours, a
// second opinion on what the instruction means.
package emulated
