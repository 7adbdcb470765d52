package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/weights"
)

// flat is a backend to which every token is equally probable: it answers each question
// with log-probability −nats, keeps the tokens it was shown, and holds the caller to the
// rules of a batch.
type flat struct {
	nats   float64
	mask   backend.TokenID
	shift  bool
	limits backend.Limits
	seqs   map[backend.Sequence][]backend.TokenID
	next   backend.Sequence
	read   []backend.TokenID // all context tokens, in order
	again  map[int]bool      // of read, which lead a canvas and were read before
	masked map[int]int       // canvases by their number of masks
	fail   error
}

func newFlat(nats float64, mask backend.TokenID, positions int) *flat {
	return &flat{nats: nats, mask: mask, limits: backend.Limits{Positions: positions, Sequences: 1, Rows: 512},
		seqs: map[backend.Sequence][]backend.TokenID{backend.Root: nil}, masked: map[int]int{}, again: map[int]bool{}}
}

func (f *flat) Forward(_ context.Context, b backend.Batch) ([]backend.Top, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	if len(b.Forbid) != 1 || b.Forbid[0] != f.mask {
		return nil, fmt.Errorf("the mask is not forbidden: %w", backend.ErrBatch)
	}
	var out []backend.Top
	canvas, masks := 0, 0
	for i, r := range b.Rows {
		seen, ok := f.seqs[r.Seq]
		if !ok || r.Seq == backend.Root {
			return nil, backend.ErrSequence
		}
		if int(r.Pos) != len(seen)+canvas || int(r.Pos) >= f.limits.Positions {
			return nil, fmt.Errorf("row at %d after %d tokens: %w", r.Pos, len(seen)+canvas, backend.ErrBatch)
		}
		if r.Want != 0 {
			if r.Want != backend.WantTarget || r.Target == f.mask {
				return nil, fmt.Errorf("row asks %d of token %d: %w", r.Want, r.Target, backend.ErrBatch)
			}
			out = append(out, backend.Top{Row: i, TargetLog: float32(-f.nats)})
		}
		if r.Kind == backend.Context {
			f.seqs[r.Seq] = append(seen, r.Token)
			f.again[len(f.read)] = f.shift && r.Want == backend.WantTarget && len(b.Rows) > 1 && b.Rows[len(b.Rows)-1].Kind == backend.Canvas
			f.read = append(f.read, r.Token)
			continue
		}
		canvas++
		if r.Token == f.mask {
			masks++
		}
		if !f.shift && (r.Token == f.mask) != (r.Want != 0) {
			return nil, fmt.Errorf("canvas row of token %d asks %d: %w", r.Token, r.Want, backend.ErrBatch)
		}
	}
	if canvas > 0 {
		f.masked[masks]++
	}
	return out, nil
}

func (f *flat) Truncate(s backend.Sequence, n int) error {
	if n > len(f.seqs[s]) {
		return backend.ErrBatch
	}
	f.seqs[s] = f.seqs[s][:n]
	return nil
}

func (f *flat) Fork(s backend.Sequence) (backend.Sequence, error) {
	f.next++
	if len(f.seqs) > f.limits.Sequences {
		return 0, backend.ErrFull
	}
	f.seqs[f.next] = append([]backend.TokenID{}, f.seqs[s]...)
	return f.next, nil
}

func (f *flat) Release(s backend.Sequence) error {
	delete(f.seqs, s)
	return nil
}
func (f *flat) Len(s backend.Sequence) int { return len(f.seqs[s]) }
func (f *flat) Limits() backend.Limits     { return f.limits }
func (f *flat) Close() error               { return nil }

// pplParts are what Ppl asks for besides a backend: the built-in tokenizer and its tokens.
func pplParts(t *testing.T) (*tokenizer.Tokenizer, model.Config) {
	t.Helper()
	tok, err := tokenizer.Load(bytes.NewReader(weights.TokenizerJSON))
	if err != nil {
		t.Fatal(err)
	}
	w, err := model.LoadFS(weights.Files())
	if err != nil {
		t.Fatal(err)
	}
	return tok, w.Config
}

// TestPplUniform: to a backend that gives every token the same probability the causal
// figure is exactly its nats, the bits follow from the bytes that the tokens stand for,
// and the bound is those nats but for its sampling. Without it a wrong weight, a token counted twice
// or bits of another text would look like a better model.
func TestPplUniform(t *testing.T) {
	for _, shift := range []bool{false, true} {
		t.Run(fmt.Sprintf("shift %t", shift), func(t *testing.T) { pplUniform(t, shift) })
	}
}

func pplUniform(t *testing.T, shift bool) {
	tok, c := pplParts(t)
	c.Seedling.Shift = shift
	const nats = 9.0078125 // exact in float32
	b := newFlat(nats, c.Seedling.Tokens.Mask, 400)
	b.shift = shift
	var done int
	rep, err := Ppl(t.Context(), b, c, tok, "flat", files(t), 12, 1024, 5, func(n int) { done = n })
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(rep.ARNats-nats) > 1e-9 {
		t.Errorf("%.9f nats a token, want %.9f", rep.ARNats, nats)
	}
	// The bytes are those of the text read, path and markers aside.
	text, path := 0, false
	bytesRead := 0
	for i, x := range b.read {
		if b.again[i] {
			continue
		}
		switch x {
		case c.Seedling.Tokens.Path:
			path = true
		case c.Seedling.Tokens.Prefix:
			path = false
		default:
			if !path {
				text++
				bytesRead += tok.Len(int32(x))
			}
		}
	}
	if rep.Tokens != text || rep.Bytes != bytesRead || done == 0 {
		t.Errorf("%d tokens in %d bytes reported, %d in %d read", rep.Tokens, rep.Bytes, text, bytesRead)
	}
	bits := rep.ARNats / math.Ln2 * float64(text) / float64(bytesRead)
	if math.Abs(rep.ARBits-bits) > 1e-9*bits || math.Abs(rep.ELBOBits/rep.ELBONats-rep.ARBits/rep.ARNats) > 1e-9 {
		t.Errorf("%.6f and %.6f bits a byte, want %.6f", rep.ARBits, rep.ELBOBits, bits)
	}
	if rep.ARCI95[0] > rep.ARBits || rep.ARCI95[1] < rep.ARBits || rep.ELBOCI95[0] >= rep.ELBOCI95[1] {
		t.Errorf("intervals %v of %g, %v of %g", rep.ARCI95, rep.ARBits, rep.ELBOCI95, rep.ELBOBits)
	}
	blocks := 0
	for masks, n := range b.masked {
		if masks == 0 && !shift { // shifted, a mask at the end is left out
			t.Errorf("%d canvases without a mask", n)
		}
		blocks += n
	}
	// Draws that hid nothing need no forward, and count: without them 1/u weighs too much.
	if rep.ELBOTokens%(16*Draws) != 0 || rep.ELBOTokens <= 16*blocks || b.masked[15] == 0 || b.masked[1] == 0 {
		t.Errorf("%d positions behind the bound, canvases by masks %v", rep.ELBOTokens, b.masked)
	}
	if share := rep.ELBONats / nats; share < 0.93 || share > 1.1 {
		t.Errorf("the bound is %.3f of the uniform model's nats over %d blocks", share, blocks)
	}
	t.Logf("the bound is %.4f of the uniform model's nats over %d draws", rep.ELBONats/nats, blocks)
	if len(b.seqs) != 1 {
		t.Errorf("%d sequences were not released", len(b.seqs)-1)
	}
	twin := newFlat(nats, c.Seedling.Tokens.Mask, 400)
	twin.shift = shift
	again, err := Ppl(t.Context(), twin, c, tok, "flat", files(t), 12, 1024, 5, nil)
	if err != nil || again != rep {
		t.Errorf("a second time %+v, first %+v", again, rep)
	}
}

// TestBitsInterval: windows that are all alike leave no doubt; others do, about as much as the
// normal interval of their mean says, and the same for the same seed.
func TestBitsInterval(t *testing.T) {
	one := reading{tokens: 100, bytes: 300, nats: 200, asked: 100, bound: 150, hidden: 50}
	causal, bound := one.bits()
	if got, also := bitsInterval([]reading{one, one, one}, 1); math.Abs(got[0]-causal) > 1e-12 || math.Abs(got[1]-causal) > 1e-12 || math.Abs(also[0]-bound) > 1e-12 {
		t.Errorf("%v and %v of %g and %g", got, also, causal, bound)
	}
	// A gain that is the same in every window is sure, however much the windows differ.
	hard := reading{tokens: 100, bytes: 300, nats: 400, asked: 100, bound: 400 - 50, hidden: 100}
	easy := reading{tokens: 100, bytes: 300, nats: 100, asked: 100, bound: 100 - 50, hidden: 100}
	if got := gainInterval([]reading{hard, easy, hard}, 1); math.Abs(got[0]-50/(300*math.Ln2)) > 1e-12 || math.Abs(got[1]-got[0]) > 1e-12 {
		t.Errorf("a gain of %g is %v", 50/(300*math.Ln2), got)
	}
	var windows []reading
	var sum reading
	for i := range 400 { // half at 2 bits a byte more
		w := reading{tokens: 100, bytes: 100, nats: 100 * math.Ln2, asked: 100, bound: 1, hidden: 1}
		if i%2 == 0 {
			w.nats *= 3
		}
		windows = append(windows, w)
		sum.add(w)
	}
	mean, _ := sum.bits()
	got, _ := bitsInterval(windows, 1)
	if half := (got[1] - got[0]) / 2; math.Abs(mean-2) > 1e-9 || got[0] >= mean || got[1] <= mean || math.Abs(half-1.96/20) > 0.02 {
		t.Errorf("%g in %v, want about ± %.3f", mean, got, 1.96/20)
	}
	if again, _ := bitsInterval(windows, 1); again != got {
		t.Errorf("%v, then %v", got, again)
	}
}

// TestPplErrors: files too short to measure on and a backend that fails are errors, and
// sequences are given back.
func TestPplErrors(t *testing.T) {
	tok, c := pplParts(t)
	b := newFlat(1, c.Seedling.Tokens.Mask, 400)
	if _, err := Ppl(t.Context(), b, c, tok, "flat", []File{{Path: "a.go", Text: "package a\n"}}, 3, 1024, 5, nil); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("%v", err)
	}
	lost := errors.New("device lost")
	b.fail = lost
	if _, err := Ppl(t.Context(), b, c, tok, "flat", files(t), 3, 1024, 5, nil); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	if len(b.seqs) != 1 {
		t.Errorf("%d sequences were not released", len(b.seqs)-1)
	}
}

// TestNoised: a canvas of the bound is laid out as denoise.Run lays one out, asks for what
// is hidden and for nothing else, and never shows it.
func TestNoised(t *testing.T) {
	const mask = 99
	before, x := []backend.TokenID{1, 2, 3}, []backend.TokenID{10, 11, 12}
	ctx := func(token backend.TokenID, pos int32) backend.Row { return backend.Row{Seq: 1, Token: token, Pos: pos} }
	row := func(token backend.TokenID, pos int32) backend.Row {
		return backend.Row{Seq: 1, Token: token, Pos: pos, Kind: backend.Canvas}
	}
	asks := func(r backend.Row, target backend.TokenID) backend.Row {
		r.Want, r.Target = backend.WantTarget, target
		return r
	}
	for _, tt := range []struct {
		hidden []bool
		shift  bool
		want   []backend.Row
	}{
		{[]bool{true, true, true}, false, []backend.Row{asks(row(mask, 3), 10), asks(row(mask, 4), 11), asks(row(mask, 5), 12)}},
		{[]bool{false, true, false}, false, []backend.Row{row(10, 3), asks(row(mask, 4), 11), row(12, 5)}},
		{[]bool{true, true, true}, true, []backend.Row{asks(ctx(3, 2), 10), asks(row(mask, 3), 11), asks(row(mask, 4), 12)}},
		{[]bool{false, true, false}, true, []backend.Row{row(3, 2), asks(row(10, 3), 11), row(mask, 4), row(12, 5)}},
		{[]bool{true, false, true}, true, []backend.Row{asks(row(3, 2), 10), row(mask, 3), asks(row(11, 4), 12)}},
	} {
		if diff := cmp.Diff(tt.want, noised(1, before, x, tt.hidden, mask, tt.shift)); diff != "" {
			t.Errorf("hidden %v, shift %t: %s", tt.hidden, tt.shift, diff)
		}
	}
}
