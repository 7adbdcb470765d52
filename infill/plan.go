package infill

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Mode is how far a completion goes.
type Mode uint8

const (
	// Auto lets the syntax around the cursor decide. No plan has it.
	Auto Mode = iota
	// Nothing is not asked of the model.
	Nothing
	// Line is the rest of the cursor's line.
	Line
	// Block is the rest of the innermost block.
	Block
	// Function is the rest of the innermost function's body.
	Function
	// Statement is the rest of the cursor's line, and the lines below that its brackets need.
	Statement
	// Arguments is the rest of a list (of arguments, parameters or elements) over lines.
	Arguments
	// Docstring is the rest of a docstring or block comment, over lines.
	Docstring
)

// String is the mode's name: auto, nothing, line, block, function, statement, arguments,
// docstring.
func (m Mode) String() string {
	switch m {
	case Nothing:
		return "nothing"
	case Line:
		return "line"
	case Block:
		return "block"
	case Function:
		return "function"
	case Statement:
		return "statement"
	case Arguments:
		return "arguments"
	case Docstring:
		return "docstring"
	}
	return "auto"
}

// overLines says whether a mode is for more than the cursor's line without being a block.
func (m Mode) overLines() bool { return m == Statement || m == Arguments || m == Docstring }

// ParseMode reads a mode's name.
func ParseMode(s string) (Mode, error) {
	for _, m := range []Mode{Auto, Nothing, Line, Block, Function, Statement, Arguments, Docstring} {
		if m.String() == s {
			return m, nil
		}
	}
	return Auto, fmt.Errorf("unknown mode %q: use auto, line, statement, arguments, block, function or docstring", s)
}

// Options of a plan; zero fields take the default.
type Options struct {
	// Mode asked for by hand. A mode other than Auto is kept wherever the place allows
	// it: only a cursor outside of the document, in what looks like a secret, or in a line
	// of over 64 KB gives Nothing.
	Mode Mode
	// Priority of the request. Automatic ones (below Invoked) are withheld where a
	// suggestion would be in the way: inside of a word, behind a number or a finished
	// statement, in a string of data.
	Priority engine.Priority
	// Document is its identity for the engine; default the path.
	Document    string
	PrefixBytes int // window before the cursor, default 12 KB
	SuffixBytes int // window after the cursor, default 3 KB
	MaxTokens   int // default 64 for a line, 96 for a statement, 128 for a list or prose, 192 for a block, 320 for a function
	MaxLines    int // of a block, default 24; of a function twice that, of the others at most that
}

func (o Options) withDefaults() Options {
	if o.PrefixBytes <= 0 {
		o.PrefixBytes = 12 << 10
	}
	if o.SuffixBytes <= 0 {
		o.SuffixBytes = 3 << 10
	}
	if o.MaxLines <= 0 {
		o.MaxLines = 24
	}
	return o
}

// Plan is what to ask the model at one cursor, and what its answer has to fit.
// It is immutable and safe for concurrent use.
type Plan struct {
	Mode   Mode       // never Auto
	Reason string     // why, in plain words
	Cursor ByteOffset // where the text goes in: the position asked for, at a boundary

	doc    Document
	opt    Options
	around around
	rule   *rule
	prefix window // in the whole document, as the suffix and what is hidden
	suffix window
	hidden []span // secrets in them
}

// NewPlan decides what to complete at the offset. It never fails: a place where there is
// nothing to do gives Mode Nothing and says why in Reason.
func NewPlan(doc Document, at ByteOffset, opt Options) Plan {
	opt = opt.withDefaults()
	if doc.Tree.Text() != doc.Text || doc.Tree.Language() != doc.Language {
		doc.Tree = nil // of another version: worse than none
	}
	p := Plan{Mode: Nothing, Cursor: at, doc: doc, opt: opt}
	p.rule = &rule{mode: Nothing}
	if at < 0 || int(at) > len(doc.Text) {
		p.Cursor = min(max(at, 0), ByteOffset(len(doc.Text)))
		p.Reason = fmt.Sprintf("the cursor (byte %d) is outside of the document (%d bytes)", at, len(doc.Text))
		return p
	}
	p.Cursor = ByteOffset(boundary(doc.Text, int(at)))
	a, ok := look(doc, int(p.Cursor))
	if !ok {
		p.Reason = "the line is longer than 64 KB: made by a program, not by a person"
		return p
	}
	p.around = a
	p.Mode, p.Reason = decide(a, opt)
	if p.Mode == Nothing {
		return p
	}
	p.rule = a.rule(p.Mode, opt)
	text, from := doc.whole()
	cursor := int(p.Cursor) + from
	p.prefix = prefixWindow(doc, cursor, opt.PrefixBytes)
	p.suffix = suffixWindow(text, cursor, opt.SuffixBytes)
	p.hidden = secrets(text, p.prefix.start, p.suffix.end)
	for _, s := range p.hidden {
		if s.start < cursor && cursor <= s.end {
			p.Mode, p.Reason = Nothing, "the cursor stands in what looks like a secret (a password, a key or a token)"
			p.rule = &rule{mode: Nothing}
		}
	}
	return p
}

// Request is the plan as the engine takes it. The caller may set what is not the plan's
// to decide: Decode, Deadline, Snippets, Watch, MinLogProb. [Plan.Answer] sends it. A plan of Mode Nothing has an
// empty request that must not be sent.
func (p Plan) Request() engine.Request {
	if p.Mode == Nothing {
		return engine.Request{}
	}
	id := p.opt.Document
	if id == "" {
		id = p.doc.Path
	}
	tokens := p.opt.MaxTokens
	if tokens <= 0 {
		tokens = map[Mode]int{Line: 64, Statement: 96, Arguments: 128, Docstring: 128, Block: 192, Function: 320}[p.Mode]
	}
	above, below := p.beyond()
	text, _ := p.doc.whole()
	return engine.Request{
		Document:  id,
		Path:      shortPath(p.doc.Path),
		Above:     above,
		Below:     below,
		Clean:     Plain,
		Prefix:    lineFeeds(hide(text, p.prefix, p.hidden)),
		Suffix:    lineFeeds(hide(text, p.suffix, p.hidden)),
		Priority:  p.opt.Priority,
		MaxTokens: tokens,
		Stop:      p.Stop,
	}
}

// Stop is the plan's stop rule, as [engine.Request] wants it: how many bytes of the
// decided text to keep, and the name to stop under or "" to go on. It is pure, and once
// it stops a text it stops every longer text that begins alike at the same place.
func (p Plan) Stop(decided string) (keep int, name string) {
	return p.cut(decided, false)
}

// StopWith is the stop rule of a finish with some of its rules alone, see [Plan.FinishWith].
func (p Plan) StopWith(rules Rules) func(decided string) (keep int, name string) {
	if rules.Has(RuleLoops) {
		return p.Stop
	}
	return func(decided string) (int, string) { return p.rule.cut(decided, false) }
}

// shortPath is the name of the file as the model sees it: relative paths as they are,
// of absolute ones the last two elements, since where a project lies says nothing.
func shortPath(p string) string {
	if p == "" {
		return ""
	}
	slashed := filepath.ToSlash(p)
	if !path.IsAbs(slashed) && filepath.VolumeName(p) == "" {
		return slashed
	}
	parts := strings.Split(strings.Trim(slashed, "/"), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// Explain says in plain words what was chosen and why, a sentence or two per line.
func (p Plan) Explain() []string {
	lines := []string{fmt.Sprintf("mode %s: %s", p.Mode, p.Reason)}
	tree := "no syntax tree: brackets and lines alone decided"
	if p.doc.Tree != nil {
		tree = "syntax tree"
		if n := p.doc.Tree.Problems(); n != (treesitter.Problems{}) {
			tree += fmt.Sprintf(" with %d unparsed stretches and %d supposed tokens", n.Errors, n.Missing)
		}
	}
	lines = append(lines, fmt.Sprintf("language %s, %s", p.doc.Language, tree))
	if p.Mode == Nothing {
		return lines
	}
	lines = append(lines, p.rule.explain())
	lines = append(lines, fmt.Sprintf("context: %d bytes before the cursor (from byte %d, %s), %d bytes after",
		p.prefix.end-p.prefix.start, p.prefix.start, p.prefix.why, p.suffix.end-p.suffix.start))
	if n := len(p.hidden); n > 0 {
		lines = append(lines, fmt.Sprintf("hidden from the model: %d of what look like secrets, each byte of them is a * to it", n))
	}
	if p.around.eol == "\r\n" {
		lines = append(lines, "line ends are CR LF here; the model sees and writes LF, the suggestion is converted")
	}
	return lines
}

func (r *rule) explain() string {
	switch {
	case r.mode == Line && r.literal:
		return "stops at the line's end, or before the end of the string or comment that stands after the cursor"
	case r.mode == Line:
		return "stops at the line's end"
	case r.mode == Statement:
		return fmt.Sprintf("stops at the line's end, or where the brackets that it opens are closed, within %d lines", r.maxLine)
	case r.mode == Docstring && r.literal:
		return fmt.Sprintf("stops before the end of the string or comment, which stands below; after %d lines at most", r.maxLine)
	case r.mode == Docstring:
		return fmt.Sprintf("stops behind the end of the string or comment, within %d lines", r.maxLine)
	case r.target < 0:
		return fmt.Sprintf("stops before a line indented less than %d columns, after %d lines at most", r.indent, r.maxLine)
	case r.closed:
		return fmt.Sprintf("stops before the bracket that closes the %s, which stands after the cursor already; after %d lines at most", r.mode, r.maxLine)
	}
	return fmt.Sprintf("stops behind the bracket that closes the %s; after %d lines at most", r.mode, r.maxLine)
}
