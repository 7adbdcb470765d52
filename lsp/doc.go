// Package lsp is the language server: lifecycle, documents, one file for each method or
// feature, and one file ([Encoding], position.go) that knows how positions are counted.
//
// A message passes frames.go (whole and sound, or refused there), then chain.go (in order,
// or beside others), then its method's file. What the server says on its own is in
// status.go and load.go. Settings are the tags of one struct (settings.go); which documents
// are left alone is in withheld.go.
//
// Invariants kept here:
//
//   - Only this package knows LSP's types; nothing below it sees a URI or a position.
//   - Notifications are handled in the order of the wire; a request takes its snapshot and
//     is registered there, too, and only then overlaps with others.
//   - Documents are immutable snapshots. An answer belongs to the version that was asked:
//     a change, or a newer request for the document, ends the request, and no text of it
//     leaves afterwards.
//   - Of a document that is left alone (turned off, excluded, ignored, of secrets, too large)
//     nothing reaches the engine, and the status says why.
//   - An edit that we send names the version that it is of, where the client can refuse by it,
//     and is not sent for a version that is gone.
//   - The read loop reads no file: a disk may be slow.
//   - No message, however broken, ends the server; nothing is written to stdout but frames.
//   - What asks the client something never runs on the read loop, which brings the answer.
package lsp
