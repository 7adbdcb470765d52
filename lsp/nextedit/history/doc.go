// Package history measures next edits on what people did: of a commit that changes single
// lines, one of these changes is taken for a person's edit, and what package nextedit
// proposes for it is compared with the rest of the commit.
//
// What it counts is hard on the proposals: a place that the author left for another commit,
// or changed together with more on the same line, is none that is exact. A commit has much
// that no edit of a line implies, so there is no share of all its changes here, only of those
// by the same words as the edit.
//
// # Invariants
//
//   - The repository is only read, by git itself; nothing of it is run.
//   - Same repository, same settings: same result.
package history
