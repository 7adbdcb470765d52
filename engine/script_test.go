package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/weights"
)

var vocabulary = sync.OnceValue(func() *tokenizer.Tokenizer {
	tok, err := tokenizer.Load(bytes.NewReader(weights.TokenizerJSON))
	if err != nil {
		panic(err)
	}
	return tok
})

// script is a model that knows one text by heart: where the prefix ends in a place of the
// text, it goes on with it, surely, and then ends. So what an answer must be is known.
type script struct {
	text  string
	sure  float32 // probability of what it says
	shift bool    // a canvas row predicts the token after its own
	tok   *tokenizer.Tokenizer
	end   backend.TokenID

	limits backend.Limits
	seqs   map[backend.Sequence][]backend.TokenID
	next   backend.Sequence
	rest   map[int][]backend.TokenID // what stands from a byte on

	forwards, contextRows int
	fail                  func() error // before a forward, if set
	closed                bool
}

func newScript(text string) *script {
	return &script{text: text, sure: 0.97, tok: vocabulary(), end: 1,
		limits: backend.Limits{Positions: 512, Sequences: 4, Rows: 96},
		rest:   map[int][]backend.TokenID{},
		seqs:   map[backend.Sequence][]backend.TokenID{backend.Root: nil}}
}

func (s *script) model(revises bool) Model {
	c := model.Config{VocabSize: s.tok.Size(), MaxPositions: s.limits.Positions}
	c.Seedling = model.Scheme{BlockSize: 8, CanvasMark: true, Revises: revises, Shift: s.shift,
		Tokens: model.SpecialTokens{Mask: 0, End: 1, Suffix: 2, Prefix: 3, Draft: 4, Path: 5, Repo: 6, Delete: 7, Insert: 8}}
	return Model{Name: "script", Config: c, Tokenizer: s.tok}
}

func (s *script) Limits() backend.Limits     { return s.limits }
func (s *script) Len(q backend.Sequence) int { return len(s.seqs[q]) }
func (s *script) Close() error               { s.closed = true; return nil }
func (s *script) Release(q backend.Sequence) error {
	if _, ok := s.seqs[q]; !ok || q == backend.Root {
		return backend.ErrSequence
	}
	delete(s.seqs, q)
	return nil
}

func (s *script) Fork(q backend.Sequence) (backend.Sequence, error) {
	if len(s.seqs) > s.limits.Sequences {
		return 0, backend.ErrFull
	}
	s.next++
	s.seqs[s.next] = slices.Clone(s.seqs[q])
	return s.next, nil
}

func (s *script) Truncate(q backend.Sequence, n int) error {
	if n < 0 || n > len(s.seqs[q]) {
		return fmt.Errorf("%w: truncate to %d of %d", backend.ErrBatch, n, len(s.seqs[q]))
	}
	s.seqs[q] = s.seqs[q][:n:n]
	return nil
}

func (s *script) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	if s.closed {
		return nil, fmt.Errorf("a forward after Close")
	}
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(b.Rows) == 0 || len(b.Rows) > s.limits.Rows {
		return nil, fmt.Errorf("%w: %d rows", backend.ErrBatch, len(b.Rows))
	}
	seq := b.Rows[0].Seq
	if _, ok := s.seqs[seq]; !ok || seq == backend.Root && b.Rows[0].Kind == backend.Context {
		return nil, fmt.Errorf("%w: %d", backend.ErrSequence, seq)
	}
	tokens := slices.Clone(s.seqs[seq])
	first := len(tokens)
	var tops []backend.Top
	var seen []backend.TokenID // what a canvas goes on from
	for i, r := range b.Rows {
		if r.Seq != seq || int(r.Pos) != first+i || int(r.Pos) >= s.limits.Positions {
			return nil, fmt.Errorf("%w: row %d: %+v after %d tokens", backend.ErrBatch, i, r, first)
		}
		cell := i - (len(tokens) - first) // of a canvas row
		var best backend.TokenID
		switch {
		case r.Kind == backend.Context:
			if cell > 0 {
				return nil, fmt.Errorf("%w: context after canvas", backend.ErrBatch)
			}
			tokens = append(tokens, r.Token)
			s.contextRows++
			best = s.after(tokens, 0)
		default:
			if cell == 0 {
				if seen = slices.Clone(tokens); s.shift && r.Token != 0 { // the last context token leads
					seen = append(seen, r.Token)
				}
			}
			if s.shift && len(seen) == len(tokens) {
				cell++
			}
			best = s.after(seen, cell)
		}
		if r.Want == 0 {
			continue
		}
		if slices.Contains(b.Forbid, best) { // the first byte that is left
			for best = 9; slices.Contains(b.Forbid, best); best++ {
			}
		}
		t := backend.Top{Row: i, Best: best, Prob: s.sure, Second: 9, SecondProb: 0.01, TargetLog: -7}
		if r.Target == t.Best {
			t.TargetLog = -0.03
		}
		tops = append(tops, t)
	}
	s.seqs[seq] = tokens
	s.forwards++
	return tops, nil
}

// after is the token that stands n tokens after those given.
func (s *script) after(tokens []backend.TokenID, n int) backend.TokenID {
	tail := tokens[max(slices.Index(tokens, 3)+1, len(tokens)-41):]
	prefix := string(tokenizer.Decode(s.tok, nil, tail))
	// The place is found by the last bytes: a window cuts the prefix.
	at := strings.Index(s.text, prefix[max(0, len(prefix)-40):])
	if at < 0 {
		return s.end
	}
	at += min(len(prefix), 40)
	rest, ok := s.rest[at]
	if !ok {
		rest = tokenizer.Encode[backend.TokenID](s.tok, nil, s.text[at:min(len(s.text), at+600)])
		s.rest[at] = rest
	}
	if n >= len(rest) {
		return s.end
	}
	return rest[n]
}
