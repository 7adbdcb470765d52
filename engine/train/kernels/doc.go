// Package kernels holds the trainer's compute kernels: C behind cgo, one source for
// each operator, compiled for every instruction set and picked at run time. The tests
// hold every table to a plain-Go reference (reference_test.go), also those that the
// machine lacks the instructions for (package emulated).
//
// Invariants kept here:
//
//   - No kernel allocates, keeps state or aborts.
//   - Threads own disjoint outputs, so a result does not depend on their number or order.
//   - Tensors live in memory from [Alloc], outside Go's heap, so that structures with
//     pointers may cross into C.
package kernels
