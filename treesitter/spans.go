package treesitter

import (
	"strings"

	sitter "github.com/smacker/go-tree-sitter"
)

// SpanKind sorts spans.
type SpanKind uint8

const (
	FunctionBody SpanKind = iota // all statements of a function
	Block                        // all statements of another block
	Statement                    // one statement, simple or compound
)

// String is the kind's name: function_body, block or statement.
func (k SpanKind) String() string {
	switch k {
	case FunctionBody:
		return "function_body"
	case Block:
		return "block"
	}
	return "statement"
}

// Span is a stretch of code that makes sense as a gap: [Start, End) with no white space
// at either end, so that what stands before and after it is a cursor's left and right.
type Span struct {
	Kind       SpanKind
	Start, End ByteOffset
}

// Spans lists the function bodies, blocks and statements of a tree, outer before inner,
// in the order of the text. Bodies and blocks are given without their brackets; empty
// ones and those inside stretches that could not be parsed are left out. text must be
// the text that was parsed; with another one (or a nil tree) there are no spans.
func Spans(tree *Tree, text string) []Span {
	if tree == nil || tree.text != text {
		return nil
	}
	var spans []Span
	tree.read(func(root *sitter.Node) {
		w := spanWalk{t: tree, cur: sitter.NewTreeCursor(root)}
		defer w.cur.Close()
		w.children(classOther, 0)
		spans = w.spans
	})
	return spans
}

type spanWalk struct {
	t     *Tree
	cur   *sitter.TreeCursor
	spans []Span
}

// maxDepth of the syntax tree that is walked: nobody writes code that deep, only
// generators do, and the walk recurses.
const maxDepth = 300

// children walks the children of the current node, whose class and depth are given.
func (w *spanWalk) children(parent class, depth int) {
	if depth > maxDepth || !w.cur.GoToFirstChild() {
		return
	}
	for {
		w.node(parent, depth)
		if !w.cur.GoToNextSibling() {
			break
		}
	}
	w.cur.GoToParent()
}

func (w *spanWalk) node(parent class, depth int) {
	n := w.cur.CurrentNode()
	if !n.IsNamed() || n.IsError() {
		return
	}
	c, r := w.t.g.class(n), rangeOf(n)
	if c == classComment || c == classString {
		return
	}
	if c == classBlock {
		kind := Block
		if parent == classFunction {
			kind = FunctionBody
		}
		w.add(kind, interior(w.t.text, r))
	}
	if w.isStatement(n, c, parent) {
		w.add(Statement, trimmed(w.t.text, r))
	}
	// Only brackets (in Python: colons) lead to further blocks, so most of the tree
	// need not be visited at all.
	mark := byte('{')
	if w.t.lang.Indented() {
		mark = ':'
	}
	if c == classBlock || c == classArm || strings.IndexByte(w.t.text[r.Start:r.End], mark) >= 0 {
		w.children(c, depth+1)
	}
}

// isStatement leaves out what is more than a statement (functions and types inside of
// others) and what stands at the top level, where "statement" says little.
func (w *spanWalk) isStatement(n *sitter.Node, c, parent class) bool {
	switch {
	case n.HasError() || c == classBlock || c == classArm || c == classFunction || parent == classOther || parent == classMembers:
		return false
	case c == classStatement:
		return true
	case parent == classBlock:
		return !strings.HasSuffix(n.Type(), "_definition")
	}
	return false
}

func (w *spanWalk) add(k SpanKind, r Range) {
	if r.Start < r.End {
		w.spans = append(w.spans, Span{k, r.Start, r.End})
	}
}

// interior is what stands between a block's curly brackets, trimmed; all of it where
// the block has none.
func interior(text string, r Range) Range {
	if r.Start < r.End && text[r.Start] == '{' { // a block that the parser only supposed is empty
		r.Start++
		if r.End > r.Start && text[r.End-1] == '}' {
			r.End--
		}
	}
	return trimmed(text, r)
}

// trimmed takes white space off both ends of a range.
func trimmed(text string, r Range) Range {
	for r.Start < r.End && isSpace(text[r.Start]) {
		r.Start++
	}
	for r.End > r.Start && isSpace(text[r.End-1]) {
		r.End--
	}
	return r
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// Problems counts what a parser stumbled over.
type Problems struct {
	Errors  int // stretches that could not be parsed
	Missing int // tokens that had to be supposed
}

// Problems counts in the whole text. Compare a text with and without a suggestion to
// see whether the suggestion broke it.
func (t *Tree) Problems() Problems {
	if t == nil {
		return Problems{}
	}
	return t.ProblemsIn(Range{0, ByteOffset(len(t.text)) + 1})
}

// ProblemsIn counts the problems that touch [r.Start, r.End).
func (t *Tree) ProblemsIn(r Range) Problems {
	var p Problems
	t.read(func(root *sitter.Node) {
		cur := sitter.NewTreeCursor(root)
		defer cur.Close()
		for {
			n := cur.CurrentNode()
			at := rangeOf(n)
			touches := at.Start < r.End && (at.End > r.Start || at.Start == at.End && at.Start >= r.Start)
			if touches {
				if n.IsError() {
					p.Errors++
				}
				if n.IsMissing() {
					p.Missing++
				}
			}
			// Sound parts are skipped whole, so this is quick on good code.
			if touches && n.HasError() && cur.GoToFirstChild() {
				continue
			}
			for !cur.GoToNextSibling() {
				if !cur.GoToParent() {
					return
				}
			}
		}
	})
	return p
}
