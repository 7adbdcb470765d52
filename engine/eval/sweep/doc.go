// Package sweep measures what a key costs in files from short to very long, and what a pass
// costs by its rows, and draws both.
//
// Invariants kept here:
//
//   - All files are of the same declarations, the keys are the same, and each phrase is typed
//     in all files before the next one: what else the machine does is in every point.
//   - A key is measured from its edit to the suggestion (excerpt, syntax, plan, engine, finish),
//     without a language server around it; that is `go test -bench FileSize ./lsp`.
package sweep
