package cpu

import (
	"context"
	"errors"
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
	limits backend.Limits
	info   backend.Info
	held   *backend.Sequences
	rows   []kernels.Row
	groups []backend.Sequence
	forbid []int32
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Describer = (*Backend)(nil)

	errClosed = errors.New("cpu: the backend is closed; make a new one")
)

// New packs w for the machine. Float weights are quantized to int8 (per output row) for
// the kernels; the reference runs them as they are.
func New(w *model.Weights, opt Options) (*Backend, error) {
	c := w.Config
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if !c.TieWordEmbeddings {
		return nil, errors.New("cpu: the model has a head of its own; only tied embeddings are supported so far")
	}
	if err := w.Check(); err != nil { // C will read as many as the config says
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
	b := &Backend{limits: backend.Limits{Positions: opt.Positions, Sequences: opt.Sequences, Rows: 512}}
	b.held = backend.NewSequences(b.limits, c.VocabSize)
	var err error
	if opt.ISA == Reference {
		b.dev = newReference(w, opt)
	} else if b.dev, err = newNative(w, opt); err != nil {
		return nil, fmt.Errorf("cpu: instruction set %q: %w; this machine runs %v", opt.ISA, err, Detect())
	}
	b.info = b.dev.info()
	return b, nil
}

// Info implements backend.Describer. It holds after Close, too.
func (b *Backend) Info() backend.Info { return b.info }

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// Len implements backend.Backend. An unknown sequence has no tokens.
func (b *Backend) Len(seq backend.Sequence) int { return b.held.Len(seq) }

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
	if err := b.held.Truncate(seq, n); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	if seq != backend.Root {
		b.dev.setLen(seq, n)
	}
	return nil
}

// Fork implements backend.Backend. It copies the cache: at most a few megabytes.
func (b *Backend) Fork(seq backend.Sequence) (backend.Sequence, error) {
	if b.dev == nil {
		return 0, errClosed
	}
	to, n, err := b.held.Next(seq)
	if err != nil {
		return 0, fmt.Errorf("cpu: %w", err)
	}
	if err := b.dev.open(to); err != nil {
		return 0, fmt.Errorf("cpu: fork: %w", err)
	}
	b.held.Take(n)
	if n > 0 {
		b.dev.copy(to, seq, n)
	}
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
	if err := b.held.Release(seq); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	b.dev.close(seq)
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
	groups, of, err := b.held.Check(batch)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	b.translate(batch, groups, of)
	tops, err := b.dev.forward(ctx, b.rows, b.groups, b.forbid)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("cpu: forward: %w", err)
	}
	for _, g := range groups {
		if g.After != b.held.Len(g.Seq) {
			b.held.SetLen(g.Seq, g.After)
			b.dev.setLen(g.Seq, g.After)
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

// translate makes of a checked batch what the kernels take.
func (b *Backend) translate(batch backend.Batch, groups []backend.Group, of []int) {
	b.rows, b.groups, b.forbid = b.rows[:0], b.groups[:0], b.forbid[:0]
	for _, f := range batch.Forbid {
		b.forbid = append(b.forbid, int32(f))
	}
	for _, g := range groups {
		b.groups = append(b.groups, g.Seq)
	}
	for i, r := range batch.Rows {
		row := kernels.Row{Token: int32(r.Token), Pos: r.Pos, Group: int32(of[i]), Want: int32(r.Want & (backend.WantTop | backend.WantTarget)), Target: -1}
		if r.Kind == backend.Canvas {
			row.Canvas = 1
		}
		if r.Want&backend.WantTarget != 0 {
			row.Target = int32(r.Target)
		}
		b.rows = append(b.rows, row)
	}
}
