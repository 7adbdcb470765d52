package infill

import (
	"regexp"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
)

// Stub is a function that is still to be written: its body is empty, or says so.
type Stub struct {
	Start ByteOffset // of the function
	Line  ByteOffset // where its header begins, for a lens above it
	End   ByteOffset
	Why   StubKind

	text       string // of the document with room for the body
	at         int    // in text: where the body goes
	start, end int    // in the document: what is replaced
	before     string // what stands before the body then, and behind it
	after      string
}

// StubKind says what stands in place of a function's body.
type StubKind string

// The kinds of stubs.
const (
	Empty       StubKind = "empty body"
	Placeholder StubKind = "stub"
	Todo        StubKind = "TODO"
)

// placeholders are bodies that only say that there is none, without comments and white space
// around. A docstring may stand before them.
var placeholders = regexp.MustCompile(`^(?:pass|\.\.\.|raise NotImplementedError(?:\([^\n]*\))?` +
	`|panic\((?i:"[^"\n]*(?:not implemented|unimplemented|implement me|todo)[^"\n]*")\)|(?:todo|unimplemented)!\([^\n]*\);?` +
	`|throw new (?:UnsupportedOperationException|NotImplementedException)\([^\n]*\);?|throw new Error\((?i:["'` + "`" + `][^\n]*(?:not implemented|unimplemented|todo)[^\n]*)\);?)$`)

var (
	todo      = regexp.MustCompile(`\b(?:TODO|FIXME|XXX)\b`)
	docstring = regexp.MustCompile(`^(?s:[rRbBuU]*(?:""".*?"""|'''.*?'''))[ \t]*(?:\n|$)`)
	// abstract marks functions that are meant to have no body.
	abstract = regexp.MustCompile(`@(?:\w+\.)*(?:overload|abstractmethod)\b`)
)

// Stubs lists the functions of a document that are still to be written, in the order of the
// text. It needs the syntax tree.
func Stubs(doc Document) []Stub {
	if doc.Tree == nil || doc.Tree.Text() != doc.Text || strings.HasSuffix(doc.Path, ".pyi") {
		return nil
	}
	var stubs []Stub
	for _, f := range doc.Tree.Functions() {
		inner := doc.Text[f.Interior.Start:f.Interior.End]
		if len(inner) > 4<<10 {
			continue
		}
		line, ok := lineStart(doc.Text, int(f.Whole.Start))
		if !ok || doc.Language.Indented() && abstract.MatchString(decorators(doc.Text, line)) {
			continue
		}
		s := Stub{Start: f.Whole.Start, End: f.Whole.End, Line: ByteOffset(line)}
		if s.read(doc, int(f.Interior.Start), int(f.Interior.End)) {
			s.Line += ByteOffset(len(indentOf(doc.Text[line:])))
			stubs = append(stubs, s)
		}
	}
	return stubs
}

// decorators are the lines right above a line that begin with @.
func decorators(text string, line int) string {
	from := line
	for from > 0 {
		start, ok := lineStart(text, from-1)
		if !ok || !strings.HasPrefix(strings.TrimLeft(text[start:from], " \t"), "@") {
			break
		}
		from = start
	}
	return text[from:line]
}

// StubAt is the stub whose function holds the offset; the innermost.
func StubAt(doc Document, at ByteOffset) (Stub, bool) { return StubIn(doc, at, at) }

// StubIn is the stub at the start of a selection, or else the first one that it touches: people
// select a function with the comment above it.
func StubIn(doc Document, from, to ByteOffset) (Stub, bool) {
	var first Stub
	ok := false
	for _, s := range Stubs(doc) {
		switch {
		case s.Line <= from && from <= s.End:
			first, ok = s, true // the innermost
		case !ok && from < s.Line && s.Line < to:
			first, ok = s, true
		}
	}
	return first, ok
}

// read sees whether the interior of a body, text[from:to), is a stub's, and prepares the
// place where the body goes.
func (s *Stub) read(doc Document, from, to int) bool {
	text := doc.Text
	head, _ := lineStart(text, from)
	indent := indentOf(text[head:])
	eol := "\n"
	if strings.Contains(text, "\r\n") {
		eol = "\r\n"
	}
	unit := "\t"
	if a, ok := look(doc, from); ok {
		if st := a.style(); !st.tabs && (st.known || doc.Language.Indented()) {
			unit = strings.Repeat(" ", st.unit)
		}
	}
	inner := text[from:to]
	// What is kept of the interior: the docstring and the comments that say what to do.
	kept := from
	if doc.Language.Indented() {
		body := strings.TrimLeft(inner, " \t\r\n")
		if m := docstring.FindString(body + "\n"); m != "" {
			kept = to - len(body) + min(len(strings.TrimRight(m, " \t\r\n")), len(body))
		}
	}
	rest := text[kept:to]
	code, comments, last := withoutComments(rest, doc.Language.Indented())
	switch {
	case todo.MatchString(comments) && (code == "" || placeholders.MatchString(code)):
		s.Why = Todo
		kept += last
	case code == "" && strings.TrimSpace(comments) == "":
		s.Why = Empty
	case code != "" && placeholders.MatchString(code):
		s.Why = Placeholder
		kept += last
	default:
		return false
	}
	s.start, s.end = kept, to
	s.before = eol + indent + unit
	if !doc.Language.Indented() {
		s.after = eol + indent
	}
	s.text = text[:kept] + s.before + s.after + text[to:]
	s.at = kept + len(s.before)
	return true
}

// withoutComments gives what is code in a text, trimmed, the line comments and block comments
// in it, and where the last comment that stands before any code ends.
func withoutComments(text string, indented bool) (code, comments string, last int) {
	var b, c strings.Builder
	for i := 0; i < len(text); {
		rest := text[i:]
		n := 0
		switch {
		case indented && rest[0] == '#' || !indented && strings.HasPrefix(rest, "//"):
			if n = strings.IndexByte(rest, '\n'); n < 0 {
				n = len(rest)
			}
			n -= len(rest[:n]) - len(strings.TrimRight(rest[:n], "\r"))
		case !indented && strings.HasPrefix(rest, "/*"):
			if n = strings.Index(rest, "*/") + 2; n < 2 {
				n = len(rest)
			}
		case rest[0] == '"' || rest[0] == '\'' || rest[0] == '`':
			n = engine.Words(rest)[0].End
			b.WriteString(rest[:n])
			i += n
			continue
		default:
			b.WriteByte(rest[0])
			i++
			continue
		}
		c.WriteString(rest[:n] + "\n")
		i += n
		if strings.TrimSpace(b.String()) == "" {
			last = i
		}
	}
	return strings.TrimSpace(b.String()), c.String(), last
}

// Document is the document with an empty body in place of the stub, without a tree.
func (s Stub) Document(doc Document) Document {
	doc.Text, doc.Tree = s.text, nil
	return doc
}

// Plan is how to write the body. doc is what Document gave, with its tree if there is one.
func (s Stub) Plan(doc Document, opt Options) Plan {
	opt.Mode = Function
	return NewPlan(doc, ByteOffset(s.at), opt)
}

// Edit makes an edit of the document of what the plan answered. ok is false when there is
// nothing to put in the stub's place.
func (s Stub) Edit(g Suggestion) (e TextEdit, ok bool) {
	body := strings.TrimRight(g.Text, " \t\r\n")
	if strings.TrimSpace(body) == "" {
		return TextEdit{}, false
	}
	return TextEdit{Start: ByteOffset(s.start), End: ByteOffset(s.end), Text: s.before + body + s.after}, true
}
