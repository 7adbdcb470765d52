// Package backend is the one seam of the engine: what a device that runs the
// network must do, and nothing else.
//
// Invariants kept here:
//
//   - Logits never leave a backend. A row's answer is a [Top]: a handful of numbers.
//   - Canvas rows leave no trace: after Forward the cache of every sequence holds
//     exactly its context rows.
//   - Rows of kind [Context] of one sequence come in order and extend its cache;
//     the position of a row is its index in the sequence.
//
// This package imports nothing of ours, so that every device (engine/cpu, cuda)
// and every caller (engine, engine/denoise) can stand on it.
package backend
