package benchmarks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seedling-lsp/seedling/engine/eval"
)

// Run is how problems are asked.
type Run struct {
	Generator eval.Generator
	Model     string // its name, for the report
	Decode    eval.Named
	Seed      uint64 // of the draw, for the report
	Kept      *Kept
	Progress  func(done int) // told the problems done; may be nil
}

func (r Run) progress(done int) {
	if r.Progress != nil {
		r.Progress(done)
	}
}

// Report is what a model reached on gaps: pass@1 of one greedy answer, the metric of
// HumanEval-Infilling and of SAFIM.
type Report struct {
	Benchmark string            `json:"benchmark"`
	Model     string            `json:"model"`
	Seed      uint64            `json:"seed"`
	Decode    string            `json:"decode"`
	Kinds     map[string]*Score `json:"kinds"` // of SAFIM the languages, and all of them
	LeftOut   []LeftOut         `json:"left_out,omitempty"`
}

// LeftOut are problems that can not be judged here.
type LeftOut struct {
	N    int    `json:"n"`
	What string `json:"what"`
	Why  string `json:"why"`
}

// Score is of the problems of one kind.
type Score struct {
	N        int        `json:"n"`
	PassAt1  float64    `json:"pass_at_1"`
	CI95     [2]float64 `json:"ci95"`
	Exact    float64    `json:"exact"` // answers that are the file's solution, white space around them aside
	TimedOut int        `json:"timed_out"`
	Empty    int        `json:"empty"`
	Forwards float64    `json:"forwards"`

	passed, exact, forwards int
}

// outcome is of one answer.
type outcome struct {
	Text     string `json:"text"`
	Forwards int    `json:"forwards"`
	Passed   bool   `json:"passed"`
	TimedOut bool   `json:"timed_out,omitempty"`
}

// count adds an answer to the score of a kind.
func (r *Report) count(kind string, o outcome, solution string) {
	s := r.Kinds[kind]
	if s == nil {
		s = &Score{}
		r.Kinds[kind] = s
	}
	s.N++
	s.forwards += o.Forwards
	text := strings.TrimSpace(o.Text)
	if text == "" {
		s.Empty++
	}
	if text == strings.TrimSpace(solution) {
		s.exact++
	}
	if o.Passed {
		s.passed++
	}
	if o.TimedOut {
		s.TimedOut++
	}
}

// finish makes shares of the counts.
func (r *Report) finish() {
	for _, s := range r.Kinds {
		s.PassAt1, s.CI95 = float64(s.passed)/float64(s.N), eval.Wilson(s.passed, s.N)
		s.Exact, s.Forwards = float64(s.exact)/float64(s.N), float64(s.forwards)/float64(s.N)
	}
}

// Table is the report for a person.
func (r Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, %s\tn\tpass@1\t95 %%\texact\ttimed out\tempty\tforwards\t\n", r.Model, r.Decode)
	for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
		s := r.Kinds[k]
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t%.1f–%.1f\t%.1f %%\t%d\t%d\t%.1f\t\n", k, s.N, 100*s.PassAt1, 100*s.CI95[0], 100*s.CI95[1], 100*s.Exact, s.TimedOut, s.Empty, s.Forwards)
	}
	w.Flush()
	b.WriteString(leftOut(r.LeftOut))
	return b.String()
}

func leftOut(all []LeftOut) string {
	var b strings.Builder
	for _, l := range all {
		fmt.Fprintf(&b, "left out: %d of %s: %s\n", l.N, l.What, l.Why)
	}
	return b.String()
}
