package infill

import (
	"strings"
	"unicode/utf8"
)

// window is a stretch of the document that the model sees.
type window struct {
	start, end int
	why        string // why it starts where it does
}

func (w window) of(text string) string { return text[w.start:w.end] }

// prefixWindow is what the model sees before the cursor: between three quarters of size
// and size bytes. Its left edge lies at a multiple of a quarter of size, moved on to the
// next declaration or line, so that ordinary typing leaves it where it is and the engine
// finds its cache: it moves once in size/4 typed bytes. Offsets are of the whole document.
func prefixWindow(doc Document, at, size int) window {
	text, from := doc.whole()
	w := window{0, at, "the file's start"}
	if at <= size {
		return w
	}
	step := max(size/4, 1)
	edge := (at - size + step - 1) / step * step
	limit := min(edge+step, at)
	w.start, w.why = edge, "in the middle of a long line"
	for i := edge; i < min(edge+utf8.UTFMax, at); i++ {
		if utf8.RuneStart(text[i]) {
			w.start = i
			break
		}
	}
	if i := strings.IndexByte(text[max(edge-1, 0):limit], '\n'); i >= 0 {
		w.start, w.why = max(edge-1, 0)+i+1, "a line's start"
	}
	const declaration = "a declaration's start"
	switch starts := doc.Tree.Declarations(ByteOffset(edge-from), ByteOffset(limit-from)); {
	case edge < from: // no tree reaches there
		if i := between(text, edge, limit); i >= 0 {
			w.start, w.why = i, declaration
		}
	case len(starts) > 0:
		if s := int(starts[0]) + from; s == 0 || text[s-1] == '\n' {
			w.start, w.why = s, declaration
		}
	}
	return w
}

// suffixWindow is what the model sees after the cursor: whole lines of up to size bytes.
// Its right edge depends on nothing before the cursor, so typing leaves it alone.
func suffixWindow(text string, at, size int) window {
	end := at + size
	if end >= len(text) {
		return window{start: at, end: len(text)}
	}
	if i := strings.LastIndexByte(text[at:end], '\n'); i >= 0 {
		return window{start: at, end: at + i + 1}
	}
	return window{start: at, end: max(boundary(text, end), at)}
}

const (
	// beyondBytes of the document on each side of the windows are for the engine's memory.
	beyondBytes = 64 << 10
	// beyondStep: the text below begins at a multiple of it from the document's end, so that
	// it seldom changes while the cursor moves.
	beyondStep = 4 << 10
)

// beyond is what stands before and after the windows: where the model does not see it, the
// memory may. Typing leaves both as they are while it leaves the windows' edges.
func (p Plan) beyond() (above, below string) {
	text, _ := p.doc.whole()
	start, end := p.prefix.start, p.suffix.end
	from := max(0, start-beyondBytes)
	from += (beyondStep - from%beyondStep) % beyondStep
	above = text[boundary(text, min(from, start)):start]
	if rest := (len(text) - end) / beyondStep * beyondStep; rest > 0 {
		at := boundary(text, len(text)-rest)
		below = text[at:boundary(text, min(len(text), at+beyondBytes))]
	}
	return above, below
}

// Plain is a text as the model may see it: secrets hidden, line feeds only.
func Plain(text string) string { return lineFeeds(HideSecrets(text)) }

// lineFeeds is text with every CR LF made LF, and however many carriage returns stand
// before a line feed. Lone ones stay.
func lineFeeds(text string) string {
	for strings.Contains(text, "\r\n") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return text
}
