package engine

import (
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
)

// Input is a context before it is laid out, in tokens.
type Input struct {
	Snippets [][]backend.TokenID // pieces of other files, least important first
	Path     []backend.TokenID   // the file's name
	Suffix   []backend.TokenID   // text after the gap; empty: nothing follows
	Draft    []backend.TokenID   // of an edit: the region as it stands
	Prefix   []backend.TokenID   // text before the gap
}

// PlainLayout is what a plain model reads (model.Scheme.Plain): the text before the gap
// behind the mark that ends a text, since it knows no other.
func PlainLayout(t model.SpecialTokens, prefix []backend.TokenID) []backend.TokenID {
	return append([]backend.TokenID{t.End}, prefix...)
}

// Layout is the order in which a context is read, in training and in serving:
//
//	<repo> snippet … <path> name <suffix> S <draft> D <prefix> P
//
// Suffix first, so that typing only appends; prefix last, so that the canvas goes on
// where it ends with no sentinel between. Empty segments are left out with their
// marker, the prefix marker alone always stands (so that a canvas is never without
// context).
func Layout(t model.SpecialTokens, in Input) []backend.TokenID {
	n := 2 + len(in.Path) + len(in.Suffix) + len(in.Draft) + len(in.Prefix) + 2
	for _, s := range in.Snippets {
		n += 1 + len(s)
	}
	out := make([]backend.TokenID, 0, n)
	segment := func(mark backend.TokenID, text []backend.TokenID) {
		if len(text) > 0 {
			out = append(append(out, mark), text...)
		}
	}
	for _, s := range in.Snippets {
		segment(t.Repo, s)
	}
	segment(t.Path, in.Path)
	segment(t.Suffix, in.Suffix)
	segment(t.Draft, in.Draft)
	return append(append(out, t.Prefix), in.Prefix...)
}
