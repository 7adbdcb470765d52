package cuda

import (
	"errors"
	"fmt"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/kernels"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
)

// Options choose what the backend holds.
type Options struct {
	Positions int // tokens a sequence; 0: the model's
	Sequences int // 0: 8
	Rows      int // a pass; 0: 512
	Splits    int // parts of each product's k; 0: by the card's size
}

// Backend is a card's backend.Backend.
type Backend struct {
	dev      driver.Driver // nil after Close
	shape    shape
	plan     Plan
	module   driver.Module
	kernel   map[string]driver.Function
	memory   []driver.Ptr // weights, cache, workspace
	w        weights
	cache    driver.Ptr
	ws       workspace
	limits   backend.Limits
	info     backend.Info
	held     *backend.Sequences
	disorder bool // a pass failed: counters may not be zero
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Describer = (*Backend)(nil)

	errClosed = errors.New("cuda: the backend is closed; make a new one")
)

// ErrMemory is wrapped by New's error when the plan does not fit on the card.
var ErrMemory = errors.New("not enough device memory")

// New loads w onto dev, which it owns from then on: Close closes it, and so does New when
// it fails.
func New(w *model.Weights, dev driver.Driver, opt Options) (*Backend, error) {
	b := &Backend{dev: dev, kernel: map[string]driver.Function{}}
	if err := b.load(w, opt); err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: %w", err), b.Close())
	}
	return b, nil
}

func (b *Backend) load(w *model.Weights, opt Options) error {
	c := w.Config
	if err := c.Validate(); err != nil {
		return err
	}
	if err := w.Check(); err != nil {
		return err
	}
	if opt.Positions <= 0 || opt.Positions > c.MaxPositions {
		opt.Positions = c.MaxPositions
	}
	if opt.Sequences <= 0 {
		opt.Sequences = 8
	}
	if opt.Rows <= 0 {
		opt.Rows = 512
	}
	d := b.dev.Device()
	var err error
	if b.shape, err = newShape(c, opt, d.SMs); err != nil {
		return err
	}
	s := &b.shape
	var size region
	s.place(w, &size, nil)
	b.plan.Weights = size.used
	b.plan.Cache = uint64(s.layerCache()) * 2 * uint64(c.NumLayers)
	size = region{}
	s.workspace(&size)
	b.plan.Workspace = size.used
	if b.plan.Total() > d.Free {
		return fmt.Errorf("%w: the model needs %s, %s has %.1f MB free: lower the positions or sequences, or use --backend cpu", ErrMemory, b.plan, d.Name, mb(d.Free))
	}
	image := []byte(kernels.PTX)
	if d.Major == 9 && d.Minor == 0 && d.Version >= 12000 {
		image = kernels.Cubin90a
	}
	m, err := b.dev.Load(image)
	if err != nil {
		return fmt.Errorf("loading the kernels: %w", err)
	}
	b.module = m
	names := []string{"embed", "answer", fmt.Sprintf("attention_%d", s.padded)}
	for _, n := range []string{"qkv", "residual", "swiglu", "head"} {
		names = append(names, n+"_16", n+"_32", n+"_64")
	}
	for _, n := range names {
		if b.kernel[n], err = b.dev.Function(m, n); err != nil {
			return fmt.Errorf("kernel %s: %w", n, err)
		}
	}
	var at [3]driver.Ptr
	for i, n := range []uint64{b.plan.Weights, b.plan.Cache, b.plan.Workspace} {
		if at[i], err = b.dev.Alloc(n); err != nil {
			return fmt.Errorf("allocating %.1f MB of %s: %w", mb(n), b.plan, err)
		}
		b.memory = append(b.memory, at[i])
	}
	// Padding is zero and stays so: kernels write none of it.
	if err := b.dev.Fill(at[2], 0, b.plan.Workspace/4); err != nil {
		return fmt.Errorf("clearing the workspace: %w", err)
	}
	if b.w, err = s.place(w, &region{base: uint64(at[0])}, b.dev.Write); err != nil {
		return fmt.Errorf("copying the weights: %w", err)
	}
	b.cache = at[1]
	b.ws = s.workspace(&region{base: uint64(at[2])})
	b.limits = backend.Limits{Positions: opt.Positions, Sequences: opt.Sequences, Rows: opt.Rows}
	b.info = backend.Info{Name: "cuda", Kernels: fmt.Sprintf("%s sm_%d%d", d.Name, d.Major, d.Minor), Threads: d.SMs}
	b.held = backend.NewSequences(b.limits, c.VocabSize)
	return nil
}

// layerCache is the bytes of one layer's keys, or of its values: [slots][kv][positions][padded].
func (s *shape) layerCache() int { return s.slots * s.NumKVHeads * s.positions * s.padded * 2 }

// keys and values are where a layer's cache lies.
func (b *Backend) keys(l int) driver.Ptr {
	return b.cache + driver.Ptr(2*l*b.shape.layerCache())
}
func (b *Backend) values(l int) driver.Ptr {
	return b.cache + driver.Ptr((2*l+1)*b.shape.layerCache())
}

// Info implements backend.Describer; Threads are the card's multiprocessors.
func (b *Backend) Info() backend.Info { return b.info }

// Plan is the memory that the backend took.
func (b *Backend) Plan() Plan { return b.plan }

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// Len implements backend.Backend. An unknown sequence has no tokens.
func (b *Backend) Len(seq backend.Sequence) int { return b.held.Len(seq) }

// Close implements backend.Backend. It frees everything even when the driver fails on the way.
func (b *Backend) Close() error {
	if b.dev == nil {
		return nil
	}
	var errs []error
	for _, p := range b.memory {
		errs = append(errs, b.dev.Free(p))
	}
	if b.module != 0 {
		errs = append(errs, b.dev.Unload(b.module))
	}
	errs = append(errs, b.dev.Close())
	b.dev = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cuda: close: %w", err)
	}
	return nil
}

// Truncate implements backend.Backend.
func (b *Backend) Truncate(seq backend.Sequence, n int) error {
	if b.dev == nil {
		return errClosed
	}
	if err := b.held.Truncate(seq, n); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}

// Fork implements backend.Backend. It copies the cache on the device.
func (b *Backend) Fork(seq backend.Sequence) (backend.Sequence, error) {
	if b.dev == nil {
		return 0, errClosed
	}
	to, n, err := b.held.Next(seq)
	if err != nil {
		return 0, fmt.Errorf("cuda: %w", err)
	}
	if n > 0 {
		head := driver.Ptr(b.shape.positions * b.shape.padded * 2)
		for l := range 2 * b.shape.NumLayers { // keys and values in turn
			for h := range b.shape.NumKVHeads {
				kv := b.shape.NumKVHeads
				at := func(s backend.Sequence) driver.Ptr {
					return b.keys(0) + driver.Ptr(l*b.shape.layerCache()) + driver.Ptr(slot(s)*kv+h)*head
				}
				if err := b.dev.Copy(at(to), at(seq), uint64(n*b.shape.padded*2)); err != nil {
					return 0, fmt.Errorf("cuda: fork: %w", err)
				}
			}
		}
	}
	b.held.Take(n)
	return to, nil
}

// slot is a sequence's place in the caches. Root has none and never looks at one.
func slot(s backend.Sequence) int { return max(int(s)-1, 0) }

// Release implements backend.Backend.
func (b *Backend) Release(seq backend.Sequence) error {
	if b.dev == nil {
		return errClosed
	}
	if seq == backend.Root {
		return nil
	}
	if err := b.held.Release(seq); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}
