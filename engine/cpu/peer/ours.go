package main

import (
	"context"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// recorder is the CPU backend, keeping the tokens that each sequence was given: so the
// peer gets exactly the prompt that the engine laid out.
type recorder struct {
	*cpu.Backend
	tokens map[backend.Sequence][]backend.TokenID
	last   backend.Sequence // of the newest context row

	rows int           // of all forwards so far
	took time.Duration // by them
}

// Forward implements backend.Backend.
func (r *recorder) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	for _, row := range b.Rows {
		if row.Kind == backend.Context {
			r.tokens[row.Seq] = append(r.tokens[row.Seq][:row.Pos], row.Token)
			r.last = row.Seq
		}
	}
	begin := time.Now()
	tops, err := r.Backend.Forward(ctx, b)
	r.took += time.Since(begin)
	r.rows += len(b.Rows)
	return tops, err
}

// Fork implements backend.Backend.
func (r *recorder) Fork(seq backend.Sequence) (backend.Sequence, error) {
	to, err := r.Backend.Fork(seq)
	if err == nil {
		r.tokens[to] = append([]backend.TokenID(nil), r.tokens[seq]...)
	}
	return to, err
}

// question is a line to be written, as both sides are asked for it.
type question struct {
	plan   infill.Plan
	prompt []backend.TokenID
	word   string // text before the cursor that is no part of the prompt: both write it anew
	truth  string
	tokens int // that the causal reading writes, to the one that ends the line
}

// ours is an engine that can be asked.
type ours struct {
	tok *tokenizer.Tokenizer
	e   *engine.Engine
	r   *recorder
}

// answer is what came of a question, and in what time.
type answer struct {
	text     string
	forwards int
	rows     int     // of all forwards
	ms       float64 // the whole call
	inside   float64 // of them in forwards, ms
}

// ask answers a plan once. Without a document nothing is recalled of the last answer:
// only keys and values are found again.
func (o ours) ask(ctx context.Context, p infill.Plan, mode denoise.Mode) (answer, engine.Result, error) {
	q := p.Request()
	q.Document, q.Decode = "", mode
	o.r.rows, o.r.took = 0, 0
	begin := time.Now()
	res, err := o.e.Generate(ctx, q)
	ms := time.Since(begin).Seconds() * 1000
	return answer{res.Text, res.Forwards, o.r.rows, ms, o.r.took.Seconds() * 1000}, res, err
}

// prepare plans a case and reads its context.
func (o ours) prepare(ctx context.Context, parser *treesitter.Parser, c eval.Case) (question, bool, error) {
	text := c.Text[:c.Start] + c.Text[c.End:]
	tree, err := parser.Parse(c.Language, nil, text)
	if err != nil {
		return question{}, false, err
	}
	defer tree.Close()
	p := infill.NewPlan(infill.Document{Path: c.Path, Language: c.Language, Text: text, Tree: tree}, infill.ByteOffset(c.Start),
		infill.Options{Mode: infill.Line, Priority: engine.Invoked})
	if p.Mode == infill.Nothing {
		return question{}, false, nil
	}
	if _, _, err := o.ask(ctx, p, denoise.Causal); err != nil { // reads the context
		return question{}, false, err
	}
	a, res, err := o.ask(ctx, p, denoise.Causal)
	if err != nil {
		return question{}, false, err
	}
	// Warm, every forward writes one token. Where it does not (the context was lost, an
	// empty answer), there is nothing to compare.
	if a.forwards == 0 || res.CachedTokens != res.ContextTokens-1 {
		return question{}, false, nil
	}
	prompt := append([]backend.TokenID(nil), o.r.tokens[o.r.last][:res.ContextTokens]...)
	return question{plan: p, prompt: prompt, word: o.begun(p.Request().Prefix, prompt), truth: c.Truth(), tokens: a.forwards}, true, nil
}

// begun is the end of a prefix that a prompt leaves out: the engine lets the word at the
// cursor be written again (token healing).
func (o ours) begun(prefix string, prompt []backend.TokenID) string {
	text := string(tokenizer.Decode(o.tok, nil, prompt))
	for n := range min(len(prefix), 64) {
		at := len(prefix) - n
		if strings.HasSuffix(text, prefix[max(0, at-100):at]) {
			return prefix[at:]
		}
	}
	return ""
}
