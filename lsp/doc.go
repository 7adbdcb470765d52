// Package lsp is the language server: lifecycle, documents, one file for each method or
// feature, and one file ([Encoding], position.go) that knows how positions are counted.
//
// Invariants kept here:
//
//   - Only this package knows LSP's types; nothing below it sees a URI or a position.
//   - Notifications are handled in the order of the wire; a request takes its snapshot
//     there, too, and only then overlaps with others.
//   - Documents are immutable snapshots. An answer belongs to the version that was asked.
//   - No message, however broken, ends the server; nothing is written to stdout but frames.
package lsp
