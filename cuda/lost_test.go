package cuda

import (
	"bytes"
	"context"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/driver"
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
	w, err := model.LoadFS(builtin.Builtin())
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
	e := engine.New(m, b, engine.Options{Report: func(error) { told++ }, Fallback: func() (backend.Backend, error) { return plain(), nil }})
	defer e.Close()
	for range 2 {
		got, err := e.Generate(context.Background(), ask)
		if err != nil || got.Text != want.Text {
			t.Errorf("%q, %v; the CPU alone writes %q", got.Text, err, want.Text)
		}
	}
	if held := card.Held(); told != 1 || len(held) != 0 || e.Backend().Name != "cpu" {
		t.Errorf("told %d times, still held: %v, answers come from %s", told, held, e.Backend().Name)
	}
}
