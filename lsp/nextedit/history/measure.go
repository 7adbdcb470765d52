package history

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/seedling-lsp/seedling/lsp/nextedit"
	"github.com/seedling-lsp/seedling/treesitter"
)

const (
	maxEdits  = 3         // of a commit that are taken for a person's
	maxFiles  = 40        // that a commit changes; one of more is a machine's work
	maxBytes  = 256 << 10 // of a file
	maxOthers = 32        // other files that are looked at, as the server does
)

// Report is what proposals are worth.
type Report struct {
	Commits  int `json:"commits"`  // that were read
	Edits    int `json:"edits"`    // that were taken for a person's
	Answered int `json:"answered"` // for which something was proposed
	// Proposed are the places; of them Exact makes of its line what the author made of it, and
	// Touched stands in a line that the author changed, to this or something else.
	Proposed Share `json:"proposed"`
	Touched  Share `json:"touched"`
	// First is Exact of the first place of each answer: the one that a person is led to.
	First Share `json:"first"`
	// Same are the lines that the author changed by the same words as the edit; K were proposed.
	Same Share `json:"same"`
	// Wrong are examples of what the author did not do, for a person to read.
	Wrong []string `json:"wrong,omitempty"`
}

// Share is K of N with its 95 % Wilson interval.
type Share struct {
	K    int        `json:"k"`
	N    int        `json:"n"`
	P    float64    `json:"p"`
	CI95 [2]float64 `json:"ci95"`
}

func (s *Share) add(yes bool) {
	if s.N++; yes {
		s.K++
	}
}

func (s *Share) close() {
	if s.N == 0 {
		return
	}
	n, p, z := float64(s.N), float64(s.K)/float64(s.N), 1.959964
	mid, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	s.P, s.CI95 = p, [2]float64{max(0, (mid-half)/(1+z*z/n)), min(1, (mid+half)/(1+z*z/n))}
}

// Measure reads the newest commits of a repository; progress is told how many are done.
func Measure(ctx context.Context, dir string, commits int, progress func(done int)) (Report, error) {
	m := measuring{repo: repository(dir), parser: treesitter.NewParser(treesitter.Limits{})}
	defer m.parser.Close()
	all, err := m.repo.commits(ctx, commits)
	if err != nil {
		return m.Report, fmt.Errorf("%s is no git repository with a history: %w", dir, err)
	}
	for i, c := range all {
		if err := m.commit(ctx, c); err != nil {
			return m.Report, fmt.Errorf("commit %s: %w", c, err)
		}
		m.Commits++
		if progress != nil {
			progress(i + 1)
		}
	}
	for _, s := range []*Share{&m.Proposed, &m.Touched, &m.First, &m.Same} {
		s.close()
	}
	return m.Report, nil
}

type measuring struct {
	Report
	repo   repository
	parser *treesitter.Parser
}

// line is one that a commit changes into one other.
type line struct {
	path     string
	n        int // from 0
	old, now string
}

// words are what a change of a line replaces, at the edges of words.
func (l line) words() (old, now string) {
	start, endOld, endNow := nextedit.Difference(l.old, l.now)
	word := func(c byte) bool {
		return c == '_' || c >= 0x80 || unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c))
	}
	for start > 0 && word(l.old[start-1]) {
		start--
	}
	for endOld < len(l.old) && word(l.old[endOld]) {
		endOld, endNow = endOld+1, endNow+1
	}
	return l.old[start:endOld], l.now[start:endNow]
}

func (m *measuring) commit(ctx context.Context, commit string) error {
	files, err := m.repo.changed(ctx, commit)
	if err != nil || len(files) > maxFiles {
		return err
	}
	var paths []string
	for p := range files {
		if treesitter.Detect(path.Base(p), "") != treesitter.Text {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	var lines []line
	for _, p := range paths {
		for _, h := range files[p] {
			if len(h.old) != len(h.now) {
				continue
			}
			for i := range h.old {
				if h.old[i] != h.now[i] {
					lines = append(lines, line{p, h.from + i, h.old[i], h.now[i]})
				}
			}
		}
	}
	if len(lines) < 2 {
		return nil // nothing could be next
	}
	for _, l := range lines[:min(len(lines), maxEdits)] {
		if err := m.edit(ctx, commit+"^", l, lines, files); err != nil {
			return err
		}
	}
	return nil
}

// edit takes a line for what a person changed first, and judges what is proposed then.
func (m *measuring) edit(ctx context.Context, parent string, l line, lines []line, files map[string][]hunk) error {
	text, err := m.repo.text(ctx, parent, l.path)
	if err != nil || len(text) > maxBytes {
		return err
	}
	all := strings.SplitAfter(text, "\n")
	if l.n >= len(all) || strings.TrimRight(all[l.n], "\r\n") != l.old {
		return nil // not as git shows it: of another encoding
	}
	start := len(strings.Join(all[:l.n], ""))
	from, endOld, endNew := nextedit.Difference(l.old, l.now)
	after := text[:start] + l.now + text[start+len(l.old):]
	language := treesitter.Detect(path.Base(l.path), "")
	document := func(p, text string) nextedit.Document {
		t, _ := m.parser.Parse(language, nil, text) // nil: only what is written the same is found
		return nextedit.Document{Path: p, Language: language, Text: text, Tree: t}
	}
	c := nextedit.Change{Before: document(l.path, text), After: document(l.path, after), Start: start + from, OldEnd: start + endOld, NewEnd: start + endNew}
	defer c.Before.Tree.Close()
	defer c.After.Tree.Close()
	m.Edits++
	var others []nextedit.Document
	defer func() {
		for _, o := range others {
			o.Tree.Close()
		}
	}()
	own, more := nextedit.Places(c, func(text string) []nextedit.Document {
		paths, e := m.repo.holding(ctx, parent, text, path.Ext(l.path))
		if err = e; err != nil {
			return nil
		}
		slices.SortStableFunc(paths, func(a, b string) int { return far(l.path, a) - far(l.path, b) })
		for _, p := range paths {
			if p == l.path || len(others) == maxOthers {
				continue
			}
			if t, e := m.repo.text(ctx, parent, p); e == nil && len(t) <= maxBytes {
				others = append(others, document(p, t))
			}
		}
		return others
	})
	if err != nil {
		return err
	}
	proposed := map[place]bool{}
	first := true
	judge := func(d nextedit.Document, edits []nextedit.Edit) {
		for _, e := range edits {
			at, became := result(d, e, edits)
			proposed[place{d.Path, at}] = true
			exact, touched := judged(files[d.Path], at, became)
			m.Proposed.add(exact)
			m.Touched.add(touched)
			if first {
				m.First.add(exact)
				first = false
			}
			if !exact && len(m.Wrong) < 100 {
				m.Wrong = append(m.Wrong, fmt.Sprintf("%s %s: %q became %q, so %s:%d would become %q (changed by its author: %v)", parent, l.path, l.old, l.now, d.Path, at+1, became, touched))
			}
		}
	}
	judge(c.After, own)
	for i, o := range others {
		judge(o, more[i])
	}
	if !first {
		m.Answered++
	}
	old, now := l.words()
	for _, o := range lines {
		if a, b := o.words(); a == old && b == now && (o.path != l.path || o.n != l.n) {
			m.Same.add(proposed[place{o.path, o.n}])
		}
	}
	return nil
}

type place struct {
	path string
	line int
}

// result is the line that an edit is in, and what it becomes with all edits of that line.
func result(d nextedit.Document, e nextedit.Edit, edits []nextedit.Edit) (n int, became string) {
	start := strings.LastIndexByte(d.Text[:e.Start], '\n') + 1
	end := len(d.Text)
	if i := strings.IndexByte(d.Text[e.End:], '\n'); i >= 0 {
		end = int(e.End) + i
	}
	var on []nextedit.Edit
	for _, o := range edits {
		if int(o.Start) >= start && int(o.End) <= end {
			on = append(on, o)
		}
	}
	slices.SortFunc(on, func(a, b nextedit.Edit) int { return int(b.Start - a.Start) })
	became = d.Text[start:end]
	for _, o := range on {
		became = became[:int(o.Start)-start] + o.Text + became[int(o.End)-start:]
	}
	return strings.Count(d.Text[:start], "\n"), strings.TrimRight(became, "\r")
}

// judged says whether a commit makes of a line what is proposed, and whether it changes it.
func judged(hunks []hunk, n int, became string) (exact, touched bool) {
	for _, h := range hunks {
		if n < h.from || n >= h.from+len(h.old) {
			continue
		}
		for _, l := range h.now {
			exact = exact || strings.TrimSpace(l) == strings.TrimSpace(became)
		}
		return exact, true
	}
	return false, false
}

// far is 0 for files of one folder, else 1.
func far(a, b string) int {
	if path.Dir(a) == path.Dir(b) {
		return 0
	}
	return 1
}

// Table is the report for a person.
func (r Report) Table() string {
	var b strings.Builder
	show := func(s Share) string {
		return fmt.Sprintf("%d of %d, %.1f %% (%.1f–%.1f)", s.K, s.N, 100*s.P, 100*s.CI95[0], 100*s.CI95[1])
	}
	fmt.Fprintf(&b, "%d commits, %d edits of a line in commits of several; %d got proposals\n", r.Commits, r.Edits, r.Answered)
	fmt.Fprintf(&b, "proposed places that become what the author made of them   %s\n", show(r.Proposed))
	fmt.Fprintf(&b, "the same of the first place of each answer                 %s\n", show(r.First))
	fmt.Fprintf(&b, "proposed places in lines that the author changed at all    %s\n", show(r.Touched))
	fmt.Fprintf(&b, "of the author's changes by the same words, proposed        %s\n", show(r.Same))
	return b.String()
}
