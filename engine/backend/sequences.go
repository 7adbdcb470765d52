package backend

import "fmt"

// Sequences is what a device keeps of its sequences beside their keys and values: which
// there are, and how many tokens each holds. Its methods hold callers to the rules stated at
// [Backend] and [Batch], so that every device has the same ones. Errors wrap ErrSequence,
// ErrFull or ErrBatch. It is not safe for concurrent use.
type Sequences struct {
	limits Limits
	vocab  int
	length map[Sequence]int
	free   []Sequence

	groups []Group // of the last batch
	of     []int
}

// Group is what one sequence has in a batch.
type Group struct {
	Seq    Sequence
	After  int // tokens that it holds after the pass
	Canvas int // position of its last canvas row; -1: none
}

// NewSequences has none but Root, of a device with these limits and a model of vocab tokens.
func NewSequences(l Limits, vocab int) *Sequences {
	s := &Sequences{limits: l, vocab: vocab, length: map[Sequence]int{Root: 0}}
	for i := l.Sequences; i > 0; i-- {
		s.free = append(s.free, Sequence(i))
	}
	return s
}

// Len is the number of tokens of a sequence; an unknown one has none.
func (s *Sequences) Len(seq Sequence) int { return s.length[seq] }

// SetLen takes note that a sequence, which there is, holds n tokens.
func (s *Sequences) SetLen(seq Sequence, n int) { s.length[seq] = n }

// Truncate forgets the tokens of seq from n on.
func (s *Sequences) Truncate(seq Sequence, n int) error {
	have, ok := s.length[seq]
	if !ok {
		return fmt.Errorf("truncate %d: %w", seq, ErrSequence)
	}
	if n < 0 || n > have {
		return fmt.Errorf("truncate to %d of %d tokens: %w", n, have, ErrBatch)
	}
	s.length[seq] = n
	return nil
}

// Next is the sequence that a copy of seq will be, and its length. It is there when Take was
// called: a device can fail in between.
func (s *Sequences) Next(seq Sequence) (to Sequence, n int, err error) {
	n, ok := s.length[seq]
	if !ok {
		return 0, 0, fmt.Errorf("fork %d: %w", seq, ErrSequence)
	}
	if len(s.free) == 0 {
		return 0, 0, fmt.Errorf("%d sequences are in use: %w", s.limits.Sequences, ErrFull)
	}
	return s.free[len(s.free)-1], n, nil
}

// Take makes the sequence that Next gave, with n tokens.
func (s *Sequences) Take(n int) {
	last := len(s.free) - 1
	s.length[s.free[last]] = n
	s.free = s.free[:last]
}

// Release forgets a sequence, which is not Root.
func (s *Sequences) Release(seq Sequence) error {
	if _, ok := s.length[seq]; !ok {
		return fmt.Errorf("release %d: %w", seq, ErrSequence)
	}
	delete(s.length, seq)
	s.free = append(s.free, seq)
	return nil
}

// Check holds a batch to the rules. It gives the batch's sequences in the order in which they
// come, and for each row the index of its own among them. Both hold until the next Check.
func (s *Sequences) Check(b Batch) (groups []Group, of []int, err error) {
	bad := func(i int, format string, a ...any) ([]Group, []int, error) {
		return nil, nil, fmt.Errorf("row %d: %s: %w", i, fmt.Sprintf(format, a...), ErrBatch)
	}
	if len(b.Rows) > s.limits.Rows {
		return nil, nil, fmt.Errorf("%d rows for at most %d a pass: %w", len(b.Rows), s.limits.Rows, ErrBatch)
	}
	if len(b.Forbid) >= s.vocab {
		return nil, nil, fmt.Errorf("%d forbidden tokens of %d: %w", len(b.Forbid), s.vocab, ErrBatch)
	}
	for _, f := range b.Forbid {
		if f < 0 || int(f) >= s.vocab {
			return nil, nil, fmt.Errorf("forbidden token %d is not in the vocabulary: %w", f, ErrBatch)
		}
	}
	s.groups, s.of = s.groups[:0], s.of[:0]
	for i, r := range b.Rows {
		n := 0
		for n < len(s.groups) && s.groups[n].Seq != r.Seq {
			n++
		}
		if n == len(s.groups) {
			have, ok := s.length[r.Seq]
			if !ok {
				return nil, nil, fmt.Errorf("row %d: sequence %d: %w", i, r.Seq, ErrSequence)
			}
			s.groups = append(s.groups, Group{Seq: r.Seq, After: have, Canvas: -1})
		}
		g := &s.groups[n]
		if r.Token < 0 || int(r.Token) >= s.vocab {
			return bad(i, "token %d is not in the vocabulary", r.Token)
		}
		if r.Pos < 0 || int(r.Pos) >= s.limits.Positions {
			return nil, nil, fmt.Errorf("row %d: position %d of %d: %w", i, r.Pos, s.limits.Positions, ErrFull)
		}
		switch r.Kind {
		case Context:
			if r.Seq == Root {
				return bad(i, "the root sequence takes no context")
			}
			if g.Canvas >= 0 {
				return bad(i, "context after canvas")
			}
			if int(r.Pos) != g.After {
				return bad(i, "context at %d, the sequence ends at %d", r.Pos, g.After)
			}
			g.After++
		case Canvas:
			if int(r.Pos) < g.After || int(r.Pos) <= g.Canvas {
				return bad(i, "canvas at %d, behind %d", r.Pos, max(g.After-1, g.Canvas))
			}
			g.Canvas = int(r.Pos)
		default:
			return bad(i, "kind %d", r.Kind)
		}
		if r.Want&WantTarget != 0 && (r.Target < 0 || int(r.Target) >= s.vocab) {
			return bad(i, "target %d is not in the vocabulary", r.Target)
		}
		s.of = append(s.of, n)
	}
	return s.groups, s.of, nil
}
