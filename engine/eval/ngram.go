package eval

import (
	"bytes"
	"context"
	"errors"
	"index/suffixarray"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine"
)

// Ngram is the baseline that every model has to beat: it has learnt nothing and only looks
// up what followed, in its texts, the longest stretch of the newest bytes that stands there
// (an n-gram model of unbounded n, after infini-gram, arXiv 2401.17377; the most frequent
// next byte, greedily). It sees the text before the cursor alone.
type Ngram struct {
	text  []byte
	index *suffixarray.Index
}

// Bounds of the lookup.
const (
	ngramContext = 48  // bytes looked for at most
	ngramPlaces  = 256 // places counted at most
	ngramAnswer  = 320 // bytes of an answer at most
)

// NewNgram indexes texts: five bytes of memory a byte of text, half a second a megabyte.
func NewNgram(texts []File) (*Ngram, error) {
	var b bytes.Buffer
	for _, f := range texts {
		b.WriteString(f.Text)
		b.WriteByte(0) // in no source: nothing is found across two files
	}
	if b.Len() == 0 {
		return nil, errors.New("an n-gram baseline wants texts to look things up in")
	}
	return &Ngram{b.Bytes(), suffixarray.New(b.Bytes())}, nil
}

// next is the byte that most often followed the longest end of context that is known.
func (n *Ngram) next(context []byte) (byte, bool) {
	known, unknown := 0, min(len(context), ngramContext)+1 // lengths; what is known has known ends
	for known+1 < unknown {
		mid := (known + unknown) / 2
		if len(n.index.Lookup(context[len(context)-mid:], 1)) > 0 {
			known = mid
		} else {
			unknown = mid
		}
	}
	var counts [256]int
	best, any := 0, false
	for _, at := range n.index.Lookup(context[len(context)-known:], ngramPlaces) {
		if after := at + known; after < len(n.text) && n.text[after] != 0 {
			c := int(n.text[after])
			counts[c]++
			if !any || counts[c] > counts[best] || counts[c] == counts[best] && c < best {
				best, any = c, true
			}
		}
	}
	return byte(best), any && known > 0
}

// Generate implements Generator. Tokens and Forwards are bytes and lookups.
func (n *Ngram) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	text := []byte(r.Prefix)
	begin := len(text)
	res := engine.Result{Stop: "budget"}
	for len(text)-begin < ngramAnswer {
		if err := ctx.Err(); err != nil {
			return engine.Result{}, err
		}
		b, ok := n.next(text)
		res.Forwards++
		if !ok {
			res.Stop = "none"
			break
		}
		text = append(text, b)
		if r.Stop == nil || !utf8.Valid(text[begin:]) {
			continue
		}
		if keep, name := r.Stop(string(text[begin:])); name != "" {
			text, res.Stop = text[:begin+keep], name
			break
		}
	}
	res.Text = string(bytes.ToValidUTF8(text[begin:], nil))
	res.Tokens = len(res.Text)
	return res, nil
}
