// Package kernels is the C of the CPU backend behind cgo: packed int8 weights, one call
// for a whole forward pass, threads that C owns. kernels.h is its interface, net.h what
// the instruction sets share; isa_*.c are the sets, each made of the same sources:
// simd.h, quantize.h, rows.h, attention.h, head.h and, for products, its own tile or
// vnni.h. forward.c puts them together.
//
// A set is chosen by name when a network is packed. Sets that the machine lacks run
// through package emulated in tests.
//
// Invariants kept here:
//
//   - No kernel aborts; codes become errors here.
//   - Handles ([Net], [Cache], [Pool]) own C memory until they are closed, and no pointer
//     into Go's memory outlives a call.
//   - [NewNet] holds what it is given to its shape; batches are held to theirs by package
//     cpu.
package kernels
