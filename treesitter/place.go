package treesitter

import (
	"strings"

	sitter "github.com/smacker/go-tree-sitter"
)

// Range is a stretch of text, Start inclusive and End exclusive. The zero Range means
// that there is none.
type Range struct{ Start, End ByteOffset }

// IsZero reports whether the range stands for "none".
func (r Range) IsZero() bool { return r == Range{} }

// Place is what surrounds a position: the innermost of each kind, zero where none does.
// A position belongs to what its left neighbour byte belongs to, since that is what is
// being continued: behind the last letter of a line comment one is still in the comment,
// behind the closing quote no longer in the string.
type Place struct {
	Function  Range // the whole function, header included
	Body      Range // its body, brackets included
	Block     Range // innermost block, brackets included where there are any
	Statement Range
	Comment   Range
	String    Range // literal with its quotes
	Broken    bool  // inside a stretch that could not be parsed
}

// At describes the position at. Offsets beyond the text are taken as its end.
// Around an unfinished line trees are often wrong: take the answer as a hint.
func (t *Tree) At(at ByteOffset) Place {
	var p Place
	if t == nil || len(t.text) == 0 {
		return p
	}
	at = min(max(at, 0), ByteOffset(len(t.text)))
	t.read(func(root *sitter.Node) {
		parent := classOther
		descend(root, max(at-1, 0), func(n *sitter.Node) {
			c := t.g.class(n)
			r := rangeOf(n)
			inside := r.Start < at && at < r.End
			switch {
			case n.IsError():
				p.Broken = true
			case c == classFunction:
				p.Function, p.Body = r, Range{}
			case c == classBlock && (inside || t.lang.Indented()):
				p.Block = r
				if parent == classFunction {
					p.Body = r
				}
			case c == classComment && (inside || r.Start < at && isLineComment(t.text[r.Start:r.End])):
				p.Comment = r
			case c == classString && inside && p.String.IsZero():
				p.String = r
			}
			if c == classStatement || n.IsNamed() && (parent == classBlock || parent == classArm) && c != classComment {
				p.Statement = r
			}
			parent = c
		})
	})
	return p
}

// isLineComment: one goes on behind it, but not when it holds its line end (as Rust's
// doc comments do).
func isLineComment(s string) bool {
	return (strings.HasPrefix(s, "//") || strings.HasPrefix(s, "#")) && !strings.HasSuffix(s, "\n")
}

// Brace says what a curly bracket opens.
type Brace uint8

const (
	BraceUnknown  Brace = iota // not in the tree, or in a part that could not be parsed
	BraceFunction              // a function's body
	BraceBlock                 // statements, or the arms of a switch
	BraceMembers               // members of a type or namespace
	BraceLiteral               // a value, a pattern, an interpolation
)

// BraceAt says what the opening curly bracket at the offset opens.
func (t *Tree) BraceAt(at ByteOffset) Brace {
	brace := BraceUnknown
	if t == nil || at < 0 || int(at) >= len(t.text) || t.text[at] != '{' {
		return brace
	}
	t.read(func(root *sitter.Node) {
		var up [2]class // parent and grandparent of the node at hand
		broken := false
		descend(root, at, func(n *sitter.Node) {
			if !n.IsNamed() && rangeOf(n).End == at+1 && !broken { // { or ${
				switch up[0] {
				case classBlock:
					brace = BraceBlock
					if up[1] == classFunction {
						brace = BraceFunction
					}
				case classCases:
					brace = BraceBlock
				case classMembers:
					brace = BraceMembers
				case classLiteral:
					brace = BraceLiteral
				}
			}
			broken = n.IsError()
			up[1], up[0] = up[0], t.g.class(n)
		})
	})
	return brace
}

// Anchor is a place at or before the position where a scan of the text may begin as if
// at the top of a file: outside of every bracket, string and comment. It is the start of
// the last declaration at the top level that begins before the position, the text's
// start when the tree does not know better.
func (t *Tree) Anchor(at ByteOffset) ByteOffset {
	anchor := ByteOffset(0)
	t.read(func(root *sitter.Node) {
		if root.IsError() {
			return // its children are loose tokens, not declarations
		}
		cur := sitter.NewTreeCursor(root)
		defer cur.Close()
		if cur.GoToFirstChildForByte(uint32(max(at, 0))+1) < 0 {
			// Behind everything: the last child is the one before.
			last := root.Child(int(root.ChildCount()) - 1)
			anchor = startOfDeclaration(t, last, at)
			return
		}
		anchor = startOfDeclaration(t, cur.CurrentNode(), at)
	})
	return anchor
}

// startOfDeclaration walks back from n to a sound declaration that starts before at. It
// gives up after some steps, since each costs as much as there are siblings.
func startOfDeclaration(t *Tree, n *sitter.Node, at ByteOffset) ByteOffset {
	for steps := 0; n != nil && steps < 100; steps, n = steps+1, n.PrevSibling() {
		r := rangeOf(n)
		if r.Start <= at && r.End > r.Start && n.IsNamed() && !n.IsError() && t.g.class(n) != classComment {
			return r.Start
		}
	}
	return 0
}

// Declarations lists where declarations at the top level start, in [from, to).
func (t *Tree) Declarations(from, to ByteOffset) []ByteOffset {
	var starts []ByteOffset
	t.read(func(root *sitter.Node) {
		if root.IsError() {
			return
		}
		cur := sitter.NewTreeCursor(root)
		defer cur.Close()
		if cur.GoToFirstChildForByte(uint32(max(from, 0))+1) < 0 {
			return
		}
		for {
			n := cur.CurrentNode()
			r := rangeOf(n)
			if r.Start >= to {
				return
			}
			if r.Start >= from && n.IsNamed() && !n.IsError() {
				starts = append(starts, r.Start)
			}
			if !cur.GoToNextSibling() {
				return
			}
		}
	})
	return starts
}

// descend visits the nodes that hold the byte at, from the root inwards.
func descend(root *sitter.Node, at ByteOffset, visit func(*sitter.Node)) {
	cur := sitter.NewTreeCursor(root)
	defer cur.Close()
	for {
		n := cur.CurrentNode()
		if r := rangeOf(n); r.Start > at || r.End <= at {
			// The byte lies between two children, or beyond the root.
			if n.Parent() != nil {
				return
			}
		}
		visit(n)
		// The binding's search takes the first child that ends at the byte or behind it.
		if cur.GoToFirstChildForByte(uint32(at)+1) < 0 {
			return
		}
	}
}

func rangeOf(n *sitter.Node) Range {
	return Range{ByteOffset(n.StartByte()), ByteOffset(n.EndByte())}
}
