package ptx

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"
	"sync"
	"sync/atomic"
)

// Where the address spaces lie within generic addresses. Shared memory begins at 1,024, as on
// a card of compute capability 9.0: 0 is no address of it.
const (
	globalBase  = 1 << 32
	sharedBase  = 1 << 40
	paramBase   = 1 << 41
	sharedStart = 1024
	align       = 256 // of an allocation
)

// arena is one allocation. init holds a bit a byte: whether somebody wrote it.
type arena struct {
	base   uint64
	mem    []byte
	init   []uint32
	writes []atomic.Pointer[page] // who wrote a word in the running launch
}

// Memory is the device's global memory. It is safe for the blocks of one launch; calls of its
// methods come between launches.
type Memory struct {
	arenas []*arena // by base
	next   uint64
	lock   sync.Mutex // of atomics
}

// Alloc returns the address of n bytes that nobody has written yet.
func (m *Memory) Alloc(n uint64) uint64 {
	m.next = max(m.next, globalBase)
	a := &arena{base: m.next, mem: make([]byte, n), init: make([]uint32, (n+31)/32), writes: make([]atomic.Pointer[page], (n+pageBytes-1)/pageBytes)}
	m.next = (m.next+n+align-1)&^(align-1) + align // a gap, so that an overrun is seen
	m.arenas = append(m.arenas, a)
	return a.base
}

// Free ends an allocation; its addresses are not used again.
func (m *Memory) Free(at uint64) error {
	for i, a := range m.arenas {
		if a.base == at {
			m.arenas = append(m.arenas[:i:i], m.arenas[i+1:]...)
			return nil
		}
	}
	return fmt.Errorf("ptx: %#x is not allocated", at)
}

// find is the allocation that holds n bytes at addr, or nil.
func (m *Memory) find(addr, n uint64) *arena {
	i := sort.Search(len(m.arenas), func(i int) bool { return m.arenas[i].base > addr }) - 1
	if i < 0 {
		return nil
	}
	a := m.arenas[i]
	if off := addr - a.base; off > uint64(len(a.mem)) || n > uint64(len(a.mem))-off {
		return nil
	}
	return a
}

func (m *Memory) span(addr, n uint64) (*arena, uint64, error) {
	a := m.find(addr, n)
	if a == nil {
		return nil, 0, fmt.Errorf("ptx: %d bytes at %#x are not allocated", n, addr)
	}
	return a, addr - a.base, nil
}

// Write copies b to device memory.
func (m *Memory) Write(to uint64, b []byte) error {
	a, off, err := m.span(to, uint64(len(b)))
	if err != nil {
		return err
	}
	copy(a.mem[off:], b)
	a.written(off, uint64(len(b)))
	return nil
}

// Read copies from device memory; bytes that nobody wrote are as they are.
func (m *Memory) Read(from uint64, b []byte) error {
	a, off, err := m.span(from, uint64(len(b)))
	if err == nil {
		copy(b, a.mem[off:])
	}
	return err
}

// Copy copies n bytes within device memory; what was unwritten stays so.
func (m *Memory) Copy(to, from, n uint64) error {
	d, at, err := m.span(to, n)
	if err != nil {
		return err
	}
	s, off, err := m.span(from, n)
	if err != nil {
		return err
	}
	copy(d.mem[at:at+n], s.mem[off:off+n])
	for i := range n {
		bit := s.init[(off+i)/32] >> ((off + i) % 32) & 1
		d.init[(at+i)/32] = d.init[(at+i)/32]&^(1<<((at+i)%32)) | bit<<((at+i)%32)
	}
	return nil
}

// Fill sets n words.
func (m *Memory) Fill(to uint64, v uint32, n uint64) error {
	a, off, err := m.span(to, 4*n)
	if err != nil {
		return err
	}
	for i := range n {
		binary.LittleEndian.PutUint32(a.mem[off+4*i:], v)
	}
	a.written(off, 4*n)
	return nil
}

// written marks n bytes at off as written. Blocks do it at the same time.
func (a *arena) written(off, n uint64) {
	for n > 0 {
		k := min(n, 32-off%32)
		m := uint32(1<<k-1) << (off % 32)
		if p := &a.init[off/32]; atomic.LoadUint32(p)&m != m {
			atomic.OrUint32(p, m)
		}
		off, n = off+k, n-k
	}
}

// unwritten is the offset of the first of n bytes at off that nobody wrote, or -1.
func (a *arena) unwritten(off, n uint64) int64 {
	for n > 0 {
		k := min(n, 32-off%32)
		m := uint32(1<<k-1) << (off % 32)
		if v := atomic.LoadUint32(&a.init[off/32]); v&m != m {
			return int64(off&^31) + int64(bits.TrailingZeros32(m&^v))
		}
		off, n = off+k, n-k
	}
	return -1
}
