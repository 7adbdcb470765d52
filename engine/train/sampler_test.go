package train

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// samplerSettings draws documents that fill the positions often, and edits that grow.
func samplerSettings(stage string) Settings {
	s := tinySettings(stage)
	s.StepTokens, s.MicroTokens, s.Positions, s.Steps, s.EditFrom = 512, 512, 128, 100, 0.5
	return s
}

func newSampler(t testing.TB, c *Corpus, s Settings, spans SpanFinder) *Sampler {
	t.Helper()
	tok, ids := vocabulary(t)
	p, err := NewSampler(c, tok, ids, s, spans, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMicroIsPure: micro-batch i is the same whenever it is drawn and whatever was drawn
// before, for every step of the schedules. Without it a resumed run would read other text.
func TestMicroIsPure(t *testing.T) {
	s := samplerSettings("tsc")
	c := sourceCorpus("train", 3, 1, 3000)
	a, b := newSampler(t, c, s, SyntaxSpans()), newSampler(t, c, s, SyntaxSpans())
	for i := uint64(20); i < 40; i++ {
		b.Micro(i+7, 60) // something else between
		if x, y := a.Micro(i, 60), b.Micro(i, 60); !reflect.DeepEqual(x, y) {
			t.Fatalf("micro-batch %d differs between two drawings", i)
		}
	}
	if reflect.DeepEqual(a.Micro(1, 60), a.Micro(2, 60)) {
		t.Error("two micro-batches are alike")
	}
	s.Seed = 2
	if reflect.DeepEqual(a.Micro(1, 60), newSampler(t, c, s, SyntaxSpans()).Micro(1, 60)) {
		t.Error("another seed draws the same")
	}
}

// TestMicroRows holds every micro-batch to what the kernels take for granted: they read
// and write by these numbers without looking, so a wrong one is memory out of bounds.
func TestMicroRows(t *testing.T) {
	for _, stage := range []string{"ar", "tsc"} {
		for _, rate := range []float64{0.1, 1} {
			for _, shift := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s edits %g shift %t", stage, rate, shift), func(t *testing.T) {
					s := samplerSettings(stage)
					s.EditRate, s.EditShare, s.Shift = rate, 0.6, shift
					p := newSampler(t, sourceCorpus("train", 3, 1, 3000), s, SyntaxSpans())
					dense := newSampler(t, denseCorpus(), s, SyntaxSpans())
					edits, insertions := 0, 0
					for i := range uint64(500) {
						p := p
						if i%2 == 0 {
							p = dense
						}
						m := p.Micro(i, int(i)%s.Steps)
						if err := wellFormed(m, s, p.sp, p.tok.Size()); err != nil {
							t.Fatalf("micro-batch %d: %v", i, err)
						}
						for _, a := range m.Asked {
							if a.Kind == LossEdit {
								edits++
								if a.Target == p.sp.ins {
									insertions++
								}
							}
						}
					}
					if stage == "tsc" && (edits < 1000 || insertions == 0) {
						t.Errorf("only %d edit rows with %d insertions: the test saw too little", edits, insertions)
					}
				})
			}
		}
	}
}

// wellFormed says what is wrong with a micro-batch.
func wellFormed(m *Micro, s Settings, sp specials, vocab int) error {
	rows := m.Rows()
	if m.Clean > s.MicroTokens || rows > 2*s.MicroTokens+128 {
		return fmt.Errorf("%d clean and %d noised rows for %d", m.Clean, m.Noised, s.MicroTokens)
	}
	if s.Stage == "ar" && m.Noised != 0 {
		return fmt.Errorf("stage ar has %d noised rows", m.Noised)
	}
	if s.Stage == "tsc" && m.Clean > s.MicroTokens/2 && m.Noised < m.Clean/4 {
		return fmt.Errorf("%d noised rows beside %d clean ones, for a share of %g", m.Noised, m.Clean, s.NoisedShare)
	}
	for _, n := range []int{len(m.Token), len(m.Mark), len(m.Pos), len(m.Lim), len(m.From), len(m.To)} {
		if n != rows {
			return fmt.Errorf("a slice of %d for %d rows", n, rows)
		}
	}
	for r := range rows {
		if t := m.Token[r]; t < 0 || int(t) >= vocab {
			return fmt.Errorf("row %d: token %d", r, t)
		}
		if m.Pos[r] < 0 || int(m.Pos[r]) >= s.Positions {
			return fmt.Errorf("row %d: position %d of %d: outside RoPE's table", r, m.Pos[r], s.Positions)
		}
		if r < m.Clean && (m.Mark[r] || m.Token[r] == sp.mask || m.Token[r] == sp.del || m.Token[r] == sp.ins) {
			return fmt.Errorf("clean row %d is token %d, marked %t", r, m.Token[r], m.Mark[r])
		}
		if r >= m.Clean && (m.Mark[r] == (m.Token[r] == sp.mask) || m.Token[r] == sp.del || m.Token[r] == sp.ins) {
			return fmt.Errorf("noised row %d is token %d, marked %t", r, m.Token[r], m.Mark[r])
		}
	}
	clean, noised := 0, m.Clean
	kind := make([]int, rows) // of each row's loss, plus one
	for _, a := range m.Asked {
		if a.Row < 0 || int(a.Row) >= rows || a.Target < 0 || int(a.Target) >= vocab || a.Target == sp.mask || !(a.Weight > 0) {
			return fmt.Errorf("asked %+v", a)
		}
		if kind[a.Row] != 0 {
			return fmt.Errorf("row %d is asked twice", a.Row)
		}
		kind[a.Row] = int(a.Kind) + 1
		if (int(a.Row) < m.Clean) != (a.Kind == LossAR) {
			return fmt.Errorf("row %d of %d clean ones has loss %s", a.Row, m.Clean, a.Kind)
		}
		if a.Kind != LossEdit && (a.Target == sp.del || a.Target == sp.ins) {
			return fmt.Errorf("loss %s asks for an edit", a.Kind)
		}
		if a.Kind == LossEdit && a.Target < sp.first && a.Target != sp.del && a.Target != sp.ins && a.Target != sp.end {
			return fmt.Errorf("an edit row asks for marker %d", a.Target)
		}
		if r := int(a.Row); a.Kind == LossMask {
			if s.Shift { // the row of the position foretold, unless it was left out at the end
				r++
			}
			if same := r == int(a.Row) || r < rows && m.Pos[r] > m.Lim[r]; same && m.Token[r] != sp.mask {
				return fmt.Errorf("row %d asks for a token that can be seen", a.Row)
			}
		}
	}
	for _, d := range m.Docs {
		if d.Clean != clean || d.Noised != noised || d.NClean < 16 || d.NNoised < 0 {
			return fmt.Errorf("document %+v where clean %d, noised %d come next", d, clean, noised)
		}
		clean, noised = clean+d.NClean, noised+d.NNoised
		for i := range d.NClean {
			if m.Pos[d.Clean+i] != int32(i) {
				return fmt.Errorf("clean row %d of a document has position %d", i, m.Pos[d.Clean+i])
			}
		}
		text := m.Token[d.Clean : d.Clean+d.NClean]
		for i := 0; i < d.NNoised; {
			r := d.Noised + i
			from, to, lim := int(m.From[r]), int(m.To[r]), int(m.Lim[r])
			if from != i || to <= from || to > d.NNoised {
				return fmt.Errorf("noised row %d is in block %d..%d of %d", i, from, to, d.NNoised)
			}
			if lim < 1 || lim > d.NClean {
				return fmt.Errorf("a block sees %d clean rows of %d", lim, d.NClean)
			}
			what := LossMask
			for k := from; k < to; k++ {
				if kind[d.Noised+k] == int(LossEdit)+1 {
					what = LossEdit
				}
			}
			if s.Shift {
				visible := 0
				for k := from; k < to; k++ {
					if m.Mark[d.Noised+k] {
						visible++
					}
				}
				// Either nothing is known, or the token before the block leads it.
				if visible > 0 && (!m.Mark[r] || m.Token[r] != text[lim]) {
					return fmt.Errorf("a shifted block with %d visible rows is not led by the token before it", visible)
				}
				if visible == 1 && what == LossMask {
					return fmt.Errorf("a shifted block of masks is led by the token before it")
				}
			}
			for ; i < to; i++ {
				r := d.Noised + i
				if int(m.From[r]) != from || int(m.To[r]) != to || int(m.Lim[r]) != lim || int(m.Pos[r]) != lim+i-from {
					return fmt.Errorf("row %d of block %d..%d: %d..%d, sees %d, position %d", i, from, to, m.From[r], m.To[r], m.Lim[r], m.Pos[r])
				}
				if what == LossEdit {
					if kind[r] != int(LossEdit)+1 && !(s.Shift && i == to-1 && m.Mark[r]) {
						return fmt.Errorf("row %d of an edit block has no edit loss", i)
					}
					continue
				}
				// A block of masks: what is seen, and what is asked for, is the text there;
				// past the document only end tokens fill it.
				own := sp.end
				if p := int(m.Pos[r]); p < d.NClean {
					own = text[p]
				}
				if m.Mark[r] && m.Token[r] != own {
					return fmt.Errorf("a visible canvas row shows %d where %d stands", m.Token[r], own)
				}
				answer := r
				if s.Shift {
					if answer--; i == from {
						continue // a clean row answers
					}
				}
				if !m.Mark[r] && kind[answer] == 0 {
					return fmt.Errorf("a masked row at position %d is not asked for", m.Pos[r])
				}
			}
		}
	}
	if clean != m.Clean || noised != rows {
		return fmt.Errorf("documents hold %d clean and %d noised rows of %d and %d", clean, noised-m.Clean, m.Clean, m.Noised)
	}
	for _, a := range m.Asked {
		if a.Kind == LossMask {
			p := m.Pos[a.Row]
			if s.Shift {
				p++
			}
			d := m.Docs[sort.Search(len(m.Docs), func(i int) bool { return m.Docs[i].Noised+m.Docs[i].NNoised > int(a.Row) })]
			want := sp.end
			if int(p) < d.NClean {
				want = m.Token[d.Clean+int(p)]
			}
			if a.Target != want {
				return fmt.Errorf("noised row %d asks for %d at position %d, where %d stands", a.Row, a.Target, p, want)
			}
		}
		switch {
		case a.Kind == LossAR && m.Token[a.Row+1] != a.Target:
			return fmt.Errorf("clean row %d asks for %d, %d follows", a.Row, a.Target, m.Token[a.Row+1])
		case a.Kind == LossAR && m.Pos[a.Row+1] == 0:
			return fmt.Errorf("clean row %d asks across documents", a.Row)
		}
	}
	return nil
}

// segments takes a laid-out document apart by its markers.
func segments(t *testing.T, ids model.SpecialTokens, doc []int32) (in engine.Input, ended bool) {
	t.Helper()
	if n := len(doc) - 1; doc[n] == int32(ids.End) {
		doc, ended = doc[:n], true
	}
	to := map[backend.TokenID]*[]backend.TokenID{ids.Path: &in.Path, ids.Suffix: &in.Suffix, ids.Prefix: &in.Prefix}
	var at *[]backend.TokenID
	for _, x := range doc {
		x := backend.TokenID(x)
		if s := to[x]; s != nil {
			if *s != nil {
				t.Fatalf("marker %d stands twice", x)
			}
			*s, at = []backend.TokenID{}, s
			continue
		}
		if at == nil || x < 9 {
			t.Fatalf("token %d stands where none should, in %v", x, doc)
		}
		*at = append(*at, x)
	}
	if at != &in.Prefix {
		t.Fatal("a document without a prefix marker, or with text after another segment")
	}
	return in, ended
}

// TestLayoutOfDocuments: every clean stream is what engine.Layout makes of its segments,
// every segment is text of the one file that its path names, documents with a suffix end
// with the end token, and the end token stands only where something ended: with a suffix,
// or at the file's end. Training on another layout than serving's would be for nothing.
func TestLayoutOfDocuments(t *testing.T) {
	s := samplerSettings("tsc")
	c := sourceCorpus("train", 3, 1, 3000)
	tok, ids := vocabulary(t)
	p := newSampler(t, c, s, SyntaxSpans())
	file := map[string]string{}
	for i, f := range c.Files {
		file[f.Path] = string(c.Text(i))
	}
	fim, plain, whole := 0, 0, 0
	for i := range uint64(120) {
		m := p.Micro(i, 60)
		bytes := 0
		for _, d := range m.Docs {
			doc := m.Token[d.Clean : d.Clean+d.NClean]
			in, ended := segments(t, ids, doc)
			again := engine.Layout(ids, in)
			if ended {
				again = append(again, ids.End)
			}
			if !slices.Equal(doc, tokens32(again)) {
				t.Fatalf("laid out otherwise than engine.Layout does:\n%v\n%v", doc, again)
			}
			path := string(tokenizer.Decode(tok, nil, in.Path))
			text, ok := file[path]
			if !ok {
				t.Fatalf("path %q is no file's", path)
			}
			// With a middle the prefix segment holds prefix and middle: they adjoin.
			before, after := string(tokenizer.Decode(tok, nil, in.Prefix)), string(tokenizer.Decode(tok, nil, in.Suffix))
			bytes += len(before) + len(after) + len(path)
			if !strings.Contains(text, before+after) {
				t.Fatalf("not a stretch of %s:\n%s‖%s", path, before, after)
			}
			switch {
			case len(in.Suffix) > 0:
				fim++
				if !ended {
					t.Fatal("a document with a suffix and no end: the model would never learn to stop")
				}
			case ended && strings.HasSuffix(text, before):
				whole++
			case !ended:
				plain++
			}
			for k, a := range m.Asked {
				if a.Kind == LossAR && int(a.Row) >= d.Clean && int(a.Row) < d.Clean+d.NClean {
					if x := backend.TokenID(a.Target); x == ids.Path || x == ids.Suffix || x == ids.Prefix || x == ids.Repo || x == ids.Draft {
						t.Fatalf("loss %d asks for marker %d, which the caller writes", k, x)
					}
				}
			}
		}
		if bytes != m.Bytes {
			t.Fatalf("%d bytes counted, %d are there: bits per byte would be wrong", m.Bytes, bytes)
		}
	}
	if fim < 50 || plain < 10 {
		t.Errorf("%d documents with a suffix, %d without, %d to the end of a file: the test saw too little", fim, plain, whole)
	}
}

func tokens32(v []backend.TokenID) []int32 {
	out := make([]int32, len(v))
	for i, x := range v {
		out[i] = int32(x)
	}
	return out
}

// TestNoHeldOutText: what a run trains on never holds a line of the held-out split, and
// what reports read is of it. Without this held-out losses would mean nothing.
func TestNoHeldOutText(t *testing.T) {
	opt := tinyOptions(t, t.TempDir())
	const secret = "zebra_quagga"
	mark := func(c *Corpus, with string) *Corpus {
		out := &Corpus{Split: c.Split}
		for i, f := range c.Files {
			text := bytes.ReplaceAll(c.Text(i), []byte("return"), []byte(with))
			f.Offset, f.Length = int64(len(out.text)), len(text)
			out.Files, out.text = append(out.Files, f), append(out.text, text...)
		}
		out.finish(nil)
		return out
	}
	opt.Train, opt.HeldOut = mark(opt.Train, "return"), mark(opt.HeldOut, secret)
	tr := start(t, samplerSettings("tsc"), opt)
	seen := 0
	for i := range uint64(60) {
		for _, x := range []struct {
			p    *Sampler
			held bool
		}{{tr.data, false}, {tr.held, true}} {
			m := x.p.Micro(i, 60)
			has := strings.Contains(string(tokenizer.Decode(opt.Tokenizer, nil, m.Token[:m.Clean])), secret)
			if has && !x.held {
				t.Fatal("held-out text in a training batch")
			}
			if has {
				seen++
			}
		}
	}
	if seen == 0 {
		t.Error("reports never read the held-out split")
	}
}

// TestReportsCompare: runs of different seeds train on different text and report on the
// same. Were it otherwise, a run's figures could not be held against another's.
func TestReportsCompare(t *testing.T) {
	s := samplerSettings("tsc")
	a := start(t, s, tinyOptions(t, t.TempDir()))
	s.Seed += 4
	b := start(t, s, tinyOptions(t, t.TempDir()))
	if slices.Equal(a.data.Micro(0, 1).Token, b.data.Micro(0, 1).Token) {
		t.Error("two seeds train on the same text")
	}
	if !slices.Equal(a.held.Micro(0, 1).Token, b.held.Micro(0, 1).Token) {
		t.Error("two seeds report on different text")
	}
}

// TestSamplerOddCorpora: corpora of which hardly a document can be made end with an error
// or a batch, never with a loop without end or a panic.
func TestSamplerOddCorpora(t *testing.T) {
	long := strings.Repeat("ünïcödé_näme_", 14) + ".go"
	for name, c := range map[string]struct {
		path, text string
		refused    bool
	}{
		"one small file":      {"a.go", source("go", 1, 150), false},
		"nothing but spaces":  {"a.go", strings.Repeat(" ", 5000), false},
		"one long line":       {"a.py", strings.Repeat("x = 1; ", 900), false},
		"a path that fills":   {"d/" + long[:102] + ".go", source("go", 1, 3000), false},
		"a path with no room": {"d/" + long + long, source("go", 1, 3000), true},
	} {
		t.Run(name, func(t *testing.T) {
			k := &Corpus{Split: "train", Files: []File{{Language: "go", Path: c.path, Length: len(c.text)}}, text: []byte(c.text)}
			k.finish(nil)
			s := samplerSettings("tsc")
			tok, ids := vocabulary(t)
			done := make(chan error, 1)
			go func() {
				p, err := NewSampler(k, tok, ids, s, SyntaxSpans(), 1)
				if c.refused {
					if err == nil || !strings.Contains(err.Error(), "no document") {
						err = fmt.Errorf("not refused: %v", err)
					} else {
						err = nil
					}
				}
				if err != nil || c.refused {
					done <- err
					return
				}
				for i := range uint64(20) {
					m := p.Micro(i, 60)
					if err := wellFormed(m, s, p.sp, tok.Size()); err != nil || m.Clean == 0 {
						done <- fmt.Errorf("micro-batch %d of %d rows: %w", i, m.Clean, err)
						return
					}
				}
				done <- nil
			}()
			if err := within(done); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := NewSampler(&Corpus{Split: "train"}, nil, model.SpecialTokens{}, samplerSettings("ar"), nil, 1); err == nil || !strings.Contains(err.Error(), "train split") {
		t.Errorf("an empty corpus: %v", err)
	}
}
