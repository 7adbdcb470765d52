package ptx

import (
	"fmt"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

// Timing says when asynchronous copies land and asynchronous products run. Each order hides
// faults that the other shows.
type Timing uint8

// The two ends of what is allowed.
const (
	Late  Timing = iota // when the wait for it is over
	Early               // at once
)

// Options are how a machine runs.
type Options struct {
	Copies   Timing
	Blocks   int   // at a time; 0: one a processor
	Reverse  bool  // the last warp of a block first
	Branches int64 // of a warp before it is held to be in an endless loop; 0: 2^22
}

// Machine runs kernels on its memory.
type Machine struct {
	Memory
	opt      Options
	launches uint64
	counters map[string]*Counters
}

// New makes a machine without any memory.
func New(opt Options) *Machine {
	if opt.Branches <= 0 {
		opt.Branches = 1 << 22
	}
	return &Machine{opt: opt, counters: map[string]*Counters{}}
}

// run is one launch.
type run struct {
	m      *Machine
	k      *Kernel
	grid   [3]int
	block  [3]int
	shared int
	params []byte
	warps  int
	launch uint64
	fences []atomic.Uint32 // [block][warp]: its clock at its last fence
	talk   sync.Mutex
	said   map[uint64]heard // by address: what atomics there tell
	next   atomic.Int64

	mu    sync.Mutex
	first int // of the faulty blocks
	err   error
	count Counters
}

// Launch runs a kernel to its end. dynamic is the bytes of shared memory that come on top of
// what the kernel declares; params are the kernel's parameters as it lays them out. The error
// is a *Fault if the kernel did wrong.
func (m *Machine) Launch(k *Kernel, grid, block [3]int, dynamic int, params []byte) error {
	r := &run{m: m, k: k, grid: grid, block: block, shared: k.Shared + dynamic, params: params}
	threads := block[0] * block[1] * block[2]
	blocks := grid[0] * grid[1] * grid[2]
	switch {
	case threads < 1 || threads > 1024 || blocks < 1 || blocks >= 1<<24:
		return fmt.Errorf("ptx: %s: grid %v of blocks %v", k.Name, grid, block)
	case k.threads > 0 && threads > k.threads:
		return fmt.Errorf("ptx: %s: %d threads a block, it is made for %d", k.Name, threads, k.threads)
	case len(params) < k.Params:
		return fmt.Errorf("ptx: %s: %d bytes of parameters, it takes %d", k.Name, len(params), k.Params)
	case dynamic < 0 || r.shared > 227<<10:
		return fmt.Errorf("ptx: %s: %d bytes of shared memory, a block has at most %d", k.Name, r.shared, 227<<10)
	}
	m.launches++
	r.launch = m.launches & 0xffff
	r.warps = (threads + 31) / 32
	r.fences = make([]atomic.Uint32, blocks*r.warps)
	r.first = blocks
	n := m.opt.Blocks
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	for range min(n, blocks) {
		wg.Go(r.work)
	}
	wg.Wait()
	r.count.Launches = 1
	c := m.counters[k.Name]
	if c == nil {
		c = &Counters{}
		m.counters[k.Name] = c
	}
	c.add(&r.count)
	return r.err
}

// work runs blocks until there are none.
func (r *run) work() {
	b := newBlock(r)
	for {
		i := int(r.next.Add(1)) - 1
		r.mu.Lock()
		done := i >= r.grid[0]*r.grid[1]*r.grid[2] || r.first < i
		if done {
			r.count.add(&b.count)
		}
		r.mu.Unlock()
		if done {
			return
		}
		if err := b.do(i); err != nil {
			r.mu.Lock()
			if i < r.first {
				r.first, r.err = i, err
			}
			r.mu.Unlock()
		}
	}
}

// block is one block under way; a worker uses it again and again.
type block struct {
	m                   *Machine
	run                 *run
	k                   *Kernel
	launch              uint64
	known, told         heard // of other blocks: what it may rely on, and what a fence will let it
	index               int
	ctaid, nctaid, ntid [3]uint32
	params              []byte
	shared              []byte
	shadow              shadow
	warps               []*warp
	bars                [16]barrier
	mbars               map[uint32]*mbarrier
	agent               uint32 // the clock of copies that an mbarrier tells of
	events              int    // whatever a polling warp may have waited for
	early               bool
	count               Counters
}

func newBlock(r *run) *block {
	b := &block{m: r.m, run: r, k: r.k, launch: r.launch, params: r.params, shared: make([]byte, r.shared), early: r.m.opt.Copies == Early}
	for i := range 3 {
		b.nctaid[i], b.ntid[i] = uint32(r.grid[i]), uint32(r.block[i])
	}
	b.shadow.init(r.shared, r.k.granule, r.warps)
	for i := range r.warps {
		b.warps = append(b.warps, &warp{b: b, id: i, reg: make([]lanes, len(r.k.regNames)), pred: make([]uint32, len(r.k.predNames)),
			def: make([]uint32, len(r.k.regNames)), pdef: make([]uint32, len(r.k.predNames)),
			ages: make([]uint32, len(r.k.regNames)), busy: make([]int, len(r.k.regNames)), held: make([]int, len(r.k.regNames)),
			clock: make([]uint32, r.warps+1), fenced: make([]uint32, r.warps+1)})
	}
	return b
}

// do runs block i of the grid.
func (b *block) do(i int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(*Fault)
			if !ok {
				panic(r)
			}
			err = f
		}
	}()
	b.index = i
	g := b.run.grid
	b.ctaid = [3]uint32{uint32(i % g[0]), uint32(i / g[0] % g[1]), uint32(i / (g[0] * g[1]))}
	b.bars = [16]barrier{}
	b.mbars = nil
	b.known, b.told = heard{}, heard{}
	b.begin()
	threads := int(b.ntid[0] * b.ntid[1] * b.ntid[2])
	for _, w := range b.warps {
		w.start(threads)
	}
	idle, seen := 0, b.events
	for {
		left, ran := 0, false
		for i := range b.warps {
			w := b.warps[i]
			if b.m.opt.Reverse {
				w = b.warps[len(b.warps)-1-i]
			}
			if w.state == ended {
				continue
			}
			left++
			if w.state == atBarrier {
				continue
			}
			was := w.state
			w.run()
			ran = ran || was != polling || w.state != polling
			if w.state == ended {
				b.events++
			}
		}
		if left == 0 {
			b.finish()
			return nil
		}
		if b.events != seen {
			idle, seen = 0, b.events
		} else if idle++; !ran || idle > 10000 {
			if idle > 2 {
				b.stuck()
			}
		}
	}
}

// stuck reports why no warp goes on.
func (b *block) stuck() {
	var waits, over int
	var poll, bar *warp
	for _, w := range b.warps {
		switch w.state {
		case polling:
			poll = w
		case atBarrier:
			waits++
			bar = w
		case ended:
			over++
		}
	}
	if poll != nil {
		what := "it polls"
		if m := poll.on; m != nil {
			what = fmt.Sprintf("the mbarrier at %d is in phase %d with %d of %d arrivals and %d bytes to come", m.off, m.phase, m.pending, m.count, m.tx)
		}
		poll.fault(Deadlock, bits.TrailingZeros32(poll.live), "waits for what never comes: %s (%d warps wait at barriers, %d have ended)", what, waits, over)
	}
	bar.fault(Barrier, bits.TrailingZeros32(bar.live), "%d warps wait at a barrier that others never reach (%d have ended)", waits, over)
}
