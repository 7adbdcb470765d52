package engine

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// How the positions of a model are shared out.
const (
	maxPath     = 32  // tokens of the file's name
	cutStep     = 128 // tokens by which the start of the prefix moves
	tokenBytes  = 16  // bytes of a token at the most, to cut texts before they are encoded
	suffixShare = 4   // a quarter of the context for the suffix, another for snippets
)

// window is a request's context in tokens, before it is cut to the positions.
type window struct {
	tok  *tokenizer.Tokenizer
	in   Input
	room int    // tokens of the answer that are kept free
	word string // what the answer has to begin with
	// plain: the model reads the prefix alone, in stays empty else.
	plain bool
}

// encode makes tokens of a request's texts. positions are the model's: of longer texts
// only what can be of use is encoded. A plain model is given the prefix alone.
func encode(tok *tokenizer.Tokenizer, req Request, positions, room int, plain bool) window {
	most := positions * tokenBytes
	ids := func(text string) []backend.TokenID { return tokenizer.Encode[backend.TokenID](tok, nil, text) }
	w := window{tok: tok, room: room, plain: plain}
	if plain {
		req.Snippets, req.Path, req.Suffix = nil, "", ""
	}
	for _, s := range req.Snippets {
		text := s.Text
		if s.Path != "" {
			text = s.Path + "\n" + text
		}
		w.in.Snippets = append(w.in.Snippets, ids(head(text, most)))
	}
	w.in.Path = ids(tail(req.Path, 16*maxPath, 1))
	w.in.Suffix = ids(head(req.Suffix, most))
	context, word := begun(req.Prefix, tok.Split())
	w.in.Prefix, w.word = unfinished(tok, ids(tail(context, 2*most, most)), word)
	return w
}

// layout cuts the context to positions and lays it out: at least one token (the prefix
// marker) and fewer than positions.
//
// While a person types at its end, the prefix is cut at the same place, in steps, so that
// the tokens before it stay and with them the cache. It pays: the prefix may be a step and
// a half shorter than it could be.
func (w window) layout(t model.SpecialTokens, positions int) []backend.TokenID {
	// With few positions a long answer must not leave the context nothing.
	room := max(1, min(w.room, positions/4))
	total := max(0, positions-room-4) // markers: path, suffix, prefix, and one to spare
	in := w.in
	in.Path = in.Path[max(0, len(in.Path)-min(maxPath, total/8)):]
	in.Suffix = in.Suffix[:min(len(in.Suffix), total/suffixShare)]
	left := total - len(in.Path) - len(in.Suffix)
	// The most important snippets stand last. They are taken whole or not at all.
	share := total / suffixShare
	first := len(in.Snippets)
	for first > 0 && 1+len(in.Snippets[first-1]) <= share {
		first--
		share -= 1 + len(in.Snippets[first])
		left -= 1 + len(in.Snippets[first])
	}
	in.Snippets = in.Snippets[first:]
	in.Prefix = in.Prefix[w.cut(in.Prefix, left):]
	if w.plain {
		return PlainLayout(t, in.Prefix)
	}
	return Layout(t, in)
}

// cut is where the prefix must begin to have at most left tokens: at a multiple of a step,
// or at the first start of a line in the half step after it.
func (w window) cut(prefix []backend.TokenID, left int) int {
	over := len(prefix) - left
	if over <= 0 {
		return 0
	}
	step := max(1, min(cutStep, left/4))
	at := (over + step - 1) / step * step
	for i := at; i <= min(at+step/2, len(prefix)-1); i++ {
		if bytes.IndexByte(w.tok.Token(int32(prefix[i-1])), '\n') >= 0 {
			return i
		}
	}
	return min(at, len(prefix))
}

// head is a beginning of at most n bytes.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// tail is an end of s of at most n bytes that begins at a multiple of step bytes, or at
// the first start of a line in the quarter step after it.
func tail(s string, n, step int) string {
	if len(s) <= n {
		return s
	}
	at := (len(s) - n + step - 1) / step * step
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	if i := strings.IndexByte(s[at:min(len(s), at+step/4)], '\n'); i >= 0 && at+i+1 < len(s) {
		at += i + 1
	}
	return s[at:]
}
