package cuda

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
)

var onCard = flag.Bool("cuda", false, "check every kernel on a real card, and measure each against the plan")

// TestCard is what `go test ./cuda/... -cuda` is for: on a real card every launch is held to the
// plain reference of its kernel, as in the interpreter, and then each kernel is measured on a
// layer of an 8 B model and set beside the plan. The table is to be pasted into a report.
func TestCard(t *testing.T) {
	if !*onCard {
		t.Log("not asked for: -cuda runs the kernels on a card")
		return
	}
	open := func() driver.Driver {
		dev, err := driver.Open(driver.Any)
		if err != nil {
			t.Fatalf("-cuda wants a card: %v", err)
		}
		return dev
	}
	dev := open()
	info := dev.Device()
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, sm_%d%d, %d multiprocessors, %.1f GB free, driver for CUDA %d.%d", info.Name, info.Major, info.Minor, info.SMs, float64(info.Free)/1e9, info.Version/1000, info.Version%1000/10)
	t.Run("generates", func(t *testing.T) { generates(t, open) })
	types := []bool{false}
	if info.Major == 9 && info.Minor == 0 {
		types = append(types, true)
	}
	for _, fp8 := range types {
		w, allowed := random, deviation
		if fp8 {
			w, allowed = rounded8, deviation8
		}
		for _, s := range shapes {
			t.Run(fmt.Sprintf("d%d_hd%d_fp8_%v", s.d, s.hd, fp8), func(t *testing.T) {
				conform(t, w(s.dims), open(), nil, Options{Splits: s.splits, Parts: s.parts, Rows: 96, FP8: fp8}, allowed)
			})
		}
		be, err := New(large(), open(), Options{Rows: 64, Positions: planContext + 64, Sequences: 1, FP8: fp8})
		if err != nil {
			t.Fatal(err)
		}
		table, err := be.measure(32, planContext, 50)
		if err := be.Close(); err != nil {
			t.Error(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("paste this:\n%s", table)
	}
}

// large is one layer of an 8 B model with a small vocabulary, of random 8-bit weights.
func large() *model.Weights {
	s := dims{planHidden, planFF, 1, planHeads, planKV, planHead, 16384, true, false}
	small := random(dims{64, 64, 1, 2, 1, 32, 64, true, false})
	c := small.Config
	c.HiddenSize, c.IntermediateSize, c.NumHeads, c.NumKVHeads, c.HeadDim, c.VocabSize, c.MaxPositions = s.d, s.ff, s.heads, s.kv, s.hd, s.vocab, 4096
	r := rand.New(rand.NewPCG(1, 1))
	mat := func(rows, cols int) model.Matrix {
		m := model.Matrix{Rows: rows, Cols: cols, I8: make([]int8, rows*cols), Scale: make([]float32, rows)}
		for i := range m.I8 {
			m.I8[i] = int8(r.Uint32())
		}
		for i := range m.Scale {
			m.Scale[i] = 1.0 / 4096
		}
		return m
	}
	ones := make([]float32, s.d)
	for i := range ones {
		ones[i] = 1
	}
	return &model.Weights{Config: c, Embed: mat(s.vocab, s.d), Norm: ones, Layers: []model.Layer{{InputNorm: ones, PostNorm: ones,
		Q: mat(s.heads*s.hd, s.d), K: mat(s.kv*s.hd, s.d), V: mat(s.kv*s.hd, s.d), O: mat(s.d, s.heads*s.hd),
		Gate: mat(s.ff, s.d), Up: mat(s.ff, s.d), Down: mat(s.d, s.ff)}}}
}

// measure times each kernel of a pass of so many canvas rows over a context, repeated, and the
// whole pass as it is started in use, and sets them beside the plan.
func (b *Backend) measure(rows, context_, repeat int) (string, error) {
	s := &b.shape
	seq, err := b.Fork(backend.Root)
	if err != nil {
		return "", err
	}
	for at := 0; at < context_; at += s.rows {
		var batch backend.Batch
		for i := at; i < min(context_, at+s.rows); i++ {
			batch.Rows = append(batch.Rows, backend.Row{Seq: seq, Token: backend.TokenID(i % s.VocabSize), Pos: int32(i)})
		}
		if _, err := b.Forward(context.Background(), batch); err != nil {
			return "", err
		}
	}
	var batch backend.Batch
	for i := range rows {
		batch.Rows = append(batch.Rows, backend.Row{Seq: seq, Token: backend.TokenID(i), Pos: int32(context_ + i), Kind: backend.Canvas, Want: backend.WantTop})
	}
	for range 3 {
		if _, err := b.Forward(context.Background(), batch); err != nil {
			return "", err
		}
	}
	spans := s.spans(rows, context_)
	p := b.program(rows, s.items(spans))
	if p.runs == 0 {
		return "", fmt.Errorf("the pass of %d rows and %d items was not the one that ran", rows, s.items(spans))
	}
	timed := func(f func() error) (float64, error) {
		var took time.Duration
		err := driver.Do(b.dev, func() error {
			if err := b.dev.Sync(); err != nil {
				return err
			}
			from := time.Now()
			for range repeat {
				if err := f(); err != nil {
					return err
				}
			}
			err := b.dev.Sync()
			took = time.Since(from)
			return err
		})
		return took.Seconds() / float64(repeat), err
	}
	d := b.dev.Device()
	card, known := Card{Name: d.Name, Bandwidth: 1}, false
	for _, c := range Cards {
		if strings.Contains(d.Name, strings.Fields(c.Name)[0]) {
			card, known = c, true
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s, %s, %d rows, context %d, %d layers; memory's peak taken as %.2f TB/s\n", d.Name, s.kind(), rows, context_, s.NumLayers, card.Bandwidth/1e12)
	fmt.Fprintf(&out, "%-9s %8s %10s %10s %9s %9s\n", "kernel", "MB", "measured", "planned", "GB/s", "of peak")
	line := func(name string, bytes, seconds, planned float64) {
		share := "-"
		if known {
			share = fmt.Sprintf("%.0f %%", 100*bytes/seconds/card.Bandwidth)
		}
		fmt.Fprintf(&out, "%-9s %8.2f %7.1f µs %7.1f µs %9.0f %9s\n", name, bytes/1e6, seconds*1e6, planned*1e6, bytes/seconds/1e9, share)
	}
	all, planned := 0.0, 0.0
	for i, c := range s.costs(rows, 0, rows, spans) {
		l := p.launches[[]int{0, 1, 2, 3, 4, len(p.launches) - 2, len(p.launches) - 1}[i]]
		took, err := timed(func() error { return b.dev.Launch(l.fn, l.grid, l.block, l.params) })
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.Kernel, err)
		}
		each := float64(c.Launches)
		line(c.Kernel, c.Memory/each, took, card.seconds(c, s.fp8, 1)/each)
		all += c.Memory
		planned += card.seconds(c, s.fp8, 1)
	}
	took, err := timed(func() error { return b.start(p) })
	line("a pass", all, took, planned)
	return out.String(), err
}

// TestMeasure keeps what is measured on a card from failing there for the first time: the
// interpreter runs it, whose times mean nothing.
func TestMeasure(t *testing.T) {
	be, err := New(random(dims{64, 96, 1, 2, 1, 32, 128, false, true}), interpreter(ptx.Options{}), Options{Rows: 64, Positions: 128, Sequences: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	table, err := be.measure(16, 70, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, kernel := range []string{"embed", "qkv", "attention", "residual", "mlp", "head", "answer", "a pass"} {
		if !strings.Contains(table, kernel+" ") {
			t.Errorf("no line of %s:\n%s", kernel, table)
		}
	}
}
