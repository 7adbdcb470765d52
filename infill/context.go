package infill

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Sources is what a plan may show of other files.
type Sources struct {
	// Path of the plan's document as the index knows it; empty: as the plan does.
	Path string
	// Index of the workspace; nil: there is none.
	Index *Index
	// Recent are other documents, the last one looked at or edited first. Those of which
	// something similar to the cursor's place is shown.
	Recent []Document
	// Edits are the last ones in any document, the latest first.
	Edits []Edit
}

// Edit is a change of some lines.
type Edit struct{ Path, Before, After string }

// ContextOptions say what of the sources is shown, and how much.
type ContextOptions struct {
	// Bytes of all snippets together; 0: none at all.
	Bytes int
	// Definitions, Similar and Edits switch the kinds on.
	Definitions, Similar, Edits bool
	// Seen is how much of the own file the model sees of the windows, in bytes before and
	// after the cursor: definitions further away are shown as those of other files are.
	// Default 2,400 and 800.
	SeenBefore, SeenAfter int
}

// Contexts are what a person chooses from, by name.
var Contexts = map[string]ContextOptions{
	"none":        {},
	"definitions": {Bytes: 600, Definitions: true},
	"similar":     {Bytes: 700, Similar: true},
	"edits":       {Bytes: 300, Edits: true},
	"all":         {Bytes: 700, Definitions: true, Similar: true, Edits: true},
}

// Context is what a plan shows of other files, and why.
type Context struct {
	// Snippets as [engine.Request] has them: the most important last.
	Snippets []engine.Snippet
	// Names are those whose definitions are shown: when one of them changes (Index.Print),
	// so does the context.
	Names   []string
	Choices []Choice
}

// Choice is a piece that was considered.
type Choice struct {
	What  string // e.g. "function Parse of treesitter/parser.go"
	Why   string
	Bytes int
	Taken bool
}

// Explain says in plain words what was considered and what is shown, a piece a line.
func (c Context) Explain() []string {
	var lines []string
	for _, x := range c.Choices {
		verdict := "shown"
		if !x.Taken {
			verdict = "left out, no room"
		}
		lines = append(lines, fmt.Sprintf("other files: %s, %d bytes, %s (%s)", x.What, x.Bytes, verdict, x.Why))
	}
	return lines
}

// piece is a candidate for a snippet.
type piece struct {
	path, text, what, why string
	name                  string
	at                    int // in its file
}

// Context chooses what to show of other files at the plan's cursor. It reads the index
// and parses nothing. It depends on all that stands around the cursor: who wants the
// engine's cache to hold keeps it while a person types at one place.
func (p Plan) Context(src Sources, opt ContextOptions) Context {
	var c Context
	if p.Mode == Nothing || opt.Bytes <= 0 {
		return c
	}
	if opt.SeenBefore <= 0 {
		opt.SeenBefore = 2400
	}
	if opt.SeenAfter <= 0 {
		opt.SeenAfter = 800
	}
	var all []piece
	if opt.Edits {
		all = append(all, diffs(src.Edits, opt.Bytes)...)
	}
	if opt.Definitions {
		all = append(all, p.definitions(src, opt)...)
	}
	if opt.Similar {
		all = append(all, p.similar(src.Recent, opt.Bytes)...)
	}
	left := opt.Bytes
	var taken []piece
	for _, x := range all {
		cost := len(x.text) + 1
		if !slices.ContainsFunc(taken, func(y piece) bool { return y.path == x.path }) {
			cost += len(shortPath(x.path)) + 8
		}
		ok := cost <= left && !slices.ContainsFunc(taken, func(y piece) bool { return y.text == x.text })
		if ok {
			left -= cost
			taken = append(taken, x)
			if x.name != "" {
				c.Names = append(c.Names, x.name)
			}
		}
		c.Choices = append(c.Choices, Choice{What: x.what, Why: x.why, Bytes: len(x.text), Taken: ok})
	}
	c.Snippets = snippets(taken)
	return c
}

// snippets joins the pieces of each file, in their order there; the file whose piece is the
// most important stands last.
func snippets(taken []piece) []engine.Snippet {
	var out []engine.Snippet
	var paths []string
	for _, x := range taken {
		if !slices.Contains(paths, x.path) {
			paths = append(paths, x.path)
		}
	}
	slices.Reverse(paths)
	for _, path := range paths {
		var of []piece
		for _, x := range taken {
			if x.path == path {
				of = append(of, x)
			}
		}
		slices.SortStableFunc(of, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
		var b strings.Builder
		for _, x := range of {
			b.WriteString(x.text)
			b.WriteByte('\n')
		}
		out = append(out, engine.Snippet{Path: shortPath(path), Text: b.String()})
	}
	return out
}

// diffs are edits as they stand in a diff. Where other pieces are shown, too, theirs is a
// third of the room.
func diffs(edits []Edit, most int) []piece {
	if most > editsAlone {
		most /= 3
	}
	var out []piece
	for i, e := range edits {
		var b strings.Builder
		for _, side := range []struct{ sign, text string }{{"-", e.Before}, {"+", e.After}} {
			for line := range strings.Lines(Plain(side.text)) {
				b.WriteString(side.sign + strings.TrimRight(line, "\n") + "\n")
			}
		}
		text := strings.TrimRight(b.String(), "\n")
		if text == "" || len(text)+len(shortPath(e.Path))+9 > most {
			continue
		}
		most -= len(text) + len(shortPath(e.Path)) + 9
		out = append(out, piece{path: filepath.ToSlash(e.Path), text: text, at: -1 - i,
			what: fmt.Sprintf("an edit of %s", shortPath(e.Path)), why: "one of the last edits"})
	}
	return out
}

const (
	editsAlone = 300  // bytes: as many or fewer are for edits alone
	nearBefore = 1500 // bytes before the cursor in which used names are looked for
	nearAfter  = 400
)

// near is the stretch whose names count: the function around the cursor, cut to what is
// near.
func (p Plan) near() (from, to int) {
	at := int(p.Cursor)
	from, to = max(0, at-nearBefore), min(len(p.doc.Text), at+nearAfter)
	if f := p.doc.Tree.At(p.Cursor).Function; !f.IsZero() {
		from, to = max(from, int(f.Start)), min(to, int(f.End))
	}
	return from, to
}

// definitions are those of the names near the cursor: of other files, and of this one
// where the model does not see them.
func (p Plan) definitions(src Sources, opt ContextOptions) []piece {
	x := src.Index
	from, to := p.near()
	uses := usesNear(p.doc.Text, from, to, int(p.Cursor))
	own := p.unseen(opt)
	r := resolver{x: x, path: filepath.ToSlash(cmp.Or(src.Path, p.doc.Path)), language: p.doc.Language, imports: p.doc.Tree.Imports()}
	if x != nil {
		x.mu.RLock()
		defer x.mu.RUnlock()
	}
	var out []piece
	seen := map[string]bool{}
	add := func(f found) {
		d := f.def
		key := fmt.Sprint(d.file.path, "\x00", d.span.Start)
		if seen[key] || d.text == "" {
			return
		}
		seen[key] = true
		name := d.name
		if d.container != "" {
			name = d.container + "." + name
		}
		out = append(out, piece{path: d.file.path, text: d.text, name: d.name, at: int(d.span.Start),
			what: fmt.Sprintf("%s %s of %s", d.kind, name, shortPath(d.file.path)), why: f.why})
	}
	for _, u := range uses {
		unseen, here := own[u.name]
		for _, d := range unseen {
			if (u.of == "") == (d.kind != treesitter.MethodSymbol) {
				add(found{d, "used here, defined out of the model's sight"})
			}
		}
		if x != nil && !here {
			for _, f := range r.resolve(u) {
				add(f)
			}
		}
	}
	return out
}

// unseen are the names that the document itself defines, each with those definitions that
// the model does not see.
func (p Plan) unseen(opt ContextOptions) map[string][]*definition {
	low, high := int(p.Cursor)-opt.SeenBefore, int(p.Cursor)+opt.SeenAfter
	own := map[string][]*definition{}
	file := &indexed{path: filepath.ToSlash(p.doc.Path), language: p.doc.Language}
	for _, s := range p.doc.Tree.Symbols() {
		start := int(s.Def.Start)
		if start >= low && start < high || start <= int(p.Cursor) && int(p.Cursor) <= int(s.Def.End) && start >= low {
			own[s.Name] = slices.Clip(own[s.Name])
			continue
		}
		if s.Def.Start <= p.Cursor && p.Cursor <= s.Def.End && s.Kind != treesitter.TypeSymbol {
			own[s.Name] = slices.Clip(own[s.Name]) // the one being written
			continue
		}
		d := &definition{file: file, name: s.Name, container: s.Container, kind: s.Kind, span: s.Def}
		d.text = headOf(p.doc, s, secrets(p.doc.Text, start, min(int(s.Def.End), start+2*typeBytes)))
		own[s.Name] = append(own[s.Name], d)
	}
	return own
}

const (
	similarLines = 10   // of a piece
	similarMost  = 64   // KB of a document that are compared
	similarLeast = 0.15 // of the words in common
)

// similar is the piece of each recent document that has most words in common with the
// lines before the cursor, the best first.
func (p Plan) similar(recent []Document, most int) []piece {
	at := int(p.Cursor)
	from := at
	for range similarLines {
		if from == 0 {
			break
		}
		from, _ = lineStart(p.doc.Text, from-1)
	}
	near := wordsOf(p.doc.Text[max(from, at-4096):at])
	if len(near) < 3 {
		return nil
	}
	type scored struct {
		piece
		score float64
	}
	var all []scored
	for _, d := range recent {
		if d.Path == p.doc.Path || !related(d.Language, p.doc.Language) || d.Language == treesitter.Text {
			continue
		}
		text := d.Text[:min(len(d.Text), similarMost<<10)]
		best := scored{}
		starts := []int{0}
		for i := 0; i < len(text); i++ {
			if text[i] == '\n' {
				starts = append(starts, i+1)
			}
		}
		for l := 0; l < len(starts); l += similarLines / 2 {
			end := len(text)
			if l+similarLines < len(starts) {
				end = starts[l+similarLines]
			}
			w := window{start: starts[l], end: end}
			if w.end-w.start > most {
				continue
			}
			if s := jaccard(near, wordsOf(text[w.start:w.end])); s > best.score {
				best = scored{piece{path: filepath.ToSlash(d.Path), at: w.start, text: text[w.start:w.end]}, s}
			}
		}
		if best.score >= similarLeast {
			best.what = fmt.Sprintf("lines of %s", shortPath(d.Path))
			best.why = fmt.Sprintf("opened or edited, %.0f %% of the words alike", 100*best.score)
			best.text = strings.TrimRight(lineFeeds(hide(d.Text, window{start: best.at, end: best.at + len(best.text)}, secrets(d.Text, best.at, best.at+len(best.text)))), " \t\n")
			all = append(all, best)
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	var out []piece
	for _, s := range all {
		out = append(out, s.piece)
	}
	return out
}

// wordsOf are the words of a text.
func wordsOf(text string) map[string]struct{} {
	out := map[string]struct{}{}
	for i := 0; i < len(text); {
		start := i
		for i < len(text) && isWord(text[i]) {
			i++
		}
		if i-start > 1 && !isDigit(text[start]) {
			out[text[start:i]] = struct{}{}
		}
		if i == start {
			i++
		}
	}
	return out
}

// jaccard is the share of the words of both that are in both.
func jaccard(a, b map[string]struct{}) float64 {
	both := 0
	for w := range a {
		if _, ok := b[w]; ok {
			both++
		}
	}
	if both == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
