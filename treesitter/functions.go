package treesitter

import sitter "github.com/smacker/go-tree-sitter"

// Function is one with a body. Interior is the body without its brackets, white space and
// all: what would be replaced to write it anew. In languages of indentation it goes from
// behind the colon to the end of the last statement.
type Function struct{ Whole, Body, Interior Range }

// Functions lists the functions of a tree, outer before inner, in the order of the text,
// also those whose body is empty. Functions inside stretches that could not be parsed are
// left out.
func (t *Tree) Functions() []Function {
	var all []Function
	t.read(func(root *sitter.Node) {
		cur := sitter.NewTreeCursor(root)
		defer cur.Close()
		for {
			n := cur.CurrentNode()
			if t.g.class(n) == classFunction {
				if f, ok := functionOf(t, n); ok {
					all = append(all, f)
				}
			}
			if !n.IsError() && t.g.class(n) != classString && cur.GoToFirstChild() {
				continue
			}
			for !cur.GoToNextSibling() {
				if !cur.GoToParent() {
					return
				}
			}
		}
	})
	return all
}

func functionOf(t *Tree, n *sitter.Node) (Function, bool) {
	f := Function{Whole: rangeOf(n)}
	for i := int(n.ChildCount()) - 1; i >= 0; i-- {
		c := n.Child(i)
		if t.g.class(c) != classBlock {
			continue
		}
		f.Body = rangeOf(c)
		f.Interior = f.Body
		if t.lang.Indented() {
			for i--; i >= 0; i-- { // a comment may stand between
				if c := n.Child(i); c.Type() == ":" {
					f.Interior.Start = rangeOf(c).End
					return f, true
				}
			}
			return f, false
		}
		if f.Body.End-f.Body.Start < 2 || t.text[f.Body.Start] != '{' || t.text[f.Body.End-1] != '}' {
			return f, false
		}
		f.Interior = Range{f.Body.Start + 1, f.Body.End - 1}
		return f, true
	}
	return f, false
}
