// Package benchmarks reads the files of public benchmarks, which the user brings, and scores
// a model by their own metrics: HumanEval-Infilling, SAFIM and CanItEdit. None of their data is
// here; the tests have problems of ours in their form.
//
// Invariants kept here:
//
//   - What a model wrote runs in the sandbox (engine/eval/sandbox) or not at all.
//   - A problem that can not be judged on this machine is left out before it is asked, for a
//     reason that has nothing to do with the answer, and counted with it.
//   - Problems are drawn by a seed before any is answered; an answer that was kept ([Kept]) is
//     taken for the same model, decoding and problem only.
package benchmarks
