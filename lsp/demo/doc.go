// Package demo shows the main job to a person: the real server in this process, an
// editor's side of the conversation over a pipe, ghost text as it comes.
//
// Invariants kept here:
//
//   - Nothing is staged: what is printed is what the server answered.
package demo
