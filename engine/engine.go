package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/memory"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// Model is what the engine must know of a checkpoint. The weights are the backend's.
type Model struct {
	Name      string // for people and JSON answers
	Config    model.Config
	Tokenizer *tokenizer.Tokenizer
}

// Options of an engine; zero fields take the default.
type Options struct {
	// Settings of decoding for requests that have none of their own.
	Settings denoise.Settings
	// Contexts is how many contexts are kept in the backend between requests, at most
	// what the backend holds. Default 4.
	Contexts int
	// Fallback makes the backend that takes over when the first one fails. nil: a failure is
	// every request's error from then on.
	Fallback func() (backend.Backend, error)
	// Reopen opens the first backend's device anew after the fallback took over from it, and
	// ends with ctx. It is called from a goroutine of the engine, once after each of Pauses,
	// until the device is back. nil: the fallback stays.
	Reopen func(ctx context.Context) (backend.Backend, error)
	// Pauses before the attempts to reopen; after the last one the fallback stays. A device
	// that fails again goes on in the row where it was, unless it worked for longer than the
	// longest of them. Default: 1, 2, 5, 15, 60 minutes.
	Pauses []time.Duration
	// MemoryTokens bounds what is remembered of other documents (Remember), in tokens of
	// 12 bytes. 0: memory.DefaultTokens; below 0 nothing is, nor is the request's own text.
	MemoryTokens int
	// Report is told when the device changes, with what failed; once a change, from inside
	// Generate or a goroutine of the engine. nil: nobody is.
	Report func(Turn, error)
}

// Engine answers requests with one model on one device. It is safe for concurrent use.
type Engine struct {
	model        Model
	opt          Options
	broken       error // of New
	queue        queue
	recall       recall
	memory       *memory.Store // of other documents; nil: none
	surroundings surroundings
	counts       counts
	close        func() error
	life         context.Context // ends with Close
	away         chan struct{}   // closed when comeBack is over; nil before the first failure

	// device is owned by the request that the queue lets through.
	device device

	mu   sync.Mutex
	info backend.Info
}

// Errors that callers look for.
var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("engine: closed")
	// ErrSuperseded is returned for a request that gave way to another: a newer one of the
	// same document, or, of a speculative request, any other. It is a context.Canceled.
	ErrSuperseded error = superseded{}
)

// New makes an engine that owns b: Close closes it. What is wrong between model and
// tokenizer is the error of every Generate.
func New(m Model, b backend.Backend, opt Options) *Engine {
	if opt.Contexts <= 0 {
		opt.Contexts = 4
	}
	e := &Engine{model: m, opt: opt, broken: m.check()}
	if opt.MemoryTokens >= 0 {
		e.memory = memory.NewStore(opt.MemoryTokens)
	}
	if len(opt.Pauses) == 0 {
		e.opt.Pauses = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
	}
	var end context.CancelFunc
	e.life, end = context.WithCancel(context.Background())
	e.queue.init()
	e.use(newContexts(b, e.opt.Contexts))
	e.close = sync.OnceValue(func() error {
		end()
		e.queue.close()
		e.awaitReturn()
		return e.device.contexts.b.Close()
	})
	return e
}

// Model is what New was given.
func (e *Engine) Model() Model { return e.model }

// Backend describes the backend in use; the zero Info if it can not say.
func (e *Engine) Backend() backend.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.info
}

// Close cancels every request, waits for them to return, and closes the backend. A device
// that is just being opened again is closed as soon as it is open.
func (e *Engine) Close() error { return e.close() }

// check says whether tokenizer and configuration are of one model.
func (m Model) check() error {
	const hint = "the model directory mixes files of two models: run `seedling model verify`"
	if m.Tokenizer == nil {
		return errors.New("engine: the model has no tokenizer: tokenizer.json is missing from its directory")
	}
	if n := m.Tokenizer.Size(); n > m.Config.VocabSize {
		return fmt.Errorf("engine: the tokenizer has %d tokens, the network %d: %s", n, m.Config.VocabSize, hint)
	}
	t := m.Config.Seedling.Tokens
	for _, id := range []backend.TokenID{t.Mask, t.End, t.Suffix, t.Prefix, t.Draft, t.Path, t.Repo, t.Delete, t.Insert} {
		if !m.Tokenizer.IsSpecial(int32(id)) {
			return fmt.Errorf("engine: config.json has a special token %d that is none in tokenizer.json: %s", id, hint)
		}
	}
	return nil
}

// tokens are the model's special tokens as decoding needs them.
func (m Model) tokens() denoise.Tokens {
	s := m.Config.Seedling.Tokens
	return denoise.Tokens{Mask: s.Mask, End: s.End, Delete: s.Delete, Insert: s.Insert,
		Never: []backend.TokenID{s.Suffix, s.Prefix, s.Draft, s.Path, s.Repo}}
}
