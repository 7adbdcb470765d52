package engine

import (
	"context"
	"math"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// Likelihood is how likely a text is as the answer to a request, by the causal reading with
// what is remembered mixed in, as decoding mixes it.
type Likelihood struct {
	LogProb       float64 // of all tokens, nats
	Tokens        int     // of the text, and of the word that stands before the gap
	Bytes         int     // of the same
	ContextTokens int
	// Room says whether the whole text was read: the model's positions may end before it does.
	Room bool
}

// BitsPerByte is the likelihood as compression would have it.
func (l Likelihood) BitsPerByte() float64 {
	return -l.LogProb / math.Ln2 / float64(max(1, l.Bytes))
}

// Likelihood reads text as the answer to req, in req's own context, and decides nothing. It
// is for measurements: what a change of the context is worth shows here long before it
// shows in answers. Errors are those of Generate.
func (e *Engine) Likelihood(ctx context.Context, req Request, text string) (Likelihood, error) {
	if e.broken != nil {
		return Likelihood{}, e.broken
	}
	if req.MaxTokens <= 0 {
		req.MaxTokens = defaultMaxTokens
	}
	t, err := e.queue.join(ctx, req.Document, req.Priority)
	if err != nil {
		return Likelihood{}, err
	}
	defer e.queue.leave(t)
	w := encode(e.model.Tokenizer, req, e.model.Config.MaxPositions, req.MaxTokens, e.model.Config.Seedling.Plain)
	if err := t.wait(req.Deadline); err != nil {
		return Likelihood{}, err
	}
	c := e.device.contexts
	positions := min(e.model.Config.MaxPositions, c.b.Limits().Positions)
	tokens := w.layout(e.model.Config.Seedling.Tokens, positions)
	h, err := c.find(tokens, req.Document)
	if err != nil {
		return Likelihood{}, err
	}
	if err := c.read(t.ctx, h, tokens, len(tokens)-1, func() {}); err != nil {
		return Likelihood{}, err
	}
	answer := tokenizer.Encode[backend.TokenID](e.model.Tokenizer, nil, w.word+text)
	l := Likelihood{ContextTokens: len(tokens), Room: len(tokens)+len(answer) <= positions}
	answer = answer[:min(len(answer), positions-len(tokens))]
	l.Tokens, l.Bytes = len(answer), tokenizer.Length(e.model.Tokenizer, answer)
	all := append(tokens[:len(tokens):len(tokens)], answer...)
	memory := e.recollection(req, w)
	ids := e.model.tokens()
	forbid := append([]backend.TokenID{ids.Mask, ids.Delete, ids.Insert}, ids.Never...)
	for at := len(tokens) - 1; at < len(all)-1; {
		var rows []backend.Row
		first := at
		for end := min(len(all)-1, at+max(1, c.b.Limits().Rows)); at < end; at++ {
			rows = append(rows, backend.Row{Seq: h.seq, Token: all[at], Pos: int32(at), Want: backend.WantTarget, Target: all[at+1]})
		}
		var tops []backend.Top
		if tops, err = c.b.Forward(t.ctx, backend.Batch{Rows: rows, Forbid: forbid}); err != nil {
			break
		}
		for _, top := range tops {
			p := math.Exp(float64(top.TargetLog))
			if memory != nil {
				i := top.Row + first - len(tokens) + 1
				if g := memory.Guess(answer[:i]); g.Weight() > 0 {
					p = (1-float64(g.Weight()))*p + float64(g.Weight()*g.Share(answer[i]))
				}
			}
			l.LogProb += math.Log(p)
		}
	}
	if unsettled := c.settle(h, all); err == nil {
		err = unsettled
	}
	return l, err
}
