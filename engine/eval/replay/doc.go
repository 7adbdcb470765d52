// Package replay types real editing sessions again and measures what each key costs.
//
// A [Script] is made of a git history ([Record]): of a commit, the files that it changed as
// they were before, and its changes, in the order of a person who goes through the files in
// turns. [Script.Keys] makes keys of it: jumping to the next change, deleting, typing a
// character at a time, pasting what is long. [Run] asks for ghost text after each, the whole
// way from the edit of the text to the suggestion: syntax, plan, engine, finish.
//
// Nothing that is suggested is taken: who types the same all the same is answered from what
// was suggested before. There is no time between keys, so nothing is done ahead.
//
// Invariants kept here:
//
//   - A script needs nothing but itself (one recorded from this project's history is built
//     in), and its keys are a pure function of it.
//   - Typed to the end, a commit's changes give the texts of the commit, within the bounds.
//   - No answer decides which key comes next.
package replay
