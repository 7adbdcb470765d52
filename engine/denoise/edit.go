package denoise

import (
	"context"
	"errors"
	"fmt"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// Reader reads drafts behind a context: causally, for their likelihood, and as a canvas,
// for what the denoiser would revise in them. It is not safe for concurrent use, and
// while it is used nobody else touches its sequence, which holds a beginning of the
// context, all of it but the last token at the least, and then drafts' tokens. Its caller
// truncates it to the context in the end.
type Reader struct {
	b       backend.Backend
	seq     backend.Sequence
	context []backend.TokenID
	tokens  Tokens
	shift   bool
	held    []backend.TokenID // behind the context
	rows    []backend.Row     // reused

	// Forwards counts the passes so far.
	Forwards int
}

// NewReader makes a reader of drafts behind a context, of which seq holds all or all but
// the last token. shift is model.Scheme's.
func NewReader(b backend.Backend, seq backend.Sequence, context []backend.TokenID, tokens Tokens, shift bool) (*Reader, error) {
	if n := b.Len(seq); len(context) == 0 || n < len(context)-1 || n > len(context) {
		return nil, fmt.Errorf("denoise: the sequence holds %d tokens of a context of %d", n, len(context))
	}
	return &Reader{b: b, seq: seq, context: context, tokens: tokens, shift: shift}, nil
}

// Room is how many tokens a draft may have, its end token included.
func (r *Reader) Room() int { return r.b.Limits().Positions - len(r.context) + 1 }

// Read gives the causal reading of draft[from:to]: of each of these tokens its
// log-probability (Top.TargetLog) after all before it, and what the model would rather
// see there. With to one beyond the draft the last answer is what would follow it, without
// a TargetLog. What the sequence holds of the draft's beginning is not read again.
func (r *Reader) Read(ctx context.Context, draft []backend.TokenID, from, to int) ([]backend.Top, error) {
	if from < 0 || to < from || to > len(draft)+1 {
		return nil, fmt.Errorf("denoise: read [%d, %d) of a draft of %d tokens", from, to, len(draft))
	}
	if from == to {
		return nil, nil
	}
	first := min(r.has(draft), from-1) // index of the first token to read; -1: the context's last
	if err := r.cut(first); err != nil {
		return nil, err
	}
	forbid := append([]backend.TokenID{r.tokens.Mask}, r.tokens.Never...)
	for _, t := range []backend.TokenID{r.tokens.Delete, r.tokens.Insert} {
		if t != backend.NoToken {
			forbid = append(forbid, t)
		}
	}
	var answers []backend.Top
	for i := first; i < to-1; {
		r.rows = r.rows[:0]
		for ; i < to-1 && len(r.rows) < r.b.Limits().Rows; i++ {
			row := backend.Row{Seq: r.seq, Token: r.at(draft, i), Pos: int32(len(r.context) + i), Kind: backend.Context, Target: backend.NoToken}
			if i >= from-1 {
				row.Want = backend.WantTop
				if i+1 < len(draft) {
					row.Want |= backend.WantTarget
					row.Target = draft[i+1]
				}
			}
			r.rows = append(r.rows, row)
		}
		tops, err := r.pass(ctx, forbid)
		if err != nil {
			return nil, err
		}
		answers = append(answers, tops...)
		r.held = append(r.held[:0], draft[:max(i, 0)]...)
	}
	if len(answers) != to-from {
		return nil, fmt.Errorf("denoise: the backend answered %d rows of %d", len(answers), to-from)
	}
	return answers, nil
}

// Revise shows draft[from:to] to the denoiser as a canvas (method.md, section 1) behind
// the context and what stands in the draft before it, and gives its answer for each
// position: the token itself, another, [delete], or [insert] for a gap before it. The
// canvas must fit a pass of the backend, with one row to spare.
func (r *Reader) Revise(ctx context.Context, draft []backend.TokenID, from, to int) ([]backend.Top, error) {
	if from < 0 || to <= from || to > len(draft) || to-from >= r.b.Limits().Rows {
		return nil, fmt.Errorf("denoise: a canvas of [%d, %d) of a draft of %d tokens", from, to, len(draft))
	}
	end := from // in the draft, of what is read causally
	if r.shift {
		end-- // the token before the canvas leads it
	}
	if r.has(draft) < end {
		if _, err := r.Read(ctx, draft, end, end+1); err != nil {
			return nil, err
		}
	}
	if err := r.cut(end); err != nil {
		return nil, err
	}
	r.rows = r.rows[:0]
	for i := end; i < to; i++ {
		row := backend.Row{Seq: r.seq, Token: r.at(draft, i), Pos: int32(len(r.context) + i), Kind: backend.Canvas, Want: backend.WantTop, Target: backend.NoToken}
		if r.shift && i == to-1 {
			row.Want = 0 // it would answer for what follows the canvas
		}
		r.rows = append(r.rows, row)
	}
	tops, err := r.pass(ctx, append([]backend.TokenID{r.tokens.Mask}, r.tokens.Never...))
	if err != nil {
		return nil, err
	}
	if len(tops) != to-from {
		return nil, fmt.Errorf("denoise: the backend answered %d rows of %d", len(tops), to-from)
	}
	return tops, nil
}

// has is how many tokens the sequence holds of a draft's beginning; -1 if the context's
// last is missing.
func (r *Reader) has(draft []backend.TokenID) int {
	if r.b.Len(r.seq) < len(r.context) {
		return -1
	}
	n := min(len(draft), len(r.held))
	for i := range n {
		if draft[i] != r.held[i] {
			return i
		}
	}
	return n
}

// cut makes the sequence hold the context and n tokens behind it; of -1, the context but
// for its last token.
func (r *Reader) cut(n int) error {
	if n >= 0 {
		r.held = r.held[:min(n, len(r.held))]
	} else {
		r.held = r.held[:0]
	}
	if to := len(r.context) + n; to < r.b.Len(r.seq) {
		if err := r.b.Truncate(r.seq, to); err != nil {
			return fmt.Errorf("denoise: forget a draft: %w", err)
		}
	}
	return nil
}

// at is a token of the draft; of -1, the context's last.
func (r *Reader) at(draft []backend.TokenID, i int) backend.TokenID {
	if i < 0 {
		return r.context[len(r.context)-1]
	}
	return draft[i]
}

func (r *Reader) pass(ctx context.Context, forbid []backend.TokenID) ([]backend.Top, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	tops, err := r.b.Forward(ctx, backend.Batch{Rows: r.rows, Forbid: forbid})
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	r.Forwards++
	for _, t := range tops {
		if t.Row < 0 || t.Row >= len(r.rows) || r.rows[t.Row].Want == 0 {
			return nil, errors.New("denoise: the backend answered a row that was not asked")
		}
	}
	return tops, nil
}
