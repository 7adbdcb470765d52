// Package eval measures a model on code it never saw: infill cases drawn from real
// files, likelihoods, and the speed of keystrokes.
//
// Invariants kept here:
//
//   - A suite is a pure function of its folder, its seed and the model: cases are drawn
//     before any is answered, and none is dropped for its answer.
//   - Answers go the whole way of a keystroke: plan, engine, finish.
package eval
