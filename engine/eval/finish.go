package eval

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Proportion is K of N with its 95 % Wilson interval.
type Proportion struct {
	K    int        `json:"k"`
	N    int        `json:"n"`
	P    float64    `json:"p"`
	CI95 [2]float64 `json:"ci95"`
}

func (p *Proportion) add(yes bool) {
	if p.N++; yes {
		p.K++
	}
}

func (p *Proportion) close() {
	p.P, p.CI95 = float64(p.K)/float64(max(p.N, 1)), Wilson(p.K, p.N)
}

// FinishRow is what suggestions are like under one set of rules.
type FinishRow struct {
	Rules   string     `json:"rules"`
	Shown   Proportion `json:"shown"`   // of all places
	Exact   Proportion `json:"exact"`   // of all places: the line or block is what its author wrote
	Right   Proportion `json:"right"`   // of those shown: exact, or a beginning of it
	Repeats Proportion `json:"repeats"` // of those shown and not exact: writes again what stands after the cursor
	Keeps   Proportion `json:"keeps"`   // of those shown: adds no syntax error
	Changed int        `json:"changed"` // places where the suggestion is another than in the row that it is compared with
}

// FinishReport is the answer of `seedling eval finish`.
type FinishReport struct {
	Model      string            `json:"model"`
	Places     map[PlaceKind]int `json:"places"`
	Seed       uint64            `json:"seed"`
	MinLogProb float64           `json:"min_logprob"`
	// Steps begin with the stop rule alone; each adds one rule to the one before.
	Steps []FinishRow `json:"steps"`
	// Without have all rules but one.
	Without []FinishRow `json:"without"`
	// Faulty are suggestions of the whole finish that add syntax errors or repeat what
	// stands after the cursor, for a person to read.
	Faulty []string `json:"faulty,omitempty"`
}

// variant is a set of rules, and whether unlikely answers are withheld.
type variant struct {
	name     string
	rules    infill.Rules
	likely   bool
	compared int // index of the variant that it is compared with
}

func variants() []variant {
	out := []variant{{"the stop rule alone", 0, false, 0}}
	var sum infill.Rules
	for _, r := range infill.RuleOrder {
		sum |= r.Rule
		out = append(out, variant{"+ " + r.Name, sum, false, len(out) - 1})
	}
	out = append(out, variant{"+ likelihood", sum, true, len(out) - 1})
	all := len(out) - 1
	for _, r := range infill.RuleOrder {
		out = append(out, variant{"all but " + r.Name, sum &^ r.Rule, true, all})
	}
	return out
}

// Finish asks the model once at every place and finishes what it says under every set of
// rules. minLogProb is the bound of the first line's likelihood under which a suggestion is
// withheld (nats); progress is told the places done.
func Finish(ctx context.Context, g Generator, name string, places []Place, seed uint64, minLogProb float64, progress func(done int)) (FinishReport, error) {
	rep := FinishReport{Model: name, Places: map[PlaceKind]int{}, Seed: seed, MinLogProb: minLogProb}
	vs := variants()
	rows := make([]FinishRow, len(vs))
	parser := treesitter.NewParser(treesitter.Limits{Time: -1})
	defer parser.Close()
	for i, p := range places {
		rep.Places[p.Kind]++
		if err := finishPlace(ctx, g, parser, p, i, minLogProb, vs, rows, &rep); err != nil {
			return rep, fmt.Errorf("%s, byte %d: %w", p.Path, p.At, err)
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	steps := len(infill.RuleOrder) + 2
	for i := range rows {
		r := &rows[i]
		r.Rules = vs[i].name
		for _, p := range []*Proportion{&r.Shown, &r.Exact, &r.Right, &r.Repeats, &r.Keeps} {
			p.close()
		}
	}
	rep.Steps, rep.Without = rows[:steps], rows[steps:]
	return rep, nil
}

func finishPlace(ctx context.Context, g Generator, parser *treesitter.Parser, p Place, id int, minLogProb float64, vs []variant, rows []FinishRow, rep *FinishReport) error {
	tree, err := parser.Parse(p.Language, nil, p.Text)
	if err != nil {
		return err
	}
	defer tree.Close()
	plan := infill.NewPlan(infill.Document{Path: p.Path, Language: p.Language, Text: p.Text, Tree: tree, Parser: parser}, infill.ByteOffset(p.At),
		infill.Options{Priority: engine.Typed, Document: fmt.Sprintf("place %d", id)})
	req := plan.Request()
	req.Decode, req.Score = denoise.Verify, true
	req.Stop = plan.StopWith(0)
	res, err := g.Generate(ctx, req)
	if err != nil {
		return err
	}
	judged := map[infill.Suggestion]verdict{}
	shown := make([]infill.Suggestion, len(vs))
	for i, v := range vs {
		s := plan.FinishWith(res, v.rules)
		s.Stop = ""
		if v.likely && res.LineLogProb < minLogProb {
			s = infill.Suggestion{}
		}
		shown[i] = s
		r := &rows[i]
		if s != shown[v.compared] {
			r.Changed++
		}
		r.Shown.add(s.Text != "")
		if s.Text == "" {
			r.Exact.add(false)
			continue
		}
		j, ok := judged[s]
		if !ok {
			if j, err = judge(parser, p, tree, s); err != nil {
				return err
			}
			judged[s] = j
		}
		r.Exact.add(j.exact)
		r.Right.add(j.right)
		r.Repeats.add(j.repeats)
		r.Keeps.add(j.keeps)
		if i == len(infill.RuleOrder)+1 && (j.repeats || !j.keeps) && len(rep.Faulty) < 200 {
			line, _, _ := strings.Cut(p.Text[s.End:], "\n")
			rep.Faulty = append(rep.Faulty, fmt.Sprintf("%s %s:%d repeats %v keeps %v: %s‹%s›«%s»%s  (%s)", p.Kind, p.Path, strings.Count(p.Text[:p.At], "\n")+1,
				j.repeats, j.keeps, lineBefore(p.Text, p.At), s.Text, p.Text[s.Start:s.End], line, p.Truth))
		}
	}
	return nil
}

// verdict is what a suggestion is like in its place.
type verdict struct{ exact, right, repeats, keeps bool }

func judge(parser *treesitter.Parser, p Place, tree *treesitter.Tree, s infill.Suggestion) (v verdict, err error) {
	rest, _, _ := strings.Cut(p.Text[p.At:], "\n")
	want := strings.TrimRight(p.Truth+rest, " \t\n")
	// The suggestion may replace through the end of the line, and no further.
	got := strings.TrimRight(s.Text+rest[int(s.End)-p.At:], " \t\n")
	v.exact = got == want
	v.right = v.exact || strings.HasPrefix(p.Truth, strings.TrimRight(s.Text, " \t\n")) && s.End == s.Start
	v.repeats = !v.exact && repeats(p.Text, p.Language, s)
	after, err := parser.Parse(p.Language, tree, p.Text[:s.Start]+s.Text+p.Text[s.End:])
	if err != nil {
		return v, err
	}
	defer after.Close()
	was, is := tree.Problems(), after.Problems()
	v.keeps = is.Errors+is.Missing <= was.Errors+was.Missing
	return v, nil
}

// Table is the report for a person.
func (r FinishReport) Table() string {
	var b strings.Builder
	n := 0
	for _, k := range r.Places {
		n += k
	}
	fmt.Fprintf(&b, "%s, %d places, seed %d, shown from %g nats\n", r.Model, n, r.Seed, r.MinLogProb)
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "rules\tshown\texact\tof shown right\trepeats\tkeeps syntax\tchanges\t\n")
	for _, row := range append(append([]FinishRow{}, r.Steps...), r.Without...) {
		fmt.Fprintf(w, "%s\t", row.Rules)
		for _, p := range []Proportion{row.Shown, row.Exact, row.Right, row.Repeats, row.Keeps} {
			fmt.Fprintf(w, "%.1f %% (%.1f–%.1f)\t", 100*p.P, 100*p.CI95[0], 100*p.CI95[1])
		}
		fmt.Fprintf(w, "%d\t\n", row.Changed)
	}
	w.Flush()
	return b.String()
}
