package cuda

import (
	"bytes"
	"context"
	"flag"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	builtin "github.com/seedling-lsp/seedling/engine/weights"
)

var withBuiltin = flag.Bool("builtin", false, "write the built-in model's first block through the interpreter (15 s of two quiet cores)")

// TestBuiltin writes the first block of the built-in model, by diffusion and with its commit,
// on the embedded PTX and on the CPU's reference: the same tokens in the same forwards. The
// place to fill is one where no decision is nearer than bf16 can tell.
func TestBuiltin(t *testing.T) {
	if !*withBuiltin {
		t.Log("not asked for: -builtin runs it, as .ci/run does")
		return
	}
	w, err := model.LoadFS(builtin.Files())
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(bytes.NewReader(builtin.TokenizerJSON))
	if err != nil {
		t.Fatal(err)
	}
	const place = "package a\n\nfunc TestRead(t *testing.T) {\n\tfor i := 0; i < len(cases); i++ {\n\t\tgot"
	s := w.Config.Seedling
	ids := func(text string) []backend.TokenID { return tokenizer.Encode[backend.TokenID](tok, nil, text) }
	opt := denoise.Options{BlockSize: s.BlockSize, MaxTokens: s.BlockSize, Score: true, Shift: s.Shift, Revises: s.Revises,
		Tokens: denoise.Tokens{Mask: s.Tokens.Mask, End: s.Tokens.End, Delete: s.Tokens.Delete, Insert: s.Tokens.Insert,
			Never: []backend.TokenID{s.Tokens.Suffix, s.Tokens.Prefix, s.Tokens.Draft, s.Tokens.Path, s.Tokens.Repo}}}
	write := func(b backend.Backend) denoise.Result {
		seq, err := b.Fork(backend.Root)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release(seq)
		pending := engine.Layout(s.Tokens, engine.Input{Path: ids("a.go"), Suffix: ids("\n\nfunc other() {}\n"), Prefix: ids(place)})
		res, err := denoise.Run(context.Background(), b, seq, pending, opt)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	plain, err := cpu.New(w, cpu.Options{ISA: cpu.Reference})
	if err != nil {
		t.Fatal(err)
	}
	ref := &clear{plain, math.Inf(1)}
	want := write(ref)
	if len(want.Decided) < s.BlockSize {
		t.Errorf("the CPU writes %q: no block", tokenizer.Decode(tok, nil, want.Decided))
	}
	dev := interpreter(ptx.Options{})
	rec := driver.Record(dev)
	card, err := New(w, rec, Options{Rows: 64, Positions: 192, Sequences: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	begin := time.Now()
	got := write(card)
	n := int64(0)
	for _, c := range dev.Machine.Counters() {
		n += c.Total()
	}
	t.Logf("%q in %d forwards, waited for %d times; nearest decision %.3f; %d instructions of warps in %v", tokenizer.Decode(tok, nil, got.Decided), got.Forwards, rec.Count["Read"], ref.least, n, time.Since(begin).Round(time.Second))
	if !slices.Equal(got.Decided, want.Decided) || got.Forwards != want.Forwards || got.Reason != want.Reason {
		t.Errorf("%v in %d forwards, the CPU writes %v in %d", got.Decided, got.Forwards, want.Decided, want.Forwards)
	}
	for i, l := range got.LogProbs {
		if math.Abs(float64(l-want.LogProbs[i])) > 0.25 {
			t.Errorf("token %d has a log-probability of %g, the CPU gives %g", i, l, want.LogProbs[i])
		}
	}
}
