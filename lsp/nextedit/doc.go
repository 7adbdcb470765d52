// Package nextedit finds the places that want the change that a person has just made
// somewhere else: the other uses of a name that was changed, the calls of a function that
// got a parameter, the other lines of the same shape, the same literal.
//
// It works on texts and syntax alone; no model is asked. What it finds is exact: each place
// held the old text, and what is proposed is the new one.
//
// # Invariants
//
//   - A name is changed only where it stands for the same thing: never where an inner scope
//     has one of the same name, never where the new name would be taken for another.
//   - Nothing is changed in strings and comments unless the edit was in one, and then only
//     in those.
//   - A change of more than a few words, or over lines, is nobody's pattern.
//   - Places are given in the text as it stands, do not overlap, and do not touch the edit.
package nextedit
