package infill

import (
	"math"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// EditOptions of a search for changes; zero fields take the default.
type EditOptions struct {
	Priority engine.Priority
	Document string // identity for the engine; default the path, marked as an edit
	// Margin is the confidence from which a change is suggested. nil: [EditMargin].
	Margin      *float64
	PrefixBytes int // window before the region, default 3 KB
	SuffixBytes int // window after it, default 1.5 KB
	// Around is how many lines before and behind those of [from, to) are read with them, as
	// far as they fit. They do not change.
	Around int
}

// Piece is a stretch of the document that is looked at as one: lines of which the engine
// can read all tokens.
type Piece struct {
	Start, End ByteOffset

	doc    Document
	opt    EditOptions
	text   string      // with line feeds only
	focus  engine.Word // what may change of it
	names  []string    // of what is declared or used near the piece
	prefix window
	suffix window
	hidden []span
}

const (
	// pieceBytes bounds a piece: some 250 tokens.
	pieceBytes = 900
	// maxPieces bounds a search.
	maxPieces = 12
)

// Pieces cuts the lines that [from, to) touches into stretches to be looked at, at most
// maxPieces of them. Those that hold what looks like a secret are left out, and with them
// lines that no person wrote.
func Pieces(doc Document, from, to ByteOffset, opt EditOptions) []Piece {
	if opt.PrefixBytes <= 0 {
		opt.PrefixBytes = 3 << 10
	}
	if opt.SuffixBytes <= 0 {
		opt.SuffixBytes = 3 << 9
	}
	if opt.Margin == nil {
		margin := EditMargin
		opt.Margin = &margin
	}
	if doc.Tree.Text() != doc.Text || doc.Tree.Language() != doc.Language {
		doc.Tree = nil
	}
	n := ByteOffset(len(doc.Text))
	from, to = min(max(from, 0), n), min(max(to, 0), n)
	if to < from {
		from, to = to, from
	}
	start, ok := lineStart(doc.Text, int(from))
	if !ok {
		return nil
	}
	end, ok := lineEnd(doc.Text, int(to))
	if !ok {
		return nil
	}
	focus := span{start, end}
	for i := 0; i < opt.Around; i++ {
		start, end = wider(doc.Text, start, end)
	}
	var pieces []Piece
	for start < end && len(pieces) < maxPieces {
		stop := start
		for stop < end {
			next := end
			if i := strings.IndexByte(doc.Text[stop:end], '\n'); i >= 0 {
				next = stop + i + 1
			}
			if next-start > pieceBytes && stop > start {
				break
			}
			stop = next
		}
		if p, ok := newPiece(doc, start, stop, opt); ok {
			if p.narrow(focus) {
				pieces = append(pieces, p)
			}
		}
		start = stop
	}
	return pieces
}

func newPiece(doc Document, start, end int, opt EditOptions) (Piece, bool) {
	text := doc.Text[start:end]
	start += len(text) - len(strings.TrimLeft(text, " \t\r\n\f\v"))
	end -= len(text) - len(strings.TrimRight(text, " \t\r\n\f\v"))
	if end <= start || end-start > 2*pieceBytes {
		return Piece{}, false
	}
	p := Piece{Start: ByteOffset(start), End: ByteOffset(end), doc: doc, opt: opt}
	p.prefix = prefixWindow(doc, start, opt.PrefixBytes)
	p.suffix = suffixWindow(doc.Text, end, opt.SuffixBytes)
	p.hidden = secrets(doc.Text, p.prefix.start, p.suffix.end)
	for _, s := range p.hidden {
		if s.start < end && start < s.end {
			return Piece{}, false
		}
	}
	p.text = lineFeeds(doc.Text[start:end])
	p.focus = engine.Word{End: len(p.text)}
	p.names = p.around()
	return p, true
}

// wider takes a line more on both sides, as long as they make one piece.
func wider(text string, start, end int) (int, int) {
	if s, ok := lineStart(text, max(start-1, 0)); ok && end-s <= pieceBytes {
		start = s
	}
	if end < len(text) {
		if e, ok := lineEnd(text, min(end+len("\r\n"), len(text))); ok && e-start <= pieceBytes {
			end = e
		}
	}
	return start, end
}

// narrow lets only what a focus of the document touches change; false if the piece has
// nothing of it.
func (p *Piece) narrow(focus span) bool {
	at := func(offset int) int {
		offset = min(max(offset, int(p.Start)), int(p.End))
		return len(lineFeeds(p.doc.Text[p.Start:offset]))
	}
	p.focus = engine.Word{Start: at(focus.start), End: at(focus.end)}
	return focus.start < int(p.End) && int(p.Start) < focus.end
}

// Request is the piece as the engine takes it; the caller may set its Deadline.
func (p Piece) Request() engine.EditRequest {
	id := p.opt.Document
	if id == "" {
		id = "edit " + p.doc.Path
	}
	return engine.EditRequest{
		Document: id,
		Path:     shortPath(p.doc.Path),
		Prefix:   lineFeeds(hide(p.doc.Text, p.prefix, p.hidden)),
		Region:   p.text,
		Suffix:   lineFeeds(hide(p.doc.Text, p.suffix, p.hidden)),
		Priority: p.opt.Priority,
		May:      p.may,
		Propose:  p.neighbours,
	}
}

// may: comments and strings say what a person wants them to.
func (p Piece) may(at engine.Word) bool {
	return at.Start <= p.focus.End && p.focus.Start <= at.End && p.isCode(at)
}

// TextEdit is a minimal change of the document: Text in place of [Start, End).
type TextEdit struct {
	Start, End ByteOffset
	Text       string // with the document's line ends
}

// Edited is a change that a person is offered.
type Edited struct {
	Edits  []TextEdit // in the order of the text
	Old    string     // what is replaced, and by what, for a title
	New    string
	Before float64 // log-probability of the piece, nats
	After  float64
	Source engine.Source
	// Confidence is how much likelier than not the change is a repair, in nats (log-odds):
	// at or above the margin.
	Confidence float64
}

// Title says what the change does, in a few words.
func (e Edited) Title() string {
	quote := func(s string) string {
		s = strings.Join(strings.Fields(s), " ")
		if r := []rune(s); len(r) > 40 {
			s = string(r[:39]) + "…"
		}
		return "`" + s + "`"
	}
	switch {
	case strings.TrimSpace(e.Old) == "":
		return "insert " + quote(e.New)
	case strings.TrimSpace(e.New) == "":
		return "delete " + quote(e.Old)
	}
	return "replace " + quote(e.Old) + " by " + quote(e.New)
}

// Gain is by how many nats the change makes its piece likelier.
func (e Edited) Gain() float64 { return e.After - e.Before }

// Finish gives the change of which the model is surest, if that is by the margin and the
// document then parses no worse than before. ok is false when there is none, and then
// nothing is offered.
func (p Piece) Finish(res engine.EditResult, parser *treesitter.Parser) (e Edited, ok bool) {
	best := math.Inf(-1)
	for _, c := range res.Changes {
		sure := p.confidence(c)
		if sure < *p.opt.Margin || sure <= best || c.Gain <= 0 || !p.Fits(c.Proposal, parser) {
			continue
		}
		edits := p.minimal(p.Apply(c.Proposal))
		if len(edits) == 0 {
			continue
		}
		best, ok = sure, true
		e = Edited{Edits: edits, Before: res.LogProb, After: res.LogProb + c.Gain, Source: c.Source, Confidence: sure}
		e.Old, e.New = p.different(c)
	}
	return e, ok
}

// Fits says whether the document parses with a change no worse than without it.
func (p Piece) Fits(c engine.Proposal, parser *treesitter.Parser) bool {
	if p.doc.Tree == nil {
		return true
	}
	before := p.doc.Tree.Problems()
	text := p.doc.Text[:p.Start] + p.text[:c.Start] + c.Text + p.text[c.End:] + p.doc.Text[p.End:]
	tree, err := parser.Parse(p.doc.Language, p.doc.Tree, text)
	if err != nil {
		return false
	}
	defer tree.Close()
	after := tree.Problems()
	return after.Errors+after.Missing <= before.Errors+before.Missing
}

// minimal are the edits that make the piece's text in the document that text.
func (p Piece) minimal(text string) []TextEdit {
	old := p.doc.Text[p.Start:p.End]
	if strings.Contains(old, "\r\n") || !strings.Contains(old, "\n") && strings.Contains(p.doc.Text, "\r\n") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	var edits []TextEdit
	for _, e := range udiff.Strings(old, text) {
		edits = append(edits, TextEdit{p.Start + ByteOffset(e.Start), p.Start + ByteOffset(e.End), e.New})
	}
	return edits
}

// Apply is the piece's text with a proposal, with line feeds.
func (p Piece) Apply(c engine.Proposal) string { return p.text[:c.Start] + c.Text + p.text[c.End:] }

// ApplyEdits is a text with edits, which are in its order and do not overlap.
func ApplyEdits(text string, edits []TextEdit) string {
	var b strings.Builder
	at := ByteOffset(0)
	for _, e := range edits {
		b.WriteString(text[at:e.Start])
		b.WriteString(e.Text)
		at = e.End
	}
	b.WriteString(text[at:])
	return b.String()
}

// Repair looks for the best change of the lines that [from, to) touches, piece by piece. The
// result sums what was asked; its LogProb is that of the piece that is changed (of the last
// one, when none is). Errors are edit's.
func Repair(doc Document, from, to ByteOffset, opt EditOptions, parser *treesitter.Parser, edit func(engine.EditRequest) (engine.EditResult, error)) (best Edited, sum engine.EditResult, err error) {
	best.Confidence = math.Inf(-1)
	for _, p := range Pieces(doc, from, to, opt) {
		res, err := edit(p.Request())
		if err != nil {
			return Edited{}, sum, err
		}
		sum.Tokens += res.Tokens
		sum.Forwards += res.Forwards
		sum.Spent += res.Spent
		sum.Late = sum.Late || res.Late
		e, ok := p.Finish(res, parser)
		if ok && e.Confidence > best.Confidence {
			best = e
		}
		if ok && e.Confidence >= best.Confidence || len(best.Edits) == 0 {
			sum.LogProb = res.LogProb
		}
	}
	return best, sum, nil
}
