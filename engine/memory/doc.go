// Package memory remembers the code around a document and says what followed the newest
// tokens there: a cache language model (Kuhn and De Mori 1990; for code, nested by
// locality, Hellendoorn and Devanbu 2017). Code repeats itself more than a small network
// knows, most of all the code of one's own folder: mixed into the causal reading
// ([Guess.Weight]) it brings on held-out code what many times the training would.
//
// Invariants kept here:
//
//   - A guess depends on the texts and on the order in which they were put, on nothing else.
//   - What is forgotten is never guessed again.
//   - Memory is bounded: what was put first goes first.
//   - A lookup looks at a bounded number of places.
package memory
