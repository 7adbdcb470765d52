package infill

import "strings"

// What a small model does when it is lost: it says the same thing for ever, surer of it
// each time, so that its own likelihood is no warning.
const (
	loopPeriod = 40 // bytes of what is said again, at the most
	loopTimes  = 4  // times it must have been said
	loopBytes  = 32 // and bytes that it must fill
)

// loop is the length of the shortest beginning of s that ends in a loop; -1 if none does.
// Rulers and padding (no letter, no digit) are none.
func loop(s string) int {
	var run [loopPeriod + 1]int // by period: bytes up to here that equal the one so far back
	word := -1                  // the last letter or digit
	for i := range len(s) {
		if isWord(s[i]) && s[i] != '_' {
			word = i
		}
		for p := 1; p <= min(loopPeriod, i); p++ {
			if s[i] != s[i-p] {
				run[p] = 0
				continue
			}
			if run[p]++; run[p] >= (loopTimes-1)*p && run[p]+p >= loopBytes && i-word < p {
				return i + 1
			}
		}
	}
	return -1
}

// cut is the stop rule over the model's text, which ends where it goes round in circles.
func (p Plan) cut(s string, final bool) (keep int, name string) {
	n := loop(s)
	if n < 0 || p.Mode == Nothing {
		return p.rule.cut(s, final)
	}
	// Unless the rule has had enough before, nothing of it is worth showing, but for a first
	// line before the circle.
	if keep, name = p.rule.cut(s[:n], false); name != "" {
		return keep, name
	}
	if i := strings.IndexByte(s[:n], '\n'); i > 0 && p.Mode.overLines() && loop(s[:i]) < 0 {
		return i, "line"
	}
	return 0, "none"
}
