// Package kernels holds the CUDA sources of the backend and the device images made of
// them: PTX for compute_80, which any driver from CUDA 11.8 on compiles for cards from
// the A100 on, and a cubin for sm_90a (H20, H100, H200), which loads as it is and has the
// kernels for e4m3, too. The PTX that the cubin is made of stands beside it for the tests,
// which run it; it is not in the binary.
//
// Invariants kept here:
//
//   - The images are what the sources give: the hash of the sources is stored beside them,
//     and where NVRTC and ptxas are found the test compiles again and compares.
//   - No kernel spills a register (image/ptxas.txt is the assembler's own report).
//   - The inline assembly is all in asm.cuh.
//
// What a kernel computes, and the layout of what it reads, stands above it in its file.
package kernels
