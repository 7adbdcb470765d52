package train

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// Sampler draws micro-batches. Micro-batch i of a run depends on the settings, the
// corpus, i and the step alone.
type Sampler struct {
	c      *Corpus
	tok    *tokenizer.Tokenizer
	ids    model.SpecialTokens
	sp     specials
	s      Settings
	cumul  []float64 // of file weights
	spans  SpanFinder
	stream uint64 // tells training from reports
}

// SpanFinder gives the byte ranges of syntactic units of a text (statements, blocks,
// bodies), for middles cut by the syntax tree.
type SpanFinder func(language string, text []byte) [][2]int

// NewSampler weighs files by their length, languages alike, tests by s.TestShare.
func NewSampler(c *Corpus, tok *tokenizer.Tokenizer, ids model.SpecialTokens, s Settings, spans SpanFinder, stream uint64) (*Sampler, error) {
	if len(c.Files) == 0 {
		return nil, fmt.Errorf("the %s split of the corpus is empty", c.Split)
	}
	first := int32(0)
	for _, t := range []backend.TokenID{ids.Mask, ids.End, ids.Suffix, ids.Prefix, ids.Draft, ids.Path, ids.Repo, ids.Delete, ids.Insert} {
		first = max(first, int32(t)+1)
	}
	p := &Sampler{c: c, tok: tok, ids: ids, s: s, spans: spans, stream: stream,
		sp: specials{mask: int32(ids.Mask), end: int32(ids.End), del: int32(ids.Delete), ins: int32(ids.Insert), first: first}}
	sum := map[string]float64{}
	weight := func(f File) float64 {
		w := float64(f.Length)
		if f.Test {
			w *= s.TestShare
		}
		return w
	}
	for _, f := range c.Files {
		sum[f.Language] += weight(f)
	}
	total := 0.0
	for _, f := range c.Files {
		if w := sum[f.Language]; w > 0 {
			total += weight(f) / w
		}
		p.cumul = append(p.cumul, total)
	}
	if m := p.Micro(0, 0); m.Clean == 0 {
		return nil, fmt.Errorf("no document of 16 tokens or more can be drawn from the %s split: its files are too short, or their paths too long for %d positions", c.Split, s.Positions)
	}
	return p, nil
}

// doc is one document of a micro-batch: a laid-out context with its middle and end.
type doc struct {
	tokens []int32
	body   int // index after the prefix marker: from here on a canvas may stand
	middle int // index of the middle's first token; len(tokens) where there is none
	text   int // bytes of text
	weight float32
}

// noisedCap is how many noised rows a micro-batch may have.
func (p *Sampler) noisedCap() int {
	if p.s.Stage == "ar" {
		return 0
	}
	return int(float64(p.s.MicroTokens) * p.s.NoisedShare)
}

// Micro draws micro-batch i for a step.
func (p *Sampler) Micro(i uint64, step int) *Micro {
	m, blocks, _, _ := p.open(i, step)
	for j, bs := range blocks {
		p.noisedRows(m, &m.Docs[j], bs, p.noisedCap(), false)
	}
	return m
}

// open draws the clean rows of micro-batch i, and the noised blocks of each document, which
// are yet to be laid out.
func (p *Sampler) open(i uint64, step int) (*Micro, [][]block, corruption, *rand.Rand) {
	r := rand.New(rand.NewPCG(p.s.Seed<<8^p.stream, i))
	m := &Micro{}
	noisedCap := p.noisedCap()
	cor := p.s.corruptionAt(step, p.sp, p.tok.Size())
	var docs []doc
	for left, fruitless := p.s.MicroTokens, 0; left >= p.s.MinWindow && fruitless < 1000; {
		d := p.draw(min(left, p.s.Positions), r)
		if len(d.tokens) < 16 {
			fruitless++ // long paths leave no room, or the text is next to nothing
			continue
		}
		fruitless = 0
		docs = append(docs, d)
		left -= len(d.tokens)
	}
	blocks := make([][]block, len(docs))
	clean := 0
	for _, d := range docs {
		clean += len(d.tokens)
	}
	share := float64(noisedCap) / float64(max(clean, 1))
	for j, d := range docs {
		if noisedCap > 0 {
			blocks[j] = p.blocks(cor, d, int(share*float64(len(d.tokens))), r)
		}
	}
	for j, d := range docs {
		p.cleanRows(m, d)
		m.Docs[j].Noised = 0
	}
	return m, blocks, cor, r
}

func (m *Micro) row(token int32, mark bool, pos, lim, from, to int32) {
	m.Token, m.Mark, m.Pos = append(m.Token, token), append(m.Mark, mark), append(m.Pos, pos)
	m.Lim, m.From, m.To = append(m.Lim, lim), append(m.From, from), append(m.To, to)
}

func (p *Sampler) cleanRows(m *Micro, d doc) {
	m.Docs = append(m.Docs, kernels.Doc{Clean: m.Clean, NClean: len(d.tokens)})
	w := float32(p.s.ARWeight / float64(p.s.StepTokens))
	for i, t := range d.tokens {
		m.row(t, false, int32(i), 0, 0, 0)
		if i+1 == len(d.tokens) {
			break
		}
		next := d.tokens[i+1]
		switch next { // markers are the caller's, not the model's, to write
		case int32(p.ids.Path), int32(p.ids.Suffix), int32(p.ids.Prefix), int32(p.ids.Draft), int32(p.ids.Repo):
			continue
		}
		wi := w
		if next == p.sp.end {
			wi *= float32(p.s.EndWeight)
		}
		m.Asked = append(m.Asked, Asked{Row: int32(m.Clean + i), Target: next, Weight: wi, Kind: LossAR})
	}
	m.Clean += len(d.tokens)
	m.Bytes += d.text
}

// noisedRows lays blocks of a document out as serving will (denoise.Run). Where the
// canvas is shifted, the first position of a block that is all mask is foretold by a clean
// row: first asks that row, too, which in training has the causal loss already.
func (p *Sampler) noisedRows(m *Micro, d *kernels.Doc, bs []block, capacity int, first bool) {
	d.Noised = m.Rows()
	scale := float32(1 / (float64(p.s.StepTokens) * p.s.NoisedShare))
	for _, b := range bs {
		if m.Noised+len(b.input) > capacity+64 {
			break
		}
		n := len(b.input)
		if b.start+n > p.s.Positions {
			continue // a draft that grew over the last position: RoPE has no row for it
		}
		at, input, visible := b.start, b.input, b.visible
		answer := m.Rows() // the row that answers for the block's first position
		if p.s.Shift {
			if !visible[n-1] { // a mask that nothing is asked of says nothing
				input, visible = input[:n-1], visible[:n-1]
			}
			if slices.Contains(visible, true) {
				at--
				input = append([]int32{m.Token[d.Clean+at]}, input...)
				visible = append([]bool{true}, visible...)
			} else {
				answer--
			}
		}
		if at < 1 {
			continue // nothing to see
		}
		from := int32(d.NNoised)
		for i, t := range input {
			m.row(t, visible[i], int32(at+i), int32(at), from, from+int32(len(input)))
		}
		m.Noised += len(input)
		d.NNoised += len(input)
		for i, w := range b.weight {
			row := answer + i
			if p.s.Shift && i == 0 && at == b.start {
				row = d.Clean + b.start - 1
				if !first {
					continue
				}
			}
			if w > 0 {
				m.Asked = append(m.Asked, Asked{Row: int32(row), Target: b.target[i], Weight: w * scale, Kind: b.kind})
			}
		}
	}
}

// blocks cuts the canvas blocks of a document: the middle block after block, as serving
// will meet it, then blocks at random places of the body until rows are spent.
func (p *Sampler) blocks(cor corruption, d doc, rows int, r *rand.Rand) []block {
	var out []block
	size := p.s.BlockSizes[r.IntN(len(p.s.BlockSizes))]
	pool := d.tokens[d.body:]
	for at := d.middle; at < len(d.tokens) && rows > 0; at += size {
		x := append([]int32(nil), d.tokens[at:min(at+size, len(d.tokens))]...)
		fill := 0
		if d.tokens[len(d.tokens)-1] == p.sp.end {
			for len(x) < size && at+len(x) < p.s.Positions {
				x, fill = append(x, p.sp.end), fill+1
			}
		}
		out = append(out, cor.make(at, x, fill, pool, r))
		rows -= len(x)
	}
	for tries := 0; rows > 4 && tries < 64; tries++ {
		size := p.s.BlockSizes[r.IntN(len(p.s.BlockSizes))]
		room := len(d.tokens) - d.body - size
		if size > rows || room <= 0 {
			continue
		}
		at := d.body + r.IntN(room)
		out = append(out, cor.make(at, append([]int32(nil), d.tokens[at:at+size]...), 0, pool, r))
		rows -= size
	}
	return out
}

// draw makes one document of at most room tokens.
func (p *Sampler) draw(room int, r *rand.Rand) doc {
	f := sort.SearchFloat64s(p.cumul, r.Float64()*p.cumul[len(p.cumul)-1])
	file, text := p.c.Files[f], p.c.Text(f)
	// A window of log-uniform length that begins at a line; whole small files often.
	lo, hi := math.Log(float64(p.s.MinWindow)), math.Log(float64(p.s.Positions))
	budget := min(int(math.Exp(lo+r.Float64()*(hi-lo)*1.15)), room)
	path := p.encode(shortPath(file.Path))
	budget -= len(path) + 4
	if budget < 16 {
		return doc{}
	}
	size := budget * 4 // more bytes than the budget can hold: cut by tokens below
	start := 0
	if len(text) > size && r.Float64() < 0.8 {
		start = lineStart(text, r.IntN(len(text)-size/2))
	}
	window := text[start:min(start+size, len(text))]
	whole := start+len(window) == len(text)
	if r.Float64() >= p.s.FIMShare {
		return p.plain(path, window, whole, budget)
	}
	return p.fim(path, file.Language, window, whole, budget, r)
}

func (p *Sampler) encode(s string) []int32 { return tokenizer.Encode[int32](p.tok, nil, s) }

// plain is a document without a suffix: nothing follows, or nothing is known of it.
func (p *Sampler) plain(path []int32, window []byte, whole bool, budget int) doc {
	t := p.encode(string(window))
	full := len(t) <= budget
	if !full {
		t = t[:budget]
	}
	d := p.layout(path, nil, t, nil, full && whole)
	d.middle = len(d.tokens)
	return d
}

// fim cuts a middle out of the window at characters, and lays the rest around it.
func (p *Sampler) fim(path []int32, language string, window []byte, whole bool, budget int, r *rand.Rand) doc {
	lo, hi := p.middle(language, window, r)
	mid := p.encode(string(window[lo:hi]))
	if len(mid) > p.s.MaxMiddle || len(mid) > budget/2 {
		// Too long to be learnt whole: a middle that ends with its line instead.
		hi = lineEnd(window, lo)
		if mid = p.encode(string(window[lo:hi])); len(mid) > budget/2 {
			return p.plain(path, window, whole, budget)
		}
	}
	suffix := p.encode(string(window[hi:]))
	left := budget - len(mid) - 1
	if n := int(float64(left) * (0.1 + 0.25*r.Float64())); len(suffix) > n {
		suffix = suffix[:n]
	}
	prefix := p.encode(string(window[:lo]))
	if n := left - len(suffix); len(prefix) > n {
		prefix = prefix[len(prefix)-n:]
	}
	return p.layout(path, suffix, prefix, mid, true)
}

func (p *Sampler) layout(path, suffix, prefix, mid []int32, end bool) doc {
	in := engine.Input{Path: ids(path), Suffix: ids(suffix), Prefix: ids(prefix)}
	t := engine.Layout(p.ids, in)
	d := doc{body: len(t) - len(prefix), middle: len(t)}
	for _, x := range t {
		d.tokens = append(d.tokens, int32(x))
	}
	d.tokens = append(d.tokens, mid...)
	d.text = tokenizer.Length(p.tok, d.tokens)
	if end {
		d.tokens = append(d.tokens, p.sp.end)
	}
	return d
}

func ids(s []int32) []backend.TokenID {
	out := make([]backend.TokenID, len(s))
	for i, x := range s {
		out[i] = backend.TokenID(x)
	}
	return out
}

// middle picks the span to leave out: a third lines and line ends, a third syntax, a
// third any span of characters (method.md, section 3).
func (p *Sampler) middle(language string, w []byte, r *rand.Rand) (lo, hi int) {
	switch r.IntN(3) {
	case 0:
		at := r.IntN(len(w))
		lo, hi = at, lineEnd(w, at)
		if r.IntN(2) == 0 { // from the line's first character on
			for lo = lineStart(w, at); lo < hi && (w[lo] == ' ' || w[lo] == '\t'); {
				lo++
			}
		}
		if hi > lo {
			return lo, hi
		}
	case 1:
		if p.spans != nil {
			if s := p.spans(language, w); len(s) > 0 {
				// Lengths are skewed towards small units; draw by logarithmic length.
				want := math.Exp(r.Float64() * math.Log(float64(len(w))))
				best, dist := s[r.IntN(len(s))], math.Inf(1)
				for range 8 {
					c := s[r.IntN(len(s))]
					if d := math.Abs(math.Log(float64(c[1]-c[0]+1)) - math.Log(want)); d < dist {
						best, dist = c, d
					}
				}
				return best[0], best[1]
			}
		}
	}
	lo = r.IntN(len(w))
	n := int(math.Exp(r.Float64() * math.Log(float64(min(len(w), 600)))))
	return lo, min(lo+max(n, 1), len(w))
}

func lineStart(b []byte, at int) int { return bytes.LastIndexByte(b[:at], '\n') + 1 }

func lineEnd(b []byte, at int) int {
	if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(b)
}

// shortPath is the end of a path: its file and the folder it stands in.
func shortPath(p string) string {
	if i := bytes.LastIndexByte([]byte(p), '/'); i >= 0 {
		if j := bytes.LastIndexByte([]byte(p[:i]), '/'); j >= 0 {
			return p[j+1:]
		}
	}
	return p
}
