package ptx

import "sync/atomic"

// Who wrote global memory in the running launch: a stamp a word, in pages made on the first
// write. What one block wrote another may read or write only when two things hold: the writer
// has fenced since (membar.gl, fence.acq_rel.gpu or wider), and the other block was told, by
// an atomic (or a flag stored and loaded as one) that the writer's warp reached after the
// write, through a barrier if another warp did it, and that was followed by a fence of its own.
const (
	pageBytes = 16 << 10
	pageWords = pageBytes / 4
)

type page [pageWords]atomic.Uint64

// A stamp is the launch (16 bits), the block (24), the warp (5), its clock since the block
// began (18), and whether the write was an atomic.
func stamp(launch uint64, block, warp int, clock uint32, isAtomic bool) uint64 {
	s := launch<<48 | uint64(block&0xffffff)<<24 | uint64(warp&31)<<19 | uint64(min(clock, 0x3ffff))<<1
	if isAtomic {
		s |= 1
	}
	return s
}

// heard is what a block knows of others: by block, the clocks of its warps.
type heard map[int][]uint32

func (h heard) join(o heard) {
	for b, c := range o {
		if h[b] == nil {
			h[b] = make([]uint32, len(c))
		}
		join(h[b], c)
	}
}

// since is the warp's clock since its block began, from 1: 0 is what others know of it before
// they heard anything.
func (w *warp) since() uint32 { return w.clock[w.id] - w.b.shadow.base + 1 }

// global is n bytes of global memory at addr for one lane, checked.
func (w *warp) global(addr uint64, n int, lane int, write, isAtomic bool) []byte {
	if addr%uint64(n) != 0 {
		w.fault(Misaligned, lane, "%d bytes at %#x", n, addr)
	}
	a := w.arena
	if a == nil || addr < a.base || addr+uint64(n) > a.base+uint64(len(a.mem)) {
		if a = w.b.m.find(addr, uint64(n)); a == nil {
			w.fault(Bounds, lane, "%d bytes at %#x are not allocated", n, addr)
		}
		w.arena = a
	}
	off := addr - a.base
	if !write || isAtomic {
		if at := a.unwritten(off, uint64(n)); at >= 0 {
			w.fault(Uninitialised, lane, "global memory at %#x, %d bytes into an allocation of %d", a.base+uint64(at), at, len(a.mem))
		}
	}
	w.others(a, off, n, lane, write, isAtomic)
	if write {
		a.written(off, uint64(n))
	}
	return a.mem[off : off+uint64(n) : off+uint64(n)]
}

// others looks at what other blocks of the launch wrote there, and leaves this one's stamp.
func (w *warp) others(a *arena, off uint64, n, lane int, write, isAtomic bool) {
	ref := &a.writes[off/pageBytes]
	p := ref.Load()
	if p == nil {
		if !write {
			return
		}
		p = new(page)
		if !ref.CompareAndSwap(nil, p) {
			p = ref.Load()
		}
	}
	b := w.b
	mine := stamp(b.launch, b.index, w.id, w.since(), isAtomic)
	for i := off % pageBytes / 4; i <= (off%pageBytes+uint64(n)-1)/4; i++ {
		old := p[i].Load()
		if old>>48 == b.launch && old>>24 != mine>>24 && old&1 == 0 && !isAtomic {
			by, warp, clock := int(old>>24&0xffffff), int(old>>19&31), uint32(old>>1&0x3ffff)
			if b.run.fences[by*b.run.warps+warp].Load() <= clock {
				w.fault(Race, lane, "global memory at %#x was written by warp %d of block %d in this launch, with no fence since", a.base+off, warp, by)
			}
			if k := b.known[by]; k == nil || k[warp] < clock {
				w.fault(Race, lane, "global memory at %#x was written by warp %d of block %d in this launch, and nothing it did afterwards was heard of here", a.base+off, warp, by)
			}
		}
		if write {
			p[i].Store(mine)
		}
	}
}

// fence makes the warp's writes of before visible to other blocks, and lets the block see what
// it has been told of.
func (w *warp) fence() {
	w.tick()
	w.b.run.fences[w.b.index*w.b.run.warps+w.id].Store(w.since())
	if len(w.b.told) > 0 {
		w.b.known.join(w.b.told)
		clear(w.b.told)
	}
}

// tells is an access that other blocks may be waiting for: what is known at the address becomes
// known here once a fence follows, and with release what is known here becomes known there.
func (w *warp) tells(addr uint64, acquire, release bool) {
	b, r := w.b, w.b.run
	r.talk.Lock()
	defer r.talk.Unlock()
	if acquire {
		b.told.join(r.said[addr])
	}
	if release {
		at := r.said[addr]
		if at == nil {
			at = heard{}
			if r.said == nil {
				r.said = map[uint64]heard{}
			}
			r.said[addr] = at
		}
		mine := make([]uint32, r.warps)
		for v := range mine {
			if c := w.clock[v]; c >= b.shadow.base {
				mine[v] = c - b.shadow.base + 1
			}
		}
		at.join(heard{b.index: mine})
		at.join(b.known)
	}
}
