package infill

// Rules is a set of the rules that finish an answer. Serving uses all; one or another is
// left out to measure what it is worth (`seedling eval finish`).
type Rules uint8

const (
	// RuleLoops cuts an answer where it goes round in circles.
	RuleLoops Rules = 1 << iota
	// RuleOverlap drops the end of a line that stands right of the cursor already.
	RuleOverlap
	// RuleBrackets balances brackets and quotes against what stands after the cursor.
	RuleBrackets
	// RuleBelow drops lines that stand below the cursor already.
	RuleBelow
	// RuleIndent drops indentation that stands there already, and takes over the file's.
	RuleIndent
	// RuleWhole cuts a block that the budget broke off back to its last whole line.
	RuleWhole
	// RuleSyntax keeps what parses in its place as well as the document did without it.
	RuleSyntax

	// AllRules are what [Plan.Finish] goes by.
	AllRules Rules = 1<<iota - 1
)

// RuleOrder lists the rules in the order of their work, with the names of reports.
var RuleOrder = []struct {
	Rule Rules
	Name string
}{
	{RuleLoops, "loops"}, {RuleOverlap, "overlap"}, {RuleBrackets, "brackets"}, {RuleBelow, "below"},
	{RuleIndent, "indent"}, {RuleWhole, "whole"}, {RuleSyntax, "syntax"},
}

// Has reports whether all of the rules named are in the set.
func (r Rules) Has(rules Rules) bool { return r&rules == rules }
