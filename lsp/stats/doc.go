// Package stats counts, on this machine alone, what was suggested and what became of it,
// for the person who runs the server: `seedling stats` and `seedling doctor` print it.
//
// # Invariants
//
//   - No code, no path and no name of a person's making is in the file: it holds counts by
//     day and language, the names of editors, and the engine's errors.
//   - Nothing is sent anywhere.
//   - The file is bounded: days, languages, editors and errors beyond a number are dropped.
//   - It is replaced whole, under a lock: servers of several windows add to it, none reads a
//     half of it, and a broken one is put aside and begun anew.
//   - A nil [Recorder] is one that counts nothing.
package stats
