// Package treesitter is the one door to the C grammars: languages, incremental
// parsing, and the plain facts about a place in a text that planning, training and
// evaluation need. It hands out byte ranges and classes, never a node.
//
// # Invariants
//
//   - Only this package imports github.com/smacker/go-tree-sitter.
//   - No tree is read between Edit and Parse: the edited tree is a copy that never
//     leaves [Parser.Parse]. (The binding loses an edit's new end point, so positions
//     read in between are wrong; those after the parse are right.)
//   - A parse is never given a context that can be cancelled: the binding may raise the
//     cancel flag after the parse ended and so fail the next one. Work is bounded by
//     [Limits] instead.
//   - A [Tree] is immutable and safe for concurrent use: every reading walks a copy of its
//     own, since the binding caches each visited node in an unguarded map.
//   - A nil *Tree is a valid tree that knows nothing: files that are too large, too slow
//     or of no known language have one.
//   - Nothing outside the text can be named by an edit: edits are found by comparing the
//     old text with the new one, never taken from a client, because a wrong edit makes the
//     C code read where it should not and no Go program survives that.
//   - This package knows nothing of editors and nothing of models.
package treesitter
