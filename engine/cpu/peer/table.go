package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is a comparison with one type of the peer's weights.
type result struct {
	lines []line
	left  int // lines that had nothing to compare
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// table is the comparison for a person. Ratios are of the sums over all lines; beside
// them, the median and the range of the lines' own ratios.
func (r result) table(t string) string {
	var b strings.Builder
	same, exact, context, tokens := 0, 0, 0, 0
	peer, wall := 0.0, 0.0
	for _, l := range r.lines {
		if l.same {
			same++
		}
		if l.peerExact {
			exact++
		}
		context += l.context
		tokens += l.tokens
		peer += l.peer
		wall += l.wall
	}
	n := float64(len(r.lines))
	fmt.Fprintf(&b, "\n%s: %d lines, %.0f tokens of context and %.1f written each; the same text, causally, in %d of %d\n",
		t, len(r.lines), float64(context)/n, float64(tokens)/n, same, len(r.lines))
	if r.left > 0 {
		fmt.Fprintf(&b, "%d lines left out: nothing is written there\n", r.left)
	}
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tms a line\tforwards\trows\tms a forward\toutside\texact\tratio\tmedian\trange\t")
	fmt.Fprintf(w, "llama.cpp %s, causal\t%.2f\t%.1f\t1.0\t%.2f\t\t%d\t1\t\t\t\n", t, peer/n, float64(tokens)/n, peer/float64(tokens), exact)
	fmt.Fprintf(w, "… with HTTP\t%.2f\t\t\t\t\t\t\t\t\t\n", wall/n)
	for i, m := range modes {
		ms, inside, forwards, rows, exact := 0.0, 0.0, 0, 0, 0
		var each []float64
		for _, l := range r.lines {
			ms += l.ours[i].ms
			inside += l.ours[i].inside
			forwards += l.ours[i].forwards
			rows += l.ours[i].rows
			each = append(each, l.peer/l.ours[i].ms)
			if l.exact[i] {
				exact++
			}
		}
		fmt.Fprintf(w, "seedling, %s\t%.2f\t%.1f\t%.1f\t%.2f\t%.1f %%\t%d\t%.2f\t%.2f\t%.1f–%.1f\t\n", m.Name, ms/n, float64(forwards)/n, float64(rows)/float64(forwards), ms/float64(forwards), 100*(1-inside/ms), exact,
			peer/ms, median(each), slices.Min(each), slices.Max(each))
	}
	w.Flush()
	return b.String()
}
