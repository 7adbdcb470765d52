package stats

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// first is the first of the last days, the one of now among them; empty for 0.
func first(days int, now time.Time) string {
	if days <= 0 {
		return ""
	}
	return now.AddDate(0, 0, 1-days).Format(time.DateOnly)
}

// Since is the file with the last days (0: all) alone.
func (f File) Since(days int, now time.Time) File {
	since := first(days, now)
	kept := map[string]map[string]map[Kind]*Counts{} // an empty object in JSON, not null
	for day, c := range f.Days {
		if day >= since {
			kept[day] = c
		}
	}
	f.Days, f.Version = kept, version
	return f
}

// Print shows what was counted in the last days (0: all) to a person.
func (f *File) Print(w io.Writer, days int, now time.Time) {
	since := first(days, now)
	any := false
	for _, kind := range []Kind{Completion, Listed, NextEdit} {
		all, by := f.Total(kind, since)
		if all.Asked == 0 && all.Shown == 0 {
			continue
		}
		any = true
		fmt.Fprintf(w, "%-12s %8s %8s %14s %8s %14s %10s  %s\n", kind, "asked", "shown", "accepted", "partial", "kept 30 s", "characters", "latency p50, p95")
		for _, l := range by {
			l.Counts.row(w, l.Name)
		}
		if len(by) > 1 {
			all.row(w, "all")
		}
		fmt.Fprintln(w)
	}
	if !any {
		fmt.Fprintln(w, "nothing was counted yet: suggestions are, once an editor uses them (setting stats)")
		return
	}
	all, _ := f.Total(Completion, since)
	if all.Context > 0 {
		fmt.Fprintf(w, "context in the cache: %s of %d tokens\n", share(all.Cached, all.Context), all.Context)
	}
	fmt.Fprintln(w, "latency of completions, ms:")
	most := slices.Max(all.Latency[:])
	for i, n := range all.Latency {
		if n == 0 {
			continue
		}
		bound := "more"
		if i < len(Bounds) {
			bound = fmt.Sprintf("≤ %.0f", Bounds[i])
		}
		fmt.Fprintf(w, "  %8s %8d %s\n", bound, n, bar(n, most))
	}
	fmt.Fprintln(w, "by day:")
	for _, day := range slices.Sorted(maps.Keys(f.Days)) {
		if day < since {
			continue
		}
		var c Counts
		for _, kinds := range f.Days[day] {
			for _, k := range kinds {
				c.add(*k)
			}
		}
		fmt.Fprintf(w, "  %s  %d shown, %d accepted (%s)\n", day, c.Shown, c.Accepted, share(c.Accepted, c.Shown))
	}
}

// shownProblems is how many of the last errors a person is shown.
const shownProblems = 3

// Health shows which editors were seen last, and what went wrong last; recent says whether
// that was within a day.
func (f *File) Health(w io.Writer, now time.Time) (recent bool) {
	if len(f.Editors) == 0 {
		fmt.Fprintln(w, "editor     none was seen yet (or the setting stats is off)")
	}
	for i, e := range f.Editors {
		label := ""
		if i == 0 {
			label = "editor"
		}
		fmt.Fprintf(w, "%-10s %s, last seen %s\n", label, e.Name, e.Last.Local().Format("2006-01-02 15:04"))
	}
	for i, p := range f.Problems[:min(len(f.Problems), shownProblems)] {
		label := ""
		if i == 0 {
			label = "errors"
		}
		fmt.Fprintf(w, "%-10s %s  %s\n", label, p.Time.Local().Format("2006-01-02 15:04"), p.Message)
		recent = recent || now.Sub(p.Time) < 24*time.Hour
	}
	return recent
}

func (c Counts) row(w io.Writer, name string) {
	took := func(q float64) string {
		switch v := c.Latency.Quantile(q); v {
		case 0:
			return "–"
		case -1:
			return fmt.Sprintf("> %.0f ms", Bounds[len(Bounds)-1])
		default:
			return fmt.Sprintf("≤ %.0f ms", v)
		}
	}
	fmt.Fprintf(w, "  %-10s %8d %8d %8d %5s %8d %8d %5s %10d  %s, %s\n", name, c.Asked, c.Shown, c.Accepted, share(c.Accepted, c.Shown), c.Partial,
		c.Kept, share(c.Kept, c.Kept+c.Changed), c.Characters, took(0.5), took(0.95))
}

func share(n, of int64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of))
}

func bar(n, most int64) string {
	const width = 40
	out := make([]rune, (n*width+most-1)/most)
	for i := range out {
		out[i] = '▪'
	}
	return string(out)
}
