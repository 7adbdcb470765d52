package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// worthForking is how many tokens a context must have in common with another to be made
// as its copy: below, copying costs more than reading them.
const worthForking = 16

// contexts are the sequences that a backend keeps between requests, and what they hold.
type contexts struct {
	b    backend.Backend
	max  int // sequences
	held []*held
	time uint64 // of use, for the least recent

	opened, evicted int
}

// held is one sequence. tokens is what it holds, no more and no less.
type held struct {
	seq      backend.Sequence
	tokens   []backend.TokenID
	document string // that used it last
	used     uint64
}

func newContexts(b backend.Backend, most int) *contexts {
	return &contexts{b: b, max: max(1, min(most, b.Limits().Sequences))}
}

// find gives a sequence that holds a beginning of tokens, as long as there is, but never
// all of them: the last one is read again, for what it predicts.
//
// A sequence is extended in place when little of it is lost; else its beginning is copied
// and the sequence stays, for the document or the place in it that it belongs to.
func (c *contexts) find(tokens []backend.TokenID, document string) (*held, error) {
	c.time++
	var best *held
	common := 0
	for _, h := range c.held {
		n := commonPrefix(h.tokens, tokens[:len(tokens)-1])
		// Of those that spare as much, the one that loses least, then the document's own.
		if best == nil || cmp.Or(cmp.Compare(n, common), cmp.Compare(len(best.tokens), len(h.tokens)),
			cmp.Compare(b2i(h.document == document), b2i(best.document == document)), cmp.Compare(h.used, best.used)) > 0 {
			best, common = h, n
		}
	}
	if best != nil {
		lost := len(best.tokens) - common
		if lost == 0 || best.document == document && lost <= common || c.max == 1 {
			return c.cut(best, common, document)
		}
	}
	from := backend.Root
	if common >= worthForking {
		from = best.seq
	}
	for {
		if len(c.held) < c.max {
			seq, err := c.b.Fork(from)
			if err == nil {
				h := &held{seq: seq}
				if from != backend.Root {
					h.tokens = slices.Clone(best.tokens)
				}
				c.held = append(c.held, h)
				c.opened++
				return c.cut(h, common*b2i(from != backend.Root), document)
			}
			if !errors.Is(err, backend.ErrFull) || len(c.held) == 0 {
				return nil, fmt.Errorf("engine: open a context: %w", err)
			}
		}
		oldest := slices.MinFunc(c.held, func(a, b *held) int { return cmp.Compare(a.used, b.used) })
		if oldest == best {
			return c.cut(best, common, document)
		}
		if err := c.drop(oldest); err != nil {
			return nil, err
		}
		c.evicted++
	}
}

// cut makes h hold n tokens, for a document.
func (c *contexts) cut(h *held, n int, document string) (*held, error) {
	if n < len(h.tokens) {
		if err := c.b.Truncate(h.seq, n); err != nil {
			return nil, fmt.Errorf("engine: cut a context: %w", err)
		}
		h.tokens = h.tokens[:n]
	}
	h.document, h.used = document, c.time
	return h, nil
}

// drop forgets h.
func (c *contexts) drop(h *held) error {
	if i := slices.Index(c.held, h); i >= 0 {
		c.held = slices.Delete(c.held, i, i+1)
	}
	if err := c.b.Release(h.seq); err != nil {
		return fmt.Errorf("engine: release a context: %w", err)
	}
	return nil
}

// settle brings h in line with the backend after decoding: the sequence holds a beginning
// of tokens, of which the backend knows the length. What it holds beyond, of a run that
// was cancelled, is forgotten: nobody knows what it is.
func (c *contexts) settle(h *held, tokens []backend.TokenID) error {
	n := c.b.Len(h.seq)
	if n > len(tokens) {
		n = len(tokens)
		if err := c.b.Truncate(h.seq, n); err != nil {
			return errors.Join(fmt.Errorf("engine: cut a context: %w", err), c.drop(h))
		}
	}
	h.tokens = append(h.tokens[:0], tokens[:n]...)
	return nil
}

// read prefills: it reads tokens[len(h.tokens):n] in as few passes as the backend takes,
// and calls after each.
func (c *contexts) read(ctx context.Context, h *held, tokens []backend.TokenID, n int, after func()) error {
	chunk := max(1, c.b.Limits().Rows)
	rows := make([]backend.Row, 0, min(chunk, n))
	for len(h.tokens) < n {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rows = rows[:0]
		from := len(h.tokens)
		to := min(n, from+chunk)
		for i, t := range tokens[from:to] {
			rows = append(rows, backend.Row{Seq: h.seq, Token: t, Pos: int32(from + i), Kind: backend.Context, Target: backend.NoToken})
		}
		if _, err := c.b.Forward(ctx, backend.Batch{Rows: rows}); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		h.tokens = append(h.tokens, tokens[from:to]...)
		after()
	}
	return nil
}

func commonPrefix(a, b []backend.TokenID) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// clear forgets every context.
func (c *contexts) clear() error {
	var errs []error
	for len(c.held) > 0 {
		errs = append(errs, c.drop(c.held[0]))
	}
	return errors.Join(errs...)
}
