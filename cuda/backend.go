package cuda

import (
	"context"
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
	Parts     int // parts of attention's keys; 0: by the card's size and the context's
	// FP8 holds weights as e4m3 with a scale an output feature, and rounds what products
	// read to e4m3, too. It halves what a pass reads; it wants compute capability 9.0.
	FP8 bool
	// Plain launches kernel by kernel where the driver could take a pass as a graph.
	Plain bool
	// Context ends New, which copies all weights, with its error. nil: nothing does.
	Context context.Context
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
	pages    *pager
	programs map[shapeKey]*program
	plain    bool

	disorder  bool        // a pass failed: counters may not be zero
	forbidden [2][]uint32 // the sets that the device holds; nil: unknown
	stage     []byte      // reused
	host      []byte
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Describer = (*Backend)(nil)

	errClosed = errors.New("cuda: the backend is closed; make a new one")
)

// ErrMemory is wrapped by New's error when the plan does not fit on the card.
var ErrMemory = errors.New("not enough device memory")

// ErrUnfit is wrapped by New's error when the card cannot run what was asked for.
var ErrUnfit = errors.New("the card cannot do this")

// New loads w onto dev, which it owns from then on: Close closes it, and so does New when
// it fails.
func New(w *model.Weights, dev driver.Driver, opt Options) (*Backend, error) {
	b := &Backend{dev: dev, kernel: map[string]driver.Function{}, programs: map[shapeKey]*program{}, plain: opt.Plain}
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
	hopper := d.Major == 9 && d.Minor == 0
	if opt.FP8 && (!hopper || d.Version < 12000 && d.Version > 0) {
		return fmt.Errorf("%w: %s has compute capability %d.%d and a driver for CUDA %d.%d, fp8 kernels are for 9.0 (H20, H100, H200) and 12.0 or later: use bf16", ErrUnfit, d.Name, d.Major, d.Minor, d.Version/1000, d.Version%1000/10)
	}
	var err error
	if b.shape, err = newShape(c, opt, d.SMs); err != nil {
		return err
	}
	s := &b.shape
	var size region
	s.place(w, &size, nil)
	b.plan.Weights = size.used
	b.plan.Cache = uint64(s.pages) * uint64(s.pageElements()) * 2
	size = region{}
	s.workspace(&size)
	b.plan.Workspace = size.used
	if b.plan.Total() > d.Free {
		return fmt.Errorf("%w: the model needs %s, %s has %.1f MB free: lower the positions or sequences, or use --backend cpu", ErrMemory, b.plan, d.Name, mb(d.Free))
	}
	image := []byte(kernels.PTX)
	if hopper && (d.Version >= 12000 || opt.FP8) {
		image = kernels.Cubin90a
	}
	m, err := b.dev.Load(image)
	if err != nil {
		return fmt.Errorf("loading the kernels: %w", err)
	}
	b.module = m
	for _, n := range s.kernels() {
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
	write := func(to driver.Ptr, from []byte) error {
		if opt.Context != nil && opt.Context.Err() != nil {
			return context.Cause(opt.Context)
		}
		return b.dev.Write(to, from)
	}
	if b.w, err = s.place(w, &region{base: uint64(at[0])}, write); err != nil {
		return fmt.Errorf("copying the weights: %w", err)
	}
	b.cache = at[1]
	b.ws = s.workspace(&region{base: uint64(at[2])})
	b.limits = backend.Limits{Positions: opt.Positions, Sequences: opt.Sequences, Rows: opt.Rows}
	b.info = backend.Info{Name: "cuda", Kernels: fmt.Sprintf("%s sm_%d%d", d.Name, d.Major, d.Minor), Threads: d.SMs}
	b.held = backend.NewSequences(b.limits, c.VocabSize)
	b.pages = newPager(s.pages)
	b.host = make([]byte, 32*s.rows)
	return nil
}

// pageElements is the values of a page: [layer][2][kv][64][padded].
func (s *shape) pageElements() int { return 2 * s.NumLayers * s.layerElements() }

func (s *shape) layerElements() int { return s.NumKVHeads * pageSize * s.padded }

// keys and values are where a layer's part of the first page lies.
func (b *Backend) keys(l int) driver.Ptr {
	return b.cache + driver.Ptr(2*2*l*b.shape.layerElements())
}
func (b *Backend) values(l int) driver.Ptr {
	return b.cache + driver.Ptr(2*(2*l+1)*b.shape.layerElements())
}

func (b *Backend) copyPage(to, from int32) error {
	n := uint64(b.shape.pageElements()) * 2
	return b.dev.Copy(b.cache+driver.Ptr(uint64(to)*n), b.cache+driver.Ptr(uint64(from)*n), n)
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
	for _, p := range b.programs {
		if p.graph != 0 {
			errs = append(errs, b.dev.(driver.Grapher).Drop(p.graph))
		}
	}
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
	b.pages.truncate(seq, n)
	return nil
}

// Fork implements backend.Backend. The copy shares the cache's pages until one of the two
// writes into them.
func (b *Backend) Fork(seq backend.Sequence) (backend.Sequence, error) {
	if b.dev == nil {
		return 0, errClosed
	}
	to, n, err := b.held.Next(seq)
	if err != nil {
		return 0, fmt.Errorf("cuda: %w", err)
	}
	b.pages.fork(to, seq, n)
	b.held.Take(n)
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
		return fmt.Errorf("cuda: %w", err)
	}
	b.pages.release(seq)
	return nil
}
