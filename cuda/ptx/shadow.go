package ptx

import "fmt"

// shadow knows of every piece of shared memory who wrote and who read it last, in vector
// clocks: a warp's clock counts what orders its accesses for others (barriers, arrivals,
// fences), and each warp knows how far it has been told of the others' clocks. An access is a
// race if the one before it, of another thread, is not among what its warp was told. A piece
// is as small as the kernel's smallest access, so no byte is mistaken for its neighbour.
type shadow struct {
	shift  int
	warps  int
	base   uint32 // clocks below are of blocks before
	top    uint32 // the highest clock of this block
	writes []written
	reads  []uint32 // [piece][warp]: clock<<6 | lane, or 32 for several
}

// written is the last write of a piece. A copy that is under way has written nothing yet, but
// nobody may look.
type written struct {
	clock  uint32
	line   int32
	warp   uint8 // len(warps) for copies that an mbarrier tells of
	lane   uint8
	flying bool
	atomic bool // the fields below are those of the last write that was none
	async  bool // by the asynchronous proxy

	plainClock           uint32
	plainWarp, plainLane uint8
}

const several = 32

func (s *shadow) init(bytes, granule, warps int) {
	for 1<<s.shift < granule {
		s.shift++
	}
	n := (bytes + granule - 1) >> s.shift
	s.warps = warps
	s.writes = make([]written, n)
	s.reads = make([]uint32, n*warps)
	s.base, s.top = 1, 1
}

// begin makes all of the shared memory unwritten: the clocks go on.
func (b *block) begin() {
	s := &b.shadow
	for _, w := range b.warps {
		for _, c := range w.clock {
			s.top = max(s.top, c)
		}
	}
	s.top = max(s.top, b.agent)
	s.base = s.top + 1
	if s.base > 1<<25 {
		clear(s.writes)
		clear(s.reads)
		s.base = 1
	}
	s.top, b.agent = s.base, s.base
	for _, w := range b.warps {
		for i := range w.clock {
			w.clock[i], w.fenced[i] = s.base-1, s.base-1
		}
		w.clock[w.id] = s.base
		w.proxy = s.base
	}
	for i := range b.shared {
		b.shared[i] = 0xff // NaN in every format
	}
}

// place is the offset of n bytes at an address of shared memory.
func (w *warp) place(addr uint64, n, lane int) int {
	if n&(n-1) == 0 && addr%uint64(n) != 0 {
		w.fault(Misaligned, lane, "%d bytes at %#x of shared memory", n, addr)
	}
	off := addr - sharedStart
	if off > uint64(len(w.b.shared)) || off+uint64(n) > uint64(len(w.b.shared)) {
		w.fault(Bounds, lane, "%d bytes at %d of shared memory, which is %d", n, int64(off), len(w.b.shared))
	}
	return int(off)
}

func (e *written) String() string {
	if e.flying {
		return fmt.Sprintf("a copy that line %d began", e.line)
	}
	if e.async {
		return fmt.Sprintf("a copy of line %d", e.line)
	}
	return fmt.Sprintf("line %d, warp %d", e.line, e.warp)
}

// reading checks a read of n bytes at off by a lane, or by several.
func (w *warp) reading(off, n, lane int) {
	s := &w.b.shadow
	own := w.clock[w.id]
	mark := own<<6 | uint32(lane)
	for p := off >> s.shift; p < (off+n+1<<s.shift-1)>>s.shift; p++ {
		e := &s.writes[p]
		switch {
		case e.clock < s.base:
			w.fault(Uninitialised, lane%32, "shared memory at %d, which nobody wrote", p<<s.shift)
		case e.flying:
			w.fault(Race, lane%32, "shared memory at %d is read before the wait for %v", p<<s.shift, e)
		case int(e.warp) == w.id:
			if e.clock == own && (int(e.lane) != lane) {
				w.fault(Race, lane%32, "shared memory at %d was written by another lane (%v), with no barrier since", p<<s.shift, e)
			}
		case e.clock > w.clock[e.warp]:
			w.fault(Race, lane%32, "shared memory at %d was written by %v, with no barrier since", p<<s.shift, e)
		}
		r := &s.reads[p*s.warps+w.id]
		if *r != mark {
			if *r>>6 == own {
				*r = own<<6 | several
			} else {
				*r = mark
			}
		}
	}
}

// writing checks a write of n bytes at off by a lane and remembers it.
func (w *warp) writing(off, n, lane int, flying bool) {
	s := &w.b.shadow
	own := w.clock[w.id]
	entry := written{clock: own, line: int32(w.in.line), warp: uint8(w.id), lane: uint8(lane), flying: flying}
	for p := off >> s.shift; p < (off+n+1<<s.shift-1)>>s.shift; p++ {
		w.unread(p, lane)
		w.unwritten(p, lane)
		s.writes[p] = entry
	}
}

// unwritten holds that a piece's last write is known to the warp.
func (w *warp) unwritten(p, lane int) {
	s := &w.b.shadow
	e := &s.writes[p]
	switch {
	case e.clock < s.base:
	case e.flying:
		w.fault(Race, lane%32, "shared memory at %d is written before the wait for %v", p<<s.shift, e)
	case int(e.warp) == w.id:
		if e.clock == w.clock[w.id] && int(e.lane) != lane {
			w.fault(Race, lane%32, "shared memory at %d was written by another lane (%v), with no barrier since", p<<s.shift, e)
		}
	case e.clock > w.clock[e.warp]:
		w.fault(Race, lane%32, "shared memory at %d was written by %v, with no barrier since", p<<s.shift, e)
	}
}

// unread holds that all who read a piece are known to be done with it.
func (w *warp) unread(p, lane int) {
	s := &w.b.shadow
	for v, r := range s.reads[p*s.warps : (p+1)*s.warps] {
		if r>>6 < s.base {
			continue
		}
		if v == w.id {
			if l := int(r & 63); r>>6 == w.clock[w.id] && l != lane {
				w.fault(Race, lane%32, "shared memory at %d was read by another lane, with no barrier since", p<<s.shift)
			}
		} else if r>>6 > w.clock[v] {
			w.fault(Race, lane%32, "shared memory at %d was read by warp %d, with no barrier since", p<<s.shift, v)
		}
	}
}

// changing is an atomic's access: atomics do not race with each other.
func (w *warp) changing(off, n, lane int) {
	s := &w.b.shadow
	for p := off >> s.shift; p < (off+n+1<<s.shift-1)>>s.shift; p++ {
		e := &s.writes[p]
		if e.clock < s.base {
			w.fault(Uninitialised, lane, "shared memory at %d, which nobody wrote", p<<s.shift)
		}
		w.unread(p, lane)
		before := *e
		if e.atomic { // look through the atomics at what they changed
			before = written{clock: e.plainClock, warp: e.plainWarp, lane: e.plainLane, line: e.line}
		}
		own := written{clock: w.clock[w.id], line: int32(w.in.line), warp: uint8(w.id), lane: uint8(lane), atomic: true,
			plainClock: before.clock, plainWarp: before.warp, plainLane: before.lane}
		*e = before
		w.unwritten(p, lane)
		*e = own
	}
}
