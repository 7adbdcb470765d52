package cuda

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	builtin "github.com/seedling-lsp/seedling/engine/weights"
)

// TestLost: a card that fails in the middle of a request ends neither the request nor the
// ones after it: the CPU answers as it would have, the failure is told once, and what the card
// held is given back.
func TestLost(t *testing.T) {
	w, err := model.LoadFS(builtin.Files())
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(bytes.NewReader(builtin.TokenizerJSON))
	if err != nil {
		t.Fatal(err)
	}
	m := engine.Model{Name: "builtin", Config: w.Config, Tokenizer: tok}
	plain := func() backend.Backend {
		b, err := cpu.New(w, cpu.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ask := engine.Request{Document: "a", Path: "a.go", Prefix: "package a\n\nfunc f() error {\n\tif err != nil {\n\t\t", Suffix: "\n\t}\n}\n", MaxTokens: 8, Priority: engine.Invoked}
	only := engine.New(m, plain(), engine.Options{})
	defer only.Close()
	want, err := only.Generate(context.Background(), ask)
	if err != nil || want.Text == "" {
		t.Fatalf("%+v, %v", want, err)
	}
	card := driver.Record(driver.NewMemory(driver.Device{Name: "test", Major: 8, SMs: 4, Total: 1 << 32, Free: 1 << 32}))
	b, err := New(w, card, Options{})
	if err != nil {
		t.Fatal(err)
	}
	card.FailAt = card.Calls + 9 // a launch, in the first layers
	told := 0
	e := engine.New(m, b, engine.Options{Report: func(engine.Turn, error) { told++ }, Fallback: func() (backend.Backend, error) { return plain(), nil }})
	defer e.Close()
	for range 2 {
		got, err := e.Generate(context.Background(), ask)
		if err != nil || got.Text != want.Text {
			t.Errorf("%q, %v; the CPU alone writes %q", got.Text, err, want.Text)
		}
	}
	name := e.Backend().Name
	e.Close() // waits until the card is given back
	if held := card.Held(); told != 1 || len(held) != 0 || name != "cpu" {
		t.Errorf("told %d times, still held: %v, answers come from %s", told, held, name)
	}
}

// sure is a card that runs nothing, and whose answers are all token 0 for certain.
type sure struct{ *driver.Memory }

func (s sure) Read(from driver.Ptr, b []byte) error {
	if err := s.Memory.Read(from, b); err != nil {
		return err
	}
	for i := 0; i+32 <= len(b); i += 32 {
		binary.LittleEndian.PutUint32(b[i+8:], math.Float32bits(1)) // the sum
	}
	return nil
}

// TestReopened: a lost card is opened again with a fresh context, tried, and used; and should
// any call of the driver fail on the way there, the CPU goes on and nothing stays held.
func TestReopened(t *testing.T) {
	tok, err := tokenizer.Load(bytes.NewReader(builtin.TokenizerJSON))
	if err != nil {
		t.Fatal(err)
	}
	w := random(dims{32, 40, 1, 1, 1, 16, tok.Size(), false, true})
	w.Config.MaxPositions = 64
	m := engine.Model{Name: "random", Config: w.Config, Tokenizer: tok}
	ask := engine.Request{Document: "a", Prefix: "x", MaxTokens: 2, Priority: engine.Invoked}
	info := driver.Device{Name: "test", Major: 8, SMs: 2, Total: 1 << 32, Free: 1 << 32}
	ready := 0 // calls until the card is back, of an undisturbed attempt
	attempt := func(t *testing.T, again driver.Driver, failAt int) {
		var cards []*driver.Recorder
		card := func(d driver.Driver, failAt int) (*Backend, error) {
			r := driver.Record(d)
			r.FailAt = failAt
			cards = append(cards, r)
			return New(w, r, Options{Rows: 64, Positions: 64, Sequences: 2})
		}
		first, err := card(driver.NewMemory(info), 0)
		if err != nil {
			t.Fatal(err)
		}
		cards[0].FailAt = cards[0].Calls + 5
		var told []engine.Turn
		e := engine.New(m, first, engine.Options{Pauses: []time.Duration{time.Minute},
			Report:   func(t engine.Turn, _ error) { told = append(told, t) },
			Fallback: func() (backend.Backend, error) { return cpu.New(w, cpu.Options{ISA: "portable", Threads: 1}) },
			Reopen:   func(context.Context) (backend.Backend, error) { return card(again, failAt) }})
		if _, err := e.Generate(context.Background(), ask); err != nil || e.Backend().Name != "cpu" {
			t.Fatalf("on %s: %v", e.Backend().Name, err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		now, last := "cuda", engine.Returned
		if failAt > 0 {
			now, last = "cpu", engine.GivenUp
		} else {
			ready = cards[1].Calls
		}
		if e.Backend().Name != now || !slices.Equal(told, []engine.Turn{engine.Lost, last}) {
			t.Errorf("call %d fails: on %s, told %v", failAt, e.Backend().Name, told)
		}
		if failAt <= 0 || failAt%8 == 0 {
			ask := ask
			ask.Prefix = "y"
			if _, err := e.Generate(context.Background(), ask); err != nil || e.Backend().Name != now {
				t.Errorf("call %d fails, and then a request: %v, on %s", failAt, err, e.Backend().Name)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		for i, r := range cards {
			if held := r.Held(); len(held) > 0 {
				t.Errorf("call %d fails, card %d of %d still holds %v", failAt, i, len(cards), held)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) { attempt(t, interpreter(ptx.Options{}), 0) })
	for n := 1; n <= ready; n++ {
		synctest.Test(t, func(t *testing.T) { attempt(t, sure{driver.NewMemory(info)}, n) })
	}
	t.Logf("%d calls until the card is back, each failed once", ready)
}
