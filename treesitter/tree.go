package treesitter

import (
	"sync"

	sitter "github.com/smacker/go-tree-sitter"
)

// Tree is the syntax of one text. It never changes and may be read by many goroutines
// at once. A nil Tree answers every question with "nothing known".
type Tree struct {
	lang Language
	g    *grammar
	text string

	mu sync.RWMutex // guards c against Close while it is copied
	c  *sitter.Tree // never read itself, only copied: see the package's invariants
}

// Language of the tree's text.
func (t *Tree) Language() Language {
	if t == nil {
		return Text
	}
	return t.lang
}

// Text that was parsed.
func (t *Tree) Text() string {
	if t == nil {
		return ""
	}
	return t.text
}

// Close frees the tree's C memory. It may be called more than once and on nil; a
// closed tree answers as a nil one does.
func (t *Tree) Close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.c != nil {
		t.c.Close()
		t.c = nil
	}
}

// copied gives a copy for one goroutine, nil when there is none. The caller closes it.
func (t *Tree) copied() *sitter.Tree {
	if t == nil {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.c == nil {
		return nil
	}
	return t.c.Copy()
}

// read runs f on the root of a copy that is gone afterwards, and with it the memory of
// the nodes that f visited. f must let no node out.
func (t *Tree) read(f func(root *sitter.Node)) {
	c := t.copied()
	if c == nil {
		return
	}
	defer c.Close()
	f(c.RootNode())
}

// edited is a copy told of the difference between the tree's text and the new one. It
// is good for nothing but being the old tree of a parse of that text.
func (t *Tree) edited(text string) *sitter.Tree {
	c := t.copied()
	if c == nil {
		return nil
	}
	start, endOld, endNew := difference(t.text, text)
	if start == endOld && start == endNew {
		return c
	}
	c.Edit(sitter.EditInput{
		StartIndex:  uint32(start),
		OldEndIndex: uint32(endOld),
		NewEndIndex: uint32(endNew),
		StartPoint:  pointAt(t.text, start),
		OldEndPoint: pointAt(t.text, endOld),
		NewEndPoint: pointAt(text, endNew),
	})
	return c
}
