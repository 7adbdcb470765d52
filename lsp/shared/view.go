package shared

import (
	"context"
	"sync"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp"
)

// maxKnown bounds the names that a view keeps; beyond them the oldest knowledge of the
// engine, which is bounded itself, pushes out what was not forgotten by name.
const maxKnown = 1 << 16

// view is the engine as one session sees it: the same document in two windows is two.
type view struct {
	name string
	asks sync.WaitGroup // questions in work

	mu    sync.Mutex
	of    lsp.Generator
	known map[string]struct{} // names that the engine was given
	over  bool
}

// memory is what an engine may offer beside answers.
type memory interface {
	Remember(document, text string)
	Forget(document string)
}

// use sets the engine, before anything is asked.
func (v *view) use(of lsp.Generator) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.of = of
}

// own is a document's name in the engine; v.mu is held.
func (v *view) own(document string) string {
	if document == "" {
		return ""
	}
	document = v.name + document
	if v.known == nil {
		v.known = map[string]struct{}{}
	}
	if len(v.known) < maxKnown {
		v.known[document] = struct{}{}
	}
	return document
}

// Generate implements lsp.Generator.
func (v *view) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	v.mu.Lock()
	if v.over {
		v.mu.Unlock()
		return engine.Result{}, context.Canceled
	}
	r.Document, r.Own = v.own(r.Document), v.own(r.Own)
	of := v.of
	v.asks.Add(1)
	v.mu.Unlock()
	defer v.asks.Done()
	return of.Generate(ctx, r)
}

// Remember passes on what the engine may remember.
func (v *view) Remember(document, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if m, ok := v.of.(memory); ok && !v.over {
		m.Remember(v.own(document), text)
	}
}

// Forget passes on what the engine is to forget.
func (v *view) Forget(document string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if m, ok := v.of.(memory); ok {
		m.Forget(v.name + document)
	}
	delete(v.known, v.name+document)
}

// forget leaves nothing behind. It waits for what is in work, which its session has
// cancelled.
func (v *view) forget() {
	v.mu.Lock()
	v.over = true
	v.mu.Unlock()
	v.asks.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	if m, ok := v.of.(memory); ok {
		for n := range v.known {
			m.Forget(n)
		}
	}
	v.known = nil
}
