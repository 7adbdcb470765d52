// Package infill turns a cursor into a task for the engine and the engine's answer into
// an edit. A [Plan] says whether to complete at all, how far (line, block, function) and
// where to stop; [Plan.Finish] makes the model's text fit what stands around the cursor.
//
// # Invariants
//
//   - The model sees line feeds only. Windows are normalised on the way in, [Plan.Finish]
//     writes the line ends of the cursor's neighbourhood on the way out.
//   - The model sees no secret that is recognized as one ([HideSecrets]): not in a window,
//     and no window's edge cuts one so that its rest is not recognized.
//   - Offsets are bytes of the document as it is, always at character boundaries (a byte
//     that is no UTF-8 counts as a character).
//   - A stop rule is pure and closed under going on: where it has stopped a text, it stops
//     every longer text that begins alike at the same place.
//   - A suggestion never repeats what stands after the cursor, and never closes a bracket
//     that is closed there already.
//   - A suggestion adds no syntax error to a document whose parser is at hand; a line that
//     opens a block counts as closed.
//   - A file without a tree, without a known language, broken in the middle of typing or
//     of any size gets an answer, if only that of a plain text. Cost depends on the windows
//     (a few hundred KB at most), not on the size of the file.
//   - Nothing here knows of editors: positions of other kinds are lsp's.
package infill
