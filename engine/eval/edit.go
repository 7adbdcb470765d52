package eval

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Editor looks for faults: an engine, or a stand-in.
type Editor interface {
	Edit(ctx context.Context, r engine.EditRequest) (engine.EditResult, error)
}

// Share is a share of cases with its 95 % interval (Wilson).
type Share struct {
	N     int        `json:"n"`
	Share float64    `json:"share"`
	CI95  [2]float64 `json:"ci95"`
}

func shareOf(k, n int) Share {
	return Share{N: n, Share: float64(k) / float64(max(n, 1)), CI95: Wilson(k, n)}
}

// EditReport is the answer of `seedling eval edit`.
type EditReport struct {
	Model  string  `json:"model"`
	Seed   uint64  `json:"seed"`
	Margin float64 `json:"margin"` // confidence from which a change is suggested
	// Repaired are the faults of which the first suggestion restored the function exactly.
	Repaired Share           `json:"repaired"`
	ByFault  map[Fault]Share `json:"by_fault"`
	// ByLanguage are those, and the false alarms, by language.
	ByLanguage map[string]EditLanguage `json:"by_language"`
	// Found are the faults for which anything was suggested, Reachable those whose repair
	// was among the changes that make the region likelier, whatever the margin.
	Found     Share `json:"found"`
	Reachable Share `json:"reachable"`
	// FalseAlarms are the clean functions for which a change was suggested.
	FalseAlarms Share `json:"false_alarms"`
	// Calibration is what other margins would give.
	Calibration []EditPoint `json:"calibration"`
	MsP50       float64     `json:"ms_p50"` // of a function
	MsP95       float64     `json:"ms_p95"`
	Forwards    float64     `json:"forwards"` // mean

	answers []EditAnswer
}

// EditLanguage is of the cases in one language.
type EditLanguage struct {
	Repaired    Share `json:"repaired"`
	FalseAlarms Share `json:"false_alarms"`
}

// EditPoint is a point of repair against false alarms.
type EditPoint struct {
	Margin      float64 `json:"margin"`
	Repaired    float64 `json:"repaired"`
	FalseAlarms float64 `json:"false_alarms"`
}

// margins at which calibration is reported; the first lets every change through.
var margins = []float64{-99, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2}

// EditAnswer is a case with its first suggestion, whatever the margin.
type EditAnswer struct {
	Case       EditCase
	Confidence float64 `json:"-"` // of the first suggestion; -Inf: there was none
	Exact      bool    // it restores the function
	Reachable  bool    // a change that does was among those found
	Old, New   string
	Source     string
	Changes    []EditChange
}

// EditChange is a change that was found, whatever the margin.
type EditChange struct {
	engine.Change
	At       int  // of its piece in the text
	Exact    bool // it restores the function
	Fits     bool // it parses no worse
	Features []float64
}

// Answers are the cases behind the report.
func (r *EditReport) Answers() []EditAnswer { return r.answers }

// Edit looks for faults in every case. progress is told the cases done.
func Edit(ctx context.Context, g Editor, name string, clean, broken []EditCase, seed uint64, progress func(done int)) (*EditReport, error) {
	rep := &EditReport{Model: name, Seed: seed, Margin: infill.EditMargin, ByFault: map[Fault]Share{}, ByLanguage: map[string]EditLanguage{}}
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	var ms []float64
	forwards := 0
	any := math.Inf(-1)
	for i, c := range append(append([]EditCase(nil), clean...), broken...) {
		tree, err := parser.Parse(c.Language, nil, c.Text)
		if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", c.Path, err)
		}
		start := time.Now()
		a := EditAnswer{Case: c, Confidence: any}
		doc := infill.Document{Path: c.Path, Language: c.Language, Text: c.Text, Tree: tree}
		for _, p := range infill.Pieces(doc, infill.ByteOffset(c.Start), infill.ByteOffset(c.End), infill.EditOptions{Margin: &any, Priority: engine.Invoked, Document: fmt.Sprint("case ", i)}) {
			res, err := g.Edit(ctx, p.Request())
			if err != nil {
				return nil, fmt.Errorf("%s, byte %d: %w", c.Path, c.Start, err)
			}
			forwards += res.Forwards
			for _, ch := range res.Changes {
				exact := c.Text[c.Start:p.Start]+p.Apply(ch.Proposal)+c.Text[p.End:c.End] == c.Truth
				a.Changes = append(a.Changes, EditChange{ch, int(p.Start), exact, p.Fits(ch.Proposal, parser), p.Features(ch)})
				a.Reachable = a.Reachable || exact
			}
			if e, ok := p.Finish(res, parser); ok && e.Confidence > a.Confidence {
				a.Confidence, a.Old, a.New, a.Source = e.Confidence, e.Old, e.New, e.Source.String()
				done := infill.ApplyEdits(c.Text, e.Edits)
				a.Exact = done[c.Start:c.End+len(done)-len(c.Text)] == c.Truth
			}
		}
		tree.Close()
		ms = append(ms, float64(time.Since(start).Microseconds())/1000)
		rep.answers = append(rep.answers, a)
		if progress != nil {
			progress(i + 1)
		}
	}
	rep.count()
	rep.MsP50, rep.MsP95 = percentile(ms, 0.5), percentile(ms, 0.95)
	rep.Forwards = float64(forwards) / float64(max(len(ms), 1))
	return rep, nil
}

// count sums the answers.
func (r *EditReport) count() {
	var alarms, clean, found, reachable, repaired int
	by, fixed := map[Fault]int{}, map[Fault]int{}
	type counts struct{ broken, repaired, clean, alarms int }
	languages := map[string]*counts{}
	for _, a := range r.answers {
		shown := a.Confidence >= r.Margin
		of := languages[a.Case.Language.String()]
		if of == nil {
			of = &counts{}
			languages[a.Case.Language.String()] = of
		}
		if a.Case.Fault == "" {
			of.clean++
		} else {
			of.broken++
		}
		switch {
		case a.Case.Fault == "":
			clean++
			if shown {
				alarms++
				of.alarms++
			}
			continue
		case shown:
			found++
			if a.Exact {
				repaired++
				of.repaired++
				fixed[a.Case.Fault]++
			}
		}
		by[a.Case.Fault]++
		if a.Reachable {
			reachable++
		}
	}
	broken := len(r.answers) - clean
	r.Repaired, r.Found, r.Reachable, r.FalseAlarms = shareOf(repaired, broken), shareOf(found, broken), shareOf(reachable, broken), shareOf(alarms, clean)
	for l, c := range languages {
		r.ByLanguage[l] = EditLanguage{Repaired: shareOf(c.repaired, c.broken), FalseAlarms: shareOf(c.alarms, c.clean)}
	}
	for f, n := range by {
		r.ByFault[f] = shareOf(fixed[f], n)
	}
	for _, m := range margins {
		var alarms, repaired int
		for _, a := range r.answers {
			switch {
			case a.Confidence < m:
			case a.Case.Fault == "":
				alarms++
			case a.Exact:
				repaired++
			}
		}
		r.Calibration = append(r.Calibration, EditPoint{m, shareOf(repaired, broken).Share, shareOf(alarms, clean).Share})
	}
}
