package driver

import "fmt"

// Recorder wraps a driver: it checks arguments that a card would punish with a crash,
// counts calls by name, fails the call numbered FailAt (from 1; 0: none) with FailWith,
// and knows what is still held.
type Recorder struct {
	Driver
	FailAt   int
	FailWith error
	Calls    int
	Count    map[string]int
	Closed   bool

	allocs  map[Ptr]uint64
	modules map[Module]bool
	names   map[Function]string
	graphs  map[Graph]bool
}

// Record wraps d.
func Record(d Driver) *Recorder {
	return &Recorder{Driver: d, Count: map[string]int{}, allocs: map[Ptr]uint64{}, modules: map[Module]bool{}, names: map[Function]string{}, graphs: map[Graph]bool{},
		FailWith: &Error{"injected", 719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}}
}

// Held lists what was not freed: allocations, modules, the device.
func (r *Recorder) Held() []string {
	var out []string
	for p, n := range r.allocs {
		out = append(out, fmt.Sprintf("%d bytes at %#x", n, uint64(p)))
	}
	for m := range r.modules {
		out = append(out, fmt.Sprintf("module %d", m))
	}
	for g := range r.graphs {
		out = append(out, fmt.Sprintf("graph %d", g))
	}
	if !r.Closed {
		out = append(out, "the device")
	}
	return out
}

// enter counts a call, and fails it if it is its turn.
func (r *Recorder) enter(name string) error {
	if r.Closed {
		return fmt.Errorf("%s after Close", name)
	}
	r.Calls++
	r.Count[name]++
	if r.Calls == r.FailAt {
		return r.FailWith
	}
	return nil
}

func (r *Recorder) Load(image []byte) (Module, error) {
	if err := r.enter("Load"); err != nil {
		return 0, err
	}
	m, err := r.Driver.Load(image)
	if err == nil {
		r.modules[m] = true
	}
	return m, err
}

// Unload forgets the module even when it fails: a card that is lost has lost it, too.
func (r *Recorder) Unload(m Module) error {
	if !r.modules[m] {
		return fmt.Errorf("Unload of module %d, which is not loaded", m)
	}
	delete(r.modules, m)
	if err := r.enter("Unload"); err != nil {
		return err
	}
	return r.Driver.Unload(m)
}

func (r *Recorder) Function(m Module, name string) (Function, error) {
	if err := r.enter("Function"); err != nil {
		return 0, err
	}
	f, err := r.Driver.Function(m, name)
	r.names[f] = name
	return f, err
}

func (r *Recorder) Alloc(n uint64) (Ptr, error) {
	if err := r.enter("Alloc"); err != nil {
		return 0, err
	}
	p, err := r.Driver.Alloc(n)
	if err == nil {
		r.allocs[p] = n
	}
	return p, err
}

// Free forgets the memory even when it fails, as Unload does.
func (r *Recorder) Free(p Ptr) error {
	if _, ok := r.allocs[p]; !ok {
		return fmt.Errorf("Free of %#x, which is not allocated", uint64(p))
	}
	delete(r.allocs, p)
	if err := r.enter("Free"); err != nil {
		return err
	}
	return r.Driver.Free(p)
}

func (r *Recorder) Write(to Ptr, b []byte) error {
	if err := r.enter("Write"); err != nil {
		return err
	}
	return r.Driver.Write(to, b)
}

func (r *Recorder) Read(from Ptr, b []byte) error {
	if err := r.enter("Read"); err != nil {
		return err
	}
	return r.Driver.Read(from, b)
}

func (r *Recorder) Copy(to, from Ptr, n uint64) error {
	if err := r.enter("Copy"); err != nil {
		return err
	}
	return r.Driver.Copy(to, from, n)
}

func (r *Recorder) Fill(to Ptr, v uint32, n uint64) error {
	if err := r.enter("Fill"); err != nil {
		return err
	}
	return r.Driver.Fill(to, v, n)
}

func (r *Recorder) Launch(f Function, grid, block [3]int, params []byte) error {
	name, ok := r.names[f]
	if !ok || len(params) == 0 || len(params) > 4096 {
		return fmt.Errorf("launch of %q with %d bytes of parameters", name, len(params))
	}
	for i, most := range [3]int{1<<31 - 1, 65535, 65535} {
		if grid[i] < 1 || grid[i] > most || block[i] < 1 {
			return fmt.Errorf("launch of %s with grid %v, block %v", name, grid, block)
		}
	}
	if n := block[0] * block[1] * block[2]; n > 1024 {
		return fmt.Errorf("launch of %s with %d threads a block", name, n)
	}
	if err := r.enter("Launch"); err != nil {
		return err
	}
	return r.Driver.Launch(f, grid, block, params)
}

// Do implements Batcher if the driver does.
func (r *Recorder) Do(f func() error) error { return Do(r.Driver, f) }

// grapher is the driver's own, if it has it.
func (r *Recorder) grapher() (Grapher, error) {
	g, ok := r.Driver.(Grapher)
	if !ok {
		return nil, fmt.Errorf("%T takes no graphs", r.Driver)
	}
	return g, nil
}

// Capture implements Grapher. The launches in it are checked and counted, and can fail, as
// any.
func (r *Recorder) Capture(f func() error) (Graph, error) {
	d, err := r.grapher()
	if err != nil {
		return 0, err
	}
	if err := r.enter("Capture"); err != nil {
		return 0, err
	}
	g, err := d.Capture(f)
	if err == nil {
		r.graphs[g] = true
	}
	return g, err
}

// Start implements Grapher.
func (r *Recorder) Start(g Graph) error {
	d, err := r.grapher()
	if err != nil {
		return err
	}
	if !r.graphs[g] {
		return fmt.Errorf("start of graph %d, which is none", g)
	}
	if err := r.enter("Start"); err != nil {
		return err
	}
	return d.Start(g)
}

// Drop implements Grapher. It forgets the graph even when it fails, as Unload does.
func (r *Recorder) Drop(g Graph) error {
	d, err := r.grapher()
	if err != nil {
		return err
	}
	if !r.graphs[g] {
		return fmt.Errorf("drop of graph %d, which is none", g)
	}
	delete(r.graphs, g)
	if err := r.enter("Drop"); err != nil {
		return err
	}
	return d.Drop(g)
}

func (r *Recorder) Sync() error {
	if err := r.enter("Sync"); err != nil {
		return err
	}
	return r.Driver.Sync()
}

// Close closes the device even when it is told to fail.
func (r *Recorder) Close() error {
	err := r.enter("Close")
	if r.Closed {
		return err
	}
	r.Closed = true
	if e := r.Driver.Close(); err == nil {
		err = e
	}
	return err
}
