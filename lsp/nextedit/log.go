package nextedit

import "strings"

// reach is how far apart, in bytes of one line, two changes may be to be parts of one edit.
const reach = 40

// Log gathers what a person changes in one document into edits: the keys that make a word
// are one. The zero Log is empty. It is not safe for concurrent use.
type Log struct {
	before string // the text before the newest edit
	after  string // the text as it stands
	start  int
	oldEnd int
	newEnd int
	any    bool
}

// Add takes note that a text became another one.
func (l *Log) Add(from, to string) {
	if from == to {
		return
	}
	start, endFrom, endTo := Difference(from, to)
	if l.any && l.after == from && l.joins(from, start, endFrom) {
		shift := l.newEnd - l.oldEnd
		low, high := min(l.start, start), max(l.newEnd, endFrom)
		l.start, l.oldEnd, l.newEnd = low, high-shift, high+endTo-endFrom
		l.after = to
		if l.before == to { // undone
			*l = Log{}
			return
		}
		// What was typed and taken back at the ends is no part of it.
		l.start, l.oldEnd, l.newEnd = Difference(l.before, to)
		return
	}
	*l = Log{before: from, after: to, start: start, oldEnd: endFrom, newEnd: endTo, any: true}
}

// joins says whether a change of [start, end) goes on with the newest edit.
func (l *Log) joins(text string, start, end int) bool {
	a, b := min(l.newEnd, end), max(l.start, start)
	if a >= b {
		return true // they touch
	}
	return b-a <= reach && !strings.Contains(text[a:b], "\n")
}

// Newest is the newest edit, its texts without syntax; false: there is none.
func (l *Log) Newest() (Change, bool) {
	return Change{Before: Document{Text: l.before}, After: Document{Text: l.after}, Start: l.start, OldEnd: l.oldEnd, NewEnd: l.newEnd}, l.any
}
