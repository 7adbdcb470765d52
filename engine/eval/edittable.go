package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table is the report for a person.
func (r *EditReport) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	row := func(name string, s Share) {
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t%.1f–%.1f\t\n", name, s.N, 100*s.Share, 100*s.CI95[0], 100*s.CI95[1])
	}
	fmt.Fprintf(w, "%s, margin %.1f\tn\tshare\t95 %%\t\n", r.Model, r.Margin)
	row("clean functions for which a change is suggested", r.FalseAlarms)
	row("faults for which one is", r.Found)
	row("faults that the first suggestion repairs exactly", r.Repaired)
	row("faults whose repair was among the likelier changes", r.Reachable)
	for _, f := range Faults {
		if s, ok := r.ByFault[f]; ok {
			row("repaired: "+strings.ReplaceAll(string(f), "_", " "), s)
		}
	}
	for _, l := range slices.Sorted(maps.Keys(r.ByLanguage)) {
		row("repaired: in "+l, r.ByLanguage[l].Repaired)
		row("clean functions with a suggestion: in "+l, r.ByLanguage[l].FalseAlarms)
	}
	w.Flush()
	fmt.Fprintf(&b, "%.0f forwards a function, %.0f ms (p50), %.0f (p95)\n\n", r.Forwards, r.MsP50, r.MsP95)
	w = tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "margin\trepaired\tfalse alarms\t\n")
	for _, p := range r.Calibration {
		fmt.Fprintf(w, "%.1f\t%.1f %%\t%.1f %%\t\n", p.Margin, 100*p.Repaired, 100*p.FalseAlarms)
	}
	w.Flush()
	return b.String()
}
