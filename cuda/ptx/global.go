package ptx

import "sync/atomic"

// Who wrote global memory in the running launch: a stamp a word, in pages made on the first
// write. A word that one block wrote may be read or written by another only after the writer
// has fenced (membar.gl or wider); the fence must come between the write and whatever told
// the other block of it.
const (
	pageBytes = 16 << 10
	pageWords = pageBytes / 4
)

type page [pageWords]atomic.Uint64

// A stamp is the launch (16 bits), the block (24), the warp (5) and the warp's fences (18),
// and whether the write was an atomic.
func stamp(launch uint64, block, warp int, fences uint32, isAtomic bool) uint64 {
	s := launch<<48 | uint64(block&0xffffff)<<24 | uint64(warp&31)<<19 | uint64(fences&0x3ffff)<<1
	if isAtomic {
		s |= 1
	}
	return s
}

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
	mine := stamp(b.launch, b.index, w.id, w.fences, isAtomic)
	for i := off % pageBytes / 4; i <= (off%pageBytes+uint64(n)-1)/4; i++ {
		old := p[i].Load()
		if old>>48 == b.launch&0xffff && old>>24 != mine>>24 && old&1 == 0 && !isAtomic {
			if by := int(old >> 24 & 0xffffff); !b.run.fenced(by, int(old>>19&31), uint32(old>>1&0x3ffff)) {
				w.fault(Race, lane, "global memory at %#x was written by warp %d of block %d in this launch, with no fence since", a.base+off, old>>19&31, by)
			}
		}
		if write {
			p[i].Store(mine)
		}
	}
}

// fenced says whether a warp of a block has fenced since it had done so often.
func (r *run) fenced(block, warp int, fences uint32) bool {
	return r.fences[block*r.warps+warp].Load()&0x3ffff != fences
}

// fence makes the warp's writes of before visible to other blocks.
func (w *warp) fence() {
	w.fences++
	w.b.run.fences[w.b.index*w.b.run.warps+w.id].Store(w.fences)
}
