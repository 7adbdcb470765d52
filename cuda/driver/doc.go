// Package driver is the little of the CUDA driver that the backend needs, behind one
// interface, with makers for a real card and for tests.
//
//   - [Open] loads libcuda.so.1 at run time: nothing of CUDA is needed to build.
//   - [NewInterpreter] runs PTX without a card (package ptx) and reports what is wrong in it.
//   - [NewMemory] is a device that keeps memory and runs nothing.
//   - [Record] wraps any driver: it checks arguments, counts calls, fails the call it is
//     told to, and knows what was never freed.
//
// Invariants kept here:
//
//   - One locked OS thread owns a real device's context; every call is made there.
//   - An error of the driver carries the call, the driver's own name for it and its text.
//   - Launches run in order; Read, Write and Sync return after everything before them.
package driver
