// Package emulated runs the AVX-512 kernels on any processor: the sources of package
// kernels in the shape of AVX-512 (16 floats a vector, tiles of 12 by 32), compiled for
// the baseline instead, with a stand-in for the one instruction they name. So their
// tiling, edges, packing and rounding are tested where the instructions are missing.
// It is slow and only tests import it.
//
// Invariants kept here:
//
//   - No kernel is written here: what is tested is what AVX-512 machines run.
//
// With the build tag simde, vdpbf16ps is SIMDe's (Debian: libsimde-dev) instead of ours,
// a second opinion on what the instruction means.
package emulated
