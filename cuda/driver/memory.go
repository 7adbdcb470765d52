package driver

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Memory is a device that keeps memory and runs nothing: a launch is accepted and has no
// effect. It finds accesses outside of what was allocated.
type Memory struct {
	info   Device
	next   uint64
	blocks map[uint64][]byte
	graphs Graph // made so far
}

// NewMemory makes a device that describes itself as d and has d.Free bytes.
func NewMemory(d Device) *Memory {
	return &Memory{info: d, next: 1 << 32, blocks: map[uint64][]byte{}}
}

func (m *Memory) Device() Device                            { return m.info }
func (m *Memory) Load([]byte) (Module, error)               { return 1, nil }
func (m *Memory) Unload(Module) error                       { return nil }
func (m *Memory) Function(Module, string) (Function, error) { return 1, nil }
func (m *Memory) Sync() error                               { return nil }
func (m *Memory) Close() error                              { return nil }

func (m *Memory) Launch(Function, [3]int, [3]int, []byte) error { return nil }

// Capture implements Grapher: a graph of launches, which do nothing.
func (m *Memory) Capture(f func() error) (Graph, error) {
	if err := f(); err != nil {
		return 0, err
	}
	m.graphs++
	return m.graphs, nil
}

func (m *Memory) Start(Graph) error { return nil }
func (m *Memory) Drop(Graph) error  { return nil }

func (m *Memory) Alloc(n uint64) (Ptr, error) {
	used := uint64(0)
	for _, b := range m.blocks {
		used += uint64(len(b))
	}
	if n == 0 || used+n > m.info.Free {
		return 0, &Error{"cuMemAlloc_v2", 2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}
	}
	p := m.next
	m.next += (n + 511) &^ 255 // a gap, so that an overrun is seen
	m.blocks[p] = make([]byte, n)
	return Ptr(p), nil
}

func (m *Memory) Free(p Ptr) error {
	if _, ok := m.blocks[uint64(p)]; !ok {
		return &Error{"cuMemFree_v2", 1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"}
	}
	delete(m.blocks, uint64(p))
	return nil
}

// at is the memory [p, p+n).
func (m *Memory) at(p Ptr, n uint64) ([]byte, error) {
	starts := make([]uint64, 0, len(m.blocks))
	for s := range m.blocks {
		starts = append(starts, s)
	}
	sort.Slice(starts, func(i, j int) bool { return starts[i] < starts[j] })
	i := sort.Search(len(starts), func(i int) bool { return starts[i] > uint64(p) }) - 1
	if i >= 0 {
		if b, off := m.blocks[starts[i]], uint64(p)-starts[i]; off+n <= uint64(len(b)) {
			return b[off : off+n], nil
		}
	}
	return nil, &Error{"memory", 700, "CUDA_ERROR_ILLEGAL_ADDRESS", fmt.Sprintf("%d bytes at %#x are not allocated", n, uint64(p))}
}

func (m *Memory) Write(to Ptr, b []byte) error {
	d, err := m.at(to, uint64(len(b)))
	copy(d, b)
	return err
}

func (m *Memory) Read(from Ptr, b []byte) error {
	s, err := m.at(from, uint64(len(b)))
	copy(b, s)
	return err
}

func (m *Memory) Copy(to, from Ptr, n uint64) error {
	s, err := m.at(from, n)
	if err != nil {
		return err
	}
	return m.Write(to, s)
}

func (m *Memory) Fill(to Ptr, v uint32, n uint64) error {
	d, err := m.at(to, 4*n)
	for i := 0; i < len(d); i += 4 {
		binary.LittleEndian.PutUint32(d[i:], v)
	}
	return err
}
