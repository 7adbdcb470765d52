package treesitter

import (
	"strings"

	sitter "github.com/smacker/go-tree-sitter"
)

// TokenKind sorts tokens.
type TokenKind uint8

const (
	OtherToken TokenKind = iota // keywords, operators, brackets
	WordToken                   // an identifier
	NumberToken
	StringToken  // with its quotes, and what is interpolated
	CommentToken // a whole one
)

// Token is a word of the language.
type Token struct {
	Range
	Kind TokenKind
}

// Tokens lists the tokens of a file, in order.
func (t *Tree) Tokens() []Token {
	var out []Token
	t.read(func(root *sitter.Node) {
		cur := sitter.NewTreeCursor(root)
		defer cur.Close()
		for {
			n := cur.CurrentNode()
			r, c, leaf := rangeOf(n), t.g.class(n), n.ChildCount() == 0
			kind := OtherToken
			switch text := t.text[r.Start:r.End]; {
			case c == classComment:
				kind, leaf = CommentToken, true
			case c == classString:
				kind, leaf = StringToken, true
			case leaf && identifiers[n.Type()]:
				kind = WordToken
			case leaf && text != "" && text[0] >= '0' && text[0] <= '9':
				kind = NumberToken
			case leaf && strings.TrimSpace(text) == "": // a line's end, in some grammars
				r = Range{}
			}
			if leaf && r.End > r.Start {
				out = append(out, Token{r, kind})
			}
			if !leaf && cur.GoToFirstChild() {
				continue
			}
			for !cur.GoToNextSibling() {
				if !cur.GoToParent() {
					return
				}
			}
		}
	})
	return out
}

// List is what stands in brackets behind a function's name: the arguments of a call, or the
// parameters of a declaration.
type List struct {
	Range    // with its brackets
	Name     Range
	Items    []Range
	Declares bool // parameters
}

// Lists gives the lists of a file that belong to a name, in the order of the text.
func (t *Tree) Lists() []List {
	var out []List
	t.read(func(root *sitter.Node) {
		cur := sitter.NewTreeCursor(root)
		defer cur.Close()
		for {
			n := cur.CurrentNode()
			if l, ok := listOf(n, cur.CurrentFieldName()); ok {
				out = append(out, l)
			}
			if cur.GoToFirstChild() {
				continue
			}
			for !cur.GoToNextSibling() {
				if !cur.GoToParent() {
					return
				}
			}
		}
	})
	return out
}

var listKinds = words(`argument_list arguments parameter_list formal_parameters parameters`)

// maxListItems: a list of more children is data. Its children are found by counting, which
// would take the square of them.
const maxListItems = 256

func listOf(n *sitter.Node, field string) (l List, ok bool) {
	if !listKinds[n.Type()] || n.ChildCount() > maxListItems {
		return l, false // before Parent, which looks for its answer from the root on
	}
	p := n.Parent()
	if p == nil {
		return l, false
	}
	var name *sitter.Node
	switch n.Type() {
	case "argument_list", "arguments":
		if name = p.ChildByFieldName("function"); name == nil {
			name = p.ChildByFieldName("name")
		}
	case "parameter_list", "formal_parameters", "parameters":
		l.Declares = true
		if field == "receiver" || field == "result" {
			return l, false
		}
		if name = p.ChildByFieldName("name"); name == nil {
			name = p.ChildByFieldName("declarator")
		}
	default:
		return l, false
	}
	for name != nil && name.ChildCount() > 0 { // f of a.b.f
		last := name.Child(int(name.ChildCount()) - 1)
		if last.IsNamed() && !strings.HasSuffix(last.Type(), "_list") && !strings.HasPrefix(last.Type(), "type_") {
			name = last
		} else {
			name = nil
		}
	}
	if name == nil || !identifiers[name.Type()] {
		return l, false
	}
	l.Range, l.Name = rangeOf(n), rangeOf(name)
	for i := range int(n.NamedChildCount()) {
		c := n.NamedChild(i)
		if strings.HasSuffix(c.Type(), "comment") {
			continue
		}
		var names []Range
		for j := range int(c.ChildCount()) {
			if c.FieldNameForChild(j) == "name" && c.Type() == "parameter_declaration" {
				names = append(names, rangeOf(c.Child(j)))
			}
		}
		if len(names) > 1 { // Go's a, b int are two
			l.Items = append(l.Items, names...)
		} else {
			l.Items = append(l.Items, rangeOf(c))
		}
	}
	return l, true
}
