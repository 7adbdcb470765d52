package engine

import (
	"slices"
	"strconv"
	"sync"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/memory"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// Remember keeps the text of a document, in the place of what was remembered of it, so that
// answers in other documents may follow its ways (package memory). Request.Document of a
// request should be the id under which its own document is remembered: a request does not
// see that copy, which may be out of date, but the texts that it brings itself.
func (e *Engine) Remember(document, text string) {
	if e.memory == nil || e.broken != nil {
		return
	}
	e.memory.Put(document, tokenizer.Encode[backend.TokenID](e.model.Tokenizer, nil, text))
}

// Forget drops what is remembered of a document, and what was answered in it last.
func (e *Engine) Forget(document string) {
	e.recall.forget(document)
	if e.memory != nil {
		e.memory.Forget(document)
	}
}

// Remembered is how many documents and tokens are remembered.
func (e *Engine) Remembered() (documents, tokens int) {
	if e.memory == nil {
		return 0, 0
	}
	return e.memory.Len()
}

// recollection is what a request may remember: its own texts, and the documents of others.
func (e *Engine) recollection(req Request, w window) *memory.Recollection {
	if e.memory == nil {
		return nil
	}
	own := req.Own
	if own == "" {
		own = req.Document
	}
	far := e.surroundings.of(e.model.Tokenizer, req)
	return memory.Recall(w.in.Prefix, w.in.Suffix, memory.Source{Store: e.memory, Without: own}, memory.Source{Store: far})
}

// maxSurroundings is how many documents' further texts are kept in tokens.
const maxSurroundings = 8

// surroundings keeps the tokens of what stands further above and below of the documents
// that were asked for last.
type surroundings struct {
	mu   sync.Mutex
	kept []*surrounding // the latest last
}

type surrounding struct {
	document, above, below string
	snippets               []string
	store                  *memory.Store
}

// of is the store that holds req's Above, Below and Snippets; nil: there is nothing.
func (s *surroundings) of(tok *tokenizer.Tokenizer, req Request) *memory.Store {
	if req.Above == "" && req.Below == "" && len(req.Snippets) == 0 {
		return nil
	}
	size := len(req.Above) + len(req.Below)
	for _, f := range req.Snippets {
		size += len(f.Text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var have *surrounding
	if i := slices.IndexFunc(s.kept, func(x *surrounding) bool { return x.document == req.Document }); i >= 0 && req.Document != "" {
		have = s.kept[i]
		s.kept = slices.Delete(s.kept, i, i+1)
	} else {
		have = &surrounding{document: req.Document, store: memory.NewStore(size/2 + 4096)}
	}
	put := func(name string, old *string, text string, clean func(string) string) {
		if *old == text {
			return
		}
		*old = text
		if clean != nil {
			text = clean(text)
		}
		have.store.Put(name, tokenizer.Encode[backend.TokenID](tok, nil, text))
	}
	put("above", &have.above, req.Above, req.Clean)
	put("below", &have.below, req.Below, req.Clean)
	have.snippets = append(have.snippets, make([]string, max(0, len(req.Snippets)-len(have.snippets)))...)
	for i := range have.snippets { // what the newest request no longer brings is forgotten
		text := ""
		if i < len(req.Snippets) {
			text = req.Snippets[i].Text
		}
		put("snippet "+strconv.Itoa(i), &have.snippets[i], text, nil)
	}
	if s.kept = append(s.kept, have); len(s.kept) > maxSurroundings {
		s.kept = slices.Delete(s.kept, 0, 1)
	}
	return have.store
}
