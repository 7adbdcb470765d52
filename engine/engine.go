package engine

import (
	"errors"
	"fmt"
	"sync"

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
	// Fallback makes the backend that takes over when the first one fails. It is called at
	// most once. nil: a failure is every request's error from then on.
	Fallback func() (backend.Backend, error)
	// MemoryTokens bounds what is remembered of other documents (Remember), in tokens of
	// 12 bytes. 0: memory.DefaultTokens; below 0 nothing is, nor is the request's own text.
	MemoryTokens int
	// Report is told of a backend's failure, once, from inside Generate. nil: nobody is.
	Report func(error)
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

	// device is owned by the request that the queue lets through.
	device struct {
		contexts *contexts
		failed   bool // the fallback has taken over, or there is none
	}

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
	e.queue.init()
	e.use(b)
	e.close = sync.OnceValue(func() error {
		e.queue.close()
		return e.device.contexts.b.Close()
	})
	return e
}

// use makes b the device.
func (e *Engine) use(b backend.Backend) {
	e.device.contexts = newContexts(b, e.opt.Contexts)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.info = backend.Info{}
	if d, ok := b.(backend.Describer); ok {
		e.info = d.Info()
	}
}

// Model is what New was given.
func (e *Engine) Model() Model { return e.model }

// Backend describes the backend in use; the zero Info if it can not say.
func (e *Engine) Backend() backend.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.info
}

// Close cancels every request, waits for them to return, and closes the backend.
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
