package engine

import (
	"context"
	"errors"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

const (
	defaultMaxTokens = 64
	// rideRows is how many unread tokens of a context are left to the first denoising
	// forward: so few rows cost less there than a pass of their own.
	rideRows = 16
)

// Generate answers a request: it waits for the device, reads what is new of the context
// and decides the gap. The error is ErrSuperseded, ErrClosed, the cause of ctx's end, or
// the backend's failure; an answer cut short by the deadline is none.
func (e *Engine) Generate(ctx context.Context, req Request) (Result, error) {
	if e.broken != nil {
		return Result{}, e.broken
	}
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if req.MaxTokens <= 0 {
		req.MaxTokens = defaultMaxTokens
	}
	if e.model.Config.Seedling.Plain {
		req.Decode = denoise.Causal // it knows no canvas
	}
	if req.BlockSize <= 0 {
		req.BlockSize = e.model.Config.Seedling.BlockSize
	}
	req.Settings = req.Settings.Or(e.opt.Settings)
	req.Score = req.Score || req.MinLogProb != 0 || req.Candidates > 1
	if res, ok := e.recall.find(req); ok {
		e.queue.answered(req.Document, req.Priority)
		e.counts.recalled()
		return res, nil
	}
	t, err := e.queue.join(ctx, req.Document, req.Priority)
	if err != nil {
		return Result{}, err
	}
	defer e.queue.leave(t)
	w := encode(e.model.Tokenizer, req, e.model.Config.MaxPositions, req.MaxTokens, e.model.Config.Seedling.Plain)
	if err := t.wait(req.Deadline); err != nil {
		if errors.Is(err, errLate) {
			res := Result{Stop: denoise.Deadline.String()}
			e.counts.answered(res)
			return res, nil
		}
		e.counts.ended(true)
		return Result{}, err
	}
	res, err := e.serve(t.ctx, req, w)
	if err != nil && t.ctx.Err() == nil {
		if err = e.fallBack(err); err == nil {
			res, err = e.serve(t.ctx, req, w)
		}
	}
	e.counts.holds(e.device.contexts)
	if err != nil {
		e.counts.ended(t.ctx.Err() != nil)
		return Result{}, err
	}
	e.counts.answered(res)
	return res, nil
}

// serve answers a request on the device, which is the caller's until it returns.
func (e *Engine) serve(ctx context.Context, req Request, w window) (Result, error) {
	begin := time.Now()
	c := e.device.contexts
	positions := min(e.model.Config.MaxPositions, c.b.Limits().Positions)
	tokens := w.layout(e.model.Config.Seedling.Tokens, positions)
	h, err := c.find(tokens, req.Document)
	if err != nil {
		return Result{}, err
	}
	res := Result{ContextTokens: len(tokens), CachedTokens: len(h.tokens)}
	late, err := e.prefill(ctx, req, h, tokens, &res)
	res.Prefill = time.Since(begin)
	if err != nil || late {
		res.Stop = denoise.Deadline.String()
		return res, err
	}
	begin = time.Now()
	d := decoding{e: e, req: req, h: h, context: tokens, word: w.word, opt: denoise.Options{
		Settings:  req.Settings,
		Mode:      req.Decode,
		BlockSize: req.BlockSize,
		MaxTokens: req.MaxTokens,
		Positions: positions,
		Tokens:    e.model.tokens(),
		Memory:    e.recollection(req, w),
		Shift:     e.model.Config.Seedling.Shift,
		Revises:   e.model.Config.Seedling.Revises,
		Score:     req.Score,
		Rivals:    req.Candidates > 1,
		Deadline:  req.Deadline,
		Begin:     beginning(e.model.Tokenizer, w.word),
	}}
	all := []*candidate{nil}
	if all[0], err = d.decide(ctx, branch{}, e.watcher(req.Watch, res.Forwards, len(w.word))); err != nil {
		return Result{}, err
	}
	if req.Candidates > 1 {
		if all, err = d.alternatives(ctx, all[0]); err != nil {
			return Result{}, err
		}
	}
	res.Denoise = time.Since(begin)
	res.Forwards += d.forwards
	return e.finish(req, res, all), nil
}

// prefill reads the context but for the tokens that ride along with the first denoising
// forward. late says that the deadline came first.
func (e *Engine) prefill(ctx context.Context, req Request, h *held, tokens []backend.TokenID, res *Result) (late bool, err error) {
	if len(tokens)-len(h.tokens) <= rideRows {
		return false, nil
	}
	until := ctx
	if !req.Deadline.IsZero() {
		var cancel context.CancelFunc
		until, cancel = context.WithDeadlineCause(ctx, req.Deadline, errLate)
		defer cancel()
	}
	err = e.device.contexts.read(until, h, tokens, len(tokens)-1, func() {
		res.Forwards++
		if req.Watch != nil {
			req.Watch(Step{Forward: res.Forwards, Phase: denoise.PhasePrefill})
		}
	})
	if errors.Is(err, errLate) && ctx.Err() == nil {
		return true, nil
	}
	return false, err
}

// finish makes a result of what was decided, of which the first is the answer, and keeps it
// for a person who types along.
func (e *Engine) finish(req Request, res Result, all []*candidate) Result {
	answers := make([]Result, len(all))
	for i, c := range all {
		answers[i] = c.result
		answers[i].Forwards, answers[i].Prefill, answers[i].Denoise = res.Forwards, res.Prefill, res.Denoise
		answers[i].ContextTokens, answers[i].CachedTokens = res.ContextTokens, res.CachedTokens
	}
	if req.Document != "" {
		if answers[0].Text == "" || answers[0].Stop == denoise.Deadline.String() {
			e.recall.forget(req.Document)
		} else {
			e.recall.put(req.Document, req, all, answers)
		}
	}
	return together(answers)
}

// together is the first of several answers, with the others as its alternatives.
func together(answers []Result) Result {
	res := answers[0]
	for _, a := range answers[1:] {
		a.Forwards, a.Prefill, a.Denoise = 0, 0, 0
		res.Alternatives = append(res.Alternatives, a)
	}
	return res
}

// watcher shows states of the canvas as text; before is the number of forwards that the
// prefill took, begun the bytes at the start of the answer that stand there already.
func (e *Engine) watcher(show func(Step), before, begun int) func(denoise.State) {
	if show == nil {
		return nil
	}
	return func(s denoise.State) {
		done := tokenizer.Decode(e.model.Tokenizer, nil, s.Done) // of which the cells are the rest, even inside a character
		step := Step{Forward: before + s.Forward, Block: s.Block, Done: string(done[min(begun, len(done)):]), Phase: s.Phase}
		for _, c := range s.Cells {
			cell := Cell{Masked: c.Masked, Changed: c.Changed, Prob: c.Prob}
			if !c.Masked {
				cell.Text = string(e.model.Tokenizer.Token(int32(c.Token)))
			}
			step.Cells = append(step.Cells, cell)
		}
		show(step)
	}
}
