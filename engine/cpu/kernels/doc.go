// Package kernels is the C of the CPU backend behind cgo: packed int8 weights, one call
// for a whole forward pass, threads that C owns.
//
// Invariants kept here:
//
//   - No kernel aborts; codes become errors here.
//   - Handles ([Net], [Cache], [Pool]) own C memory until they are closed.
package kernels
