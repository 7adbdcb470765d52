package cpu

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
	"github.com/seedling-lsp/seedling/engine/model"
)

// Reference is the instruction set name of the plain-Go reference.
const Reference = "go"

// Options choose how the backend runs.
type Options struct {
	Threads int // 0: one a core
	// ISA forces an instruction set: avx512vnni, avxvnni, avx2, neondot, portable or go.
	// Empty: the environment's SEEDLING_ISA, else the best one.
	ISA       string
	Positions int // tokens a sequence; 0: the model's
	Sequences int // 0: 8
}

// Detect lists the instruction sets that this machine runs, best first.
func Detect() []string {
	var out []string
	for _, s := range kernels.Sets {
		if kernels.Runs(s) {
			out = append(out, s)
		}
	}
	return append(out, Reference)
}

// device runs passes over checked batches. Rows name caches by index into seqs.
type device interface {
	forward(ctx context.Context, rows []kernels.Row, seqs []backend.Sequence, forbid []int32) ([]kernels.Top, error)
	open(seq backend.Sequence) error
	close(seq backend.Sequence)
	copy(to, from backend.Sequence, n int)
	setLen(seq backend.Sequence, n int)
	end()
	info() backend.Info
}

// Backend is the CPU's backend.Backend.
type Backend struct {
	dev    device
	config model.Config
	limits backend.Limits
	info   backend.Info
	length map[backend.Sequence]int
	free   []backend.Sequence
	rows   []kernels.Row
	groups []backend.Sequence
	forbid []int32
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Describer = (*Backend)(nil)
)

// New packs w for the machine. Float weights are quantized to int8 (per output row) for
// the kernels; the reference runs them as they are.
func New(w *model.Weights, opt Options) (*Backend, error) {
	c := w.Config
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if err := check(w); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if opt.Threads <= 0 {
		opt.Threads = runtime.NumCPU()
	}
	if opt.Positions <= 0 || opt.Positions > c.MaxPositions {
		opt.Positions = c.MaxPositions
	}
	if opt.Sequences <= 0 {
		opt.Sequences = 8
	}
	if opt.ISA == "" {
		opt.ISA = os.Getenv("SEEDLING_ISA")
	}
	if opt.ISA == "" {
		opt.ISA = Detect()[0]
	}
	b := &Backend{config: c, length: map[backend.Sequence]int{backend.Root: 0},
		limits: backend.Limits{Positions: opt.Positions, Sequences: opt.Sequences, Rows: 512}}
	var err error
	if opt.ISA == Reference {
		b.dev = newReference(w, opt)
	} else if b.dev, err = newNative(w, opt); err != nil {
		return nil, fmt.Errorf("cpu: instruction set %q: %w; this machine runs %v", opt.ISA, err, Detect())
	}
	b.info = b.dev.info()
	for i := opt.Sequences; i > 0; i-- {
		b.free = append(b.free, backend.Sequence(i))
	}
	return b, nil
}

// Info implements backend.Describer. It holds after Close, too.
func (b *Backend) Info() backend.Info { return b.info }

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// Len implements backend.Backend. An unknown sequence has no tokens.
func (b *Backend) Len(seq backend.Sequence) int { return b.length[seq] }

// Close implements backend.Backend.
func (b *Backend) Close() error {
	if b.dev != nil {
		b.dev.end()
		b.dev = nil
	}
	return nil
}

// Truncate implements backend.Backend.
func (b *Backend) Truncate(seq backend.Sequence, n int) error {
	if b.dev == nil {
		return errClosed
	}
	have, ok := b.length[seq]
	if !ok {
		return fmt.Errorf("cpu: truncate %d: %w", seq, backend.ErrSequence)
	}
	if n < 0 || n > have {
		return fmt.Errorf("cpu: truncate to %d of %d tokens: %w", n, have, backend.ErrBatch)
	}
	if seq != backend.Root {
		b.length[seq] = n
		b.dev.setLen(seq, n)
	}
	return nil
}

// Fork implements backend.Backend. It copies the cache: at most a few megabytes.
func (b *Backend) Fork(seq backend.Sequence) (backend.Sequence, error) {
	if b.dev == nil {
		return 0, errClosed
	}
	n, ok := b.length[seq]
	if !ok {
		return 0, fmt.Errorf("cpu: fork %d: %w", seq, backend.ErrSequence)
	}
	if len(b.free) == 0 {
		return 0, fmt.Errorf("cpu: %d sequences are in use: %w", b.limits.Sequences, backend.ErrFull)
	}
	to := b.free[len(b.free)-1]
	if err := b.dev.open(to); err != nil {
		return 0, fmt.Errorf("cpu: fork: %w", err)
	}
	b.free = b.free[:len(b.free)-1]
	if n > 0 {
		b.dev.copy(to, seq, n)
	}
	b.length[to] = n
	return to, nil
}

// Release implements backend.Backend.
func (b *Backend) Release(seq backend.Sequence) error {
	if b.dev == nil {
		return errClosed
	}
	if seq == backend.Root {
		return nil
	}
	if _, ok := b.length[seq]; !ok {
		return fmt.Errorf("cpu: release %d: %w", seq, backend.ErrSequence)
	}
	delete(b.length, seq)
	b.dev.close(seq)
	b.free = append(b.free, seq)
	return nil
}

// Forward implements backend.Backend.
func (b *Backend) Forward(ctx context.Context, batch backend.Batch) ([]backend.Top, error) {
	if b.dev == nil {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	after, err := b.check(batch)
	if err != nil {
		return nil, err
	}
	tops, err := b.dev.forward(ctx, b.rows, b.groups, b.forbid)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("cpu: forward: %w", err)
	}
	for i, s := range b.groups {
		if after[i] != b.length[s] {
			b.length[s] = after[i]
			b.dev.setLen(s, after[i])
		}
	}
	out := make([]backend.Top, 0, len(tops))
	for i, r := range b.rows {
		if r.Want == 0 {
			continue
		}
		t := tops[len(out)]
		top := backend.Top{Row: i, Best: backend.TokenID(t.Best), Prob: t.Prob, Second: backend.TokenID(t.Second), SecondProb: t.SecondProb, LogZ: t.LogZ}
		if batch.Rows[i].Want&backend.WantTarget != 0 {
			top.TargetLog = t.TargetLog
		}
		out = append(out, top)
	}
	return out, nil
}

// check holds a batch to the rules of backend.Batch and translates it. It returns the
// length of each group's sequence after the pass.
func (b *Backend) check(batch backend.Batch) ([]int, error) {
	bad := func(i int, format string, a ...any) ([]int, error) {
		return nil, fmt.Errorf("cpu: row %d: %s: %w", i, fmt.Sprintf(format, a...), backend.ErrBatch)
	}
	if len(batch.Rows) > b.limits.Rows {
		return nil, fmt.Errorf("cpu: %d rows for at most %d a pass: %w", len(batch.Rows), b.limits.Rows, backend.ErrBatch)
	}
	if len(batch.Forbid) >= b.config.VocabSize {
		return nil, fmt.Errorf("cpu: %d forbidden tokens of %d: %w", len(batch.Forbid), b.config.VocabSize, backend.ErrBatch)
	}
	b.rows, b.groups, b.forbid = b.rows[:0], b.groups[:0], b.forbid[:0]
	for _, f := range batch.Forbid {
		if f < 0 || int(f) >= b.config.VocabSize {
			return nil, fmt.Errorf("cpu: forbidden token %d is not in the vocabulary: %w", f, backend.ErrBatch)
		}
		b.forbid = append(b.forbid, int32(f))
	}
	var after, canvas []int // by group: cached length, last canvas position or -1
	for i, r := range batch.Rows {
		g := -1
		for k, s := range b.groups {
			if s == r.Seq {
				g = k
			}
		}
		if g < 0 {
			n, ok := b.length[r.Seq]
			if !ok {
				return nil, fmt.Errorf("cpu: row %d: sequence %d: %w", i, r.Seq, backend.ErrSequence)
			}
			g = len(b.groups)
			b.groups, after, canvas = append(b.groups, r.Seq), append(after, n), append(canvas, -1)
		}
		if r.Token < 0 || int(r.Token) >= b.config.VocabSize {
			return bad(i, "token %d is not in the vocabulary", r.Token)
		}
		if r.Pos < 0 || int(r.Pos) >= b.limits.Positions {
			return nil, fmt.Errorf("cpu: row %d: position %d of %d: %w", i, r.Pos, b.limits.Positions, backend.ErrFull)
		}
		switch r.Kind {
		case backend.Context:
			if r.Seq == backend.Root {
				return bad(i, "the root sequence takes no context")
			}
			if canvas[g] >= 0 {
				return bad(i, "context after canvas")
			}
			if int(r.Pos) != after[g] {
				return bad(i, "context at %d, the sequence ends at %d", r.Pos, after[g])
			}
			after[g]++
		case backend.Canvas:
			if int(r.Pos) < after[g] || int(r.Pos) <= canvas[g] {
				return bad(i, "canvas at %d, behind %d", r.Pos, max(after[g]-1, canvas[g]))
			}
			canvas[g] = int(r.Pos)
		default:
			return bad(i, "kind %d", r.Kind)
		}
		row := kernels.Row{Token: int32(r.Token), Pos: r.Pos, Group: int32(g), Want: int32(r.Want & (backend.WantTop | backend.WantTarget)), Target: -1}
		if r.Kind == backend.Canvas {
			row.Canvas = 1
		}
		if r.Want&backend.WantTarget != 0 {
			if r.Target < 0 || int(r.Target) >= b.config.VocabSize {
				return bad(i, "target %d is not in the vocabulary", r.Target)
			}
			row.Target = int32(r.Target)
		}
		b.rows = append(b.rows, row)
	}
	return after, nil
}
