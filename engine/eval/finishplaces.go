package eval

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// PlaceKind is the state of a text in which a person waits for a suggestion.
type PlaceKind string

// The kinds of places. What is "not written yet" is taken out of a file.
const (
	AtEnd    PlaceKind = "end"    // the rest of the line is not written yet
	Closed   PlaceKind = "closed" // the same, but the editor closed the brackets and quotes that were opened
	Middle   PlaceKind = "middle" // some words inside of the line are not written yet
	NewLine  PlaceKind = "line"   // nothing but the line's indentation is written
	Body     PlaceKind = "body"   // the block is empty between its header and what ends it
	AtBottom PlaceKind = "bottom" // nothing is written after the cursor, in the whole file
)

// placeShares is of how many places in a hundred each kind is.
var placeShares = []struct {
	kind  PlaceKind
	share int
}{{AtEnd, 30}, {Closed, 15}, {Middle, 15}, {NewLine, 20}, {Body, 10}, {AtBottom, 10}}

// Place is a cursor in a text that is being written.
type Place struct {
	Kind     PlaceKind
	Path     string
	Language treesitter.Language
	Text     string // as it stands in the editor
	At       int    // the cursor
	Truth    string // what the author wrote there
}

// Restyled are the files as if somebody else had indented them: Go by four spaces, Python
// by tabs. A model has rarely seen that, so the rule of indentation shows what it is worth.
func Restyled(files []File) []File {
	out := make([]File, len(files))
	for i, f := range files {
		from, to := "    ", "\t"
		if f.Language == treesitter.Go {
			from, to = to, from
		}
		var b strings.Builder
		for line := range strings.Lines(f.Text) {
			for strings.HasPrefix(line, from) {
				b.WriteString(to)
				line = line[len(from):]
			}
			b.WriteString(line)
		}
		f.Text = b.String()
		out[i] = f
	}
	return out
}

// DrawPlaces takes n places from files, languages alike, by seed. Places where a plan would
// complete nothing are not among them.
func DrawPlaces(files []File, n int, seed uint64) ([]Place, error) {
	parser := treesitter.NewParser(treesitter.Limits{Time: -1}) // a draw must not depend on the machine
	defer parser.Close()
	trees := map[string]*treesitter.Tree{}
	defer func() {
		for _, t := range trees {
			t.Close()
		}
	}()
	r := rand.New(rand.NewPCG(seed, 77))
	byLanguage := map[treesitter.Language][]File{}
	var languages []treesitter.Language
	for _, f := range files {
		if byLanguage[f.Language] == nil {
			languages = append(languages, f.Language)
		}
		byLanguage[f.Language] = append(byLanguage[f.Language], f)
	}
	var out []Place
	for tries := 0; len(out) < n && tries < 50*n; tries++ {
		of := byLanguage[languages[len(out)%len(languages)]]
		f := of[r.IntN(len(of))]
		if trees[f.Path] == nil {
			t, err := parser.Parse(f.Language, nil, f.Text)
			if err != nil {
				return nil, fmt.Errorf("parsing %s: %w", f.Path, err)
			}
			trees[f.Path] = t
		}
		p, ok, err := drawPlace(parser, f, trees[f.Path], r)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the files hold no line to write")
	}
	return out, nil
}

func drawPlace(parser *treesitter.Parser, f File, tree *treesitter.Tree, r *rand.Rand) (p Place, ok bool, err error) {
	p = Place{Path: f.Path, Language: f.Language}
	share := r.IntN(100)
	for _, s := range placeShares {
		if p.Kind = s.kind; share < s.share {
			break
		}
		share -= s.share
	}
	if p.Kind == Body {
		var bodies []treesitter.Span
		for _, s := range treesitter.Spans(tree, f.Text) {
			if s.Kind != treesitter.Statement && strings.Count(f.Text[s.Start:s.End], "\n") < maxLines[Function] {
				bodies = append(bodies, s)
			}
		}
		if len(bodies) == 0 {
			return p, false, nil
		}
		s := bodies[r.IntN(len(bodies))]
		ok = p.cut(f.Text, int(s.Start), int(s.End), f.Text[s.End:])
	} else {
		ok = p.cutLine(f.Text, r)
	}
	if !ok {
		return p, false, nil
	}
	doc := infill.Document{Path: p.Path, Language: p.Language, Text: p.Text}
	t, err := parser.Parse(p.Language, tree, p.Text)
	if err != nil {
		return p, false, fmt.Errorf("parsing %s with a gap: %w", f.Path, err)
	}
	defer t.Close()
	doc.Tree = t
	return p, infill.NewPlan(doc, infill.ByteOffset(p.At), infill.Options{}).Mode != infill.Nothing, nil
}

// cut makes text[:from] what stands before the cursor and after what stands behind it.
func (p *Place) cut(text string, from, to int, after string) bool {
	p.Truth = text[from:to]
	if len(strings.TrimSpace(p.Truth)) < 2 {
		return false
	}
	p.Text, p.At = text[:from]+after, from
	return true
}

// cutLine puts the cursor into a line drawn at random.
func (p *Place) cutLine(text string, r *rand.Rand) bool {
	any := r.IntN(len(text))
	start := strings.LastIndexByte(text[:any], '\n') + 1
	end := len(text)
	if i := strings.IndexByte(text[start:], '\n'); i >= 0 {
		end = start + i
	}
	end = start + len(strings.TrimRight(text[start:end], " \t"))
	first := start + len(text[start:end]) - len(strings.TrimLeft(text[start:end], " \t"))
	if end-first < 4 || end-first > 160 {
		return false
	}
	at := first + 1 + r.IntN(end-first-2)
	for !utf8.RuneStart(text[at]) {
		at--
	}
	switch p.Kind {
	case NewLine:
		return p.cut(text, first, end, text[end:])
	case AtBottom:
		return p.cut(text, at, end, "\n")
	case Closed:
		inside, closers := closedBy(text[first:at], text[at:end])
		return closers != "" && p.cut(text, at, at+inside, closers+text[end:])
	case Middle:
		to := at
		for words := 1 + r.IntN(4); words > 0 && to < end; words-- {
			for to < end && !wordByte(text[to]) {
				to++
			}
			for to < end && wordByte(text[to]) {
				to++
			}
		}
		return to < end && p.cut(text, at, to, text[to:])
	}
	return p.cut(text, at, end, text[end:])
}

// closedBy says what an editor has put right of the cursor for the brackets and quotes
// that left opened, and how much of rest stands inside of them.
func closedBy(left, rest string) (inside int, closers string) {
	open := pairs(left, nil)
	if len(open) == 0 {
		return 0, ""
	}
	n := len(open)
	for i := range len(rest) {
		now := pairs(left+rest[:i+1], nil)
		if len(now) < n {
			for k := n - 1; k >= 0; k-- {
				closers += string(open[k])
			}
			return i, closers
		}
	}
	return 0, ""
}

// pairs gives the closing characters that a line's text still waits for, the outermost first.
func pairs(line string, open []byte) []byte {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote, open = 0, open[:len(open)-1]
			}
		case c == '"' || c == '\'' || c == '`':
			quote, open = c, append(open, c)
		case c == '(':
			open = append(open, ')')
		case c == '[':
			open = append(open, ']')
		case c == '{':
			open = append(open, '}')
		case len(open) > 0 && c == open[len(open)-1]:
			open = open[:len(open)-1]
		}
	}
	return open
}

func wordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}
