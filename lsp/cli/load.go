package cli

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/seedling-lsp/seedling/cuda"
	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// loaded is a model with its backend.
type loaded struct {
	name       string
	config     model.Config
	parameters int
	tok        *tokenizer.Tokenizer
	device     device
	// again is what a card's backend needs to go on without the card; nil on the CPU, whose
	// kernels have a copy of their own: the weights are not kept twice.
	again *model.Weights
}

// device is a backend that says what it is.
type device interface {
	backend.Backend
	backend.Describer
}

// open starts the backend that was asked for.
func (c *Commands) open(w *model.Weights) (device, error) {
	if c.Backend != "cpu" {
		b, err := c.card(context.Background(), w)
		if err == nil {
			return b, nil
		}
		if c.Backend != "auto" {
			return nil, fmt.Errorf("%w; run `seedling doctor`, or use --backend cpu", err)
		}
		fmt.Fprintf(os.Stderr, "seedling: computing on the CPU: %v\n", err)
	}
	return cpu.New(w, cpu.Options{Threads: c.threads()})
}

// card starts the backend on a card.
func (c *Commands) card(ctx context.Context, w *model.Weights) (*cuda.Backend, error) {
	d, err := driver.Open(driver.Any)
	if err != nil {
		return nil, err
	}
	return cuda.New(w, d, cuda.Options{FP8: c.Backend == "cuda-fp8", Context: ctx})
}

func (c *Commands) load() (*loaded, error) {
	name, dir := c.files()
	w, err := model.LoadFS(dir)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	f, err := dir.Open("tokenizer.json")
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	defer f.Close()
	tok, err := tokenizer.Load(f)
	if err != nil {
		return nil, fmt.Errorf("model %s: tokenizer.json: %w", name, err)
	}
	b, err := c.open(w)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	m := &loaded{name: name, config: w.Config, parameters: w.Parameters(), tok: tok, device: b}
	if b.Info().Name != "cpu" { // a card can be lost at any time
		m.again = w
		return m, nil
	}
	w = nil
	debug.FreeOSMemory() // or the collector keeps the model's size for a while
	return m, nil
}

// engine starts the engine on the model. Close it.
func (c *Commands) engine() (*engine.Engine, *loaded, error) {
	m, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	var opt engine.Options
	if m.again != nil {
		opt.Report = func(turn engine.Turn, err error) {
			switch turn {
			case engine.Lost:
				fmt.Fprintf(os.Stderr, "seedling: computing on the CPU until the card is back: %v\n", err)
			case engine.Returned:
				fmt.Fprintln(os.Stderr, "seedling: computing on the card again")
			case engine.GivenUp:
				fmt.Fprintf(os.Stderr, "seedling: computing on the CPU for good: %v\n", err)
			}
		}
		opt.Fallback = func() (backend.Backend, error) {
			return cpu.New(m.again, cpu.Options{Threads: c.threads()})
		}
		opt.Reopen = func(ctx context.Context) (backend.Backend, error) { return c.card(ctx, m.again) }
	}
	return engine.New(engine.Model{Name: m.name, Config: m.config, Tokenizer: m.tok}, m.device, opt), m, nil
}

// running is an engine with its model.
type running struct {
	*engine.Engine
	*loaded
}
