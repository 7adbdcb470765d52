package infill

import "strings"

// Places where nothing is suggested to somebody who types.

// finished says whether the statement before the cursor is over and nothing follows on its
// line: the next key is a line end.
func (a *around) finished() bool {
	left := strings.TrimSpace(a.left)
	if left == "" || !blank(a.right) {
		return false
	}
	if n := len(a.sc.stack); n > 0 && a.sc.stack[n-1].open != '{' {
		return false // the head of a for, or an argument
	}
	switch {
	case a.d.semicolons:
		return left[len(left)-1] == ';'
	case a.d.indented:
		return left == "pass" || left == "break" || left == "continue"
	}
	return left == "break" || left == "continue" || left == "fallthrough" || strings.HasSuffix(left, "++") || strings.HasSuffix(left, "--")
}

const (
	dataRun    = 12 // bytes of a key or a hash that are enough to know one by
	dataTurns  = 4  // times that it goes from letters to digits, or back
	dataBegun  = 2  // bytes of a value with which it may be known
	dataValues = 6  // literals before the cursor's one that make a list one of data
)

// data says why the string that the cursor is in is data, which nobody can guess: it ends in a
// number or in what looks like a key, or is one of a list of values, of which not enough is
// typed yet to know it by (a list may be of names: of 24 places in such lists of held-out code
// the model was right in 6, each with some letters typed). Empty: it is not.
func (a *around) data() string {
	if a.sc.in != inString || a.sc.lit.start >= a.at || a.sc.lit.template && len(a.sc.stack) > 0 && a.sc.stack[len(a.sc.stack)-1].quote.close != "" {
		return ""
	}
	tail := a.doc.Text[max(a.lineAt, a.sc.lit.start):a.at]
	if i := strings.LastIndexAny(tail, " \t\"'`"); i >= 0 {
		tail = tail[i+1:]
	}
	turns, number, last := 0, tail != "" && isDigit(tail[0]), byte(0)
	for i := range len(tail) {
		c := tail[i]
		switch {
		case !isWord(c) && strings.IndexByte("+/=-.:,", c) < 0:
			return ""
		case !isDigit(c) && strings.IndexByte(".,:/-_", c) < 0:
			number = false
		}
		if i > 0 && isDigit(c) != isDigit(last) && isWord(c) && isWord(last) {
			turns++
		}
		last = c
	}
	switch {
	case number:
		return "a number"
	case len(tail) >= dataRun && turns >= dataTurns:
		return "a key, a hash or the like"
	case len(tail) < dataBegun && strings.TrimSpace(a.doc.Text[a.sc.lit.start:a.at-len(tail)]) != "":
		return a.listed()
	}
	return ""
}

// listed says whether the string is one of a list that so far holds nothing but literals.
func (a *around) listed() string {
	n := len(a.sc.stack)
	if n == 0 || a.sc.stack[n-1].open == '(' || a.sc.stack[n-1].at < 0 || a.sc.stack[n-1].at >= a.sc.lit.start {
		return ""
	}
	sc := newScanner(a.d, a.sc.stack[n-1].at+1)
	text, values := a.doc.Text[:a.sc.lit.start], 0
	for i := a.sc.stack[n-1].at + 1; i < len(text); {
		was := sc.in
		next, ev := sc.step(text, i, true)
		switch {
		case ev == evOpen || ev == evClose:
			return ""
		case ev == evEnd:
			values++
		case ev == evCode && was == inCode && sc.in == inCode && text[i] != ',' && !isDigit(text[i]) && text[i] != '.' && text[i] != '-':
			return ""
		case ev == evCode && isDigit(text[i]):
			values++
		}
		i = next
	}
	if values < dataValues {
		return ""
	}
	return "one of a list of values"
}
