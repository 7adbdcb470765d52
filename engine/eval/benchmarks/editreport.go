package benchmarks

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
)

// EditReport is what a model reached on CanItEdit: its two metrics, of one greedy answer.
type EditReport struct {
	Benchmark    string                `json:"benchmark"`
	Model        string                `json:"model"`
	Seed         uint64                `json:"seed"`
	Instructions map[string]*EditScore `json:"instructions"` // descriptive, lazy, all
	LeftOut      []LeftOut             `json:"left_out,omitempty"`
}

// EditScore is of the programs changed by one kind of instruction.
type EditScore struct {
	N       int        `json:"n"`
	PassAt1 float64    `json:"pass_at_1"`
	CI95    [2]float64 `json:"ci95"`
	// Excess is ExcessCode: of the programs that pass, the mean of lines that the tests do not
	// run over the lines of the difference. nil: none passed.
	Excess   *Excess                `json:"excess_code,omitempty"`
	Kinds    map[string]*ChangeKind `json:"change_kinds,omitempty"`
	Changed  int                    `json:"changed"` // programs of which anything was changed
	Exact    float64                `json:"exact"`   // programs changed as in the file
	TimedOut int                    `json:"timed_out"`
	Forwards float64                `json:"forwards"`

	passed, exact, forwards int
	excess                  []float64
}

// Excess is a mean with its standard error and the interval of 1.96 of it.
type Excess struct {
	N    int        `json:"n"`
	Mean float64    `json:"mean"`
	SE   float64    `json:"se"`
	CI95 [2]float64 `json:"ci95"`
}

// ChangeKind is of the changes of one kind.
type ChangeKind struct {
	N       int        `json:"n"`
	PassAt1 float64    `json:"pass_at_1"`
	CI95    [2]float64 `json:"ci95"`

	passed int
}

// leave counts a problem of which the solution did not pass.
func (r *EditReport) leave(res sandbox.Result) {
	why := "it takes too long"
	if !res.TimedOut {
		lines := strings.Split(strings.TrimSpace(res.Output), "\n")
		why = lines[len(lines)-1]
		if len(why) > 120 {
			why = strings.ToValidUTF8(why[:120], "") + "…"
		}
	}
	why = "their own solution does not pass here: " + why
	i := slices.IndexFunc(r.LeftOut, func(l LeftOut) bool { return l.Why == why })
	if i < 0 {
		i = len(r.LeftOut)
		r.LeftOut = append(r.LeftOut, LeftOut{What: "the problems", Why: why})
	}
	r.LeftOut[i].N++
}

// count adds a changed program.
func (r *EditReport) count(name string, p Instructed, e edited) {
	s := r.Instructions[name]
	if s == nil {
		s = &EditScore{Kinds: map[string]*ChangeKind{}}
		r.Instructions[name] = s
	}
	s.N++
	s.forwards += e.Forwards
	if e.Text != p.Before {
		s.Changed++
	}
	if strings.TrimSpace(e.Text) == strings.TrimSpace(p.After) {
		s.exact++
	}
	if e.TimedOut {
		s.TimedOut++
	}
	kind := s.Kinds[p.Taxonomy.Kind]
	if kind == nil {
		kind = &ChangeKind{}
		if p.Taxonomy.Kind != "" {
			s.Kinds[p.Taxonomy.Kind] = kind
		}
	}
	kind.N++
	if e.Passed {
		s.passed++
		kind.passed++
	}
	if e.Excess != nil {
		s.excess = append(s.excess, e.Excess.score())
	}
}

// finish makes shares and means of the counts.
func (r *EditReport) finish() {
	for _, s := range r.Instructions {
		s.PassAt1, s.CI95 = float64(s.passed)/float64(s.N), eval.Wilson(s.passed, s.N)
		s.Exact, s.Forwards = float64(s.exact)/float64(s.N), float64(s.forwards)/float64(s.N)
		for _, k := range s.Kinds {
			k.PassAt1, k.CI95 = float64(k.passed)/float64(k.N), eval.Wilson(k.passed, k.N)
		}
		if n := float64(len(s.excess)); n > 0 {
			e := &Excess{N: len(s.excess)}
			var squares float64
			for _, x := range s.excess {
				e.Mean += x / n
			}
			for _, x := range s.excess {
				squares += (x - e.Mean) * (x - e.Mean)
			}
			e.SE = math.Sqrt(squares/n) / math.Sqrt(n) // as the benchmark's script: of the population
			e.CI95 = [2]float64{max(0, e.Mean-1.96*e.SE), e.Mean + 1.96*e.SE}
			s.Excess = e
		}
	}
}

// Table is the report for a person.
func (r EditReport) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tn\tpass@1\t95 %%\tExcessCode\t95 %%\tchanged\texact\ttimed out\tforwards\t\n", r.Model)
	for _, name := range slices.Sorted(maps.Keys(r.Instructions)) {
		s := r.Instructions[name]
		code, interval := "–", "–"
		if e := s.Excess; e != nil {
			code, interval = fmt.Sprintf("%.1f %%", 100*e.Mean), fmt.Sprintf("%.1f–%.1f", 100*e.CI95[0], 100*e.CI95[1])
		}
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t%.1f–%.1f\t%s\t%s\t%d\t%.1f %%\t%d\t%.1f\t\n", name, s.N, 100*s.PassAt1, 100*s.CI95[0], 100*s.CI95[1], code, interval, s.Changed, 100*s.Exact, s.TimedOut, s.Forwards)
		for _, kind := range slices.Sorted(maps.Keys(s.Kinds)) {
			k := s.Kinds[kind]
			fmt.Fprintf(w, "%s, %s\t%d\t%.1f %%\t%.1f–%.1f\t\t\t\t\t\t\t\n", name, kind, k.N, 100*k.PassAt1, 100*k.CI95[0], 100*k.CI95[1])
		}
	}
	w.Flush()
	b.WriteString(leftOut(r.LeftOut))
	return b.String()
}
