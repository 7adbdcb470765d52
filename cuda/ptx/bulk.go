package ptx

import "slices"

// bulkGroups are a thread's copies out of shared memory that it has not waited for.
type bulkGroups struct {
	open   []outFlight
	groups [][]outFlight
}

// outFlight is a copy from shared to global memory under way: its source must stay as it is.
type outFlight struct {
	pieces []piece
	clock  []uint32 // what the warp knew when it began
	line   int
	read   bool
}

// piece is n bytes at off of shared memory, and where they go.
type piece struct {
	off int
	to  []byte
}

func (b *bulkGroups) reading() bool {
	return len(b.open) > 0 || slices.ContainsFunc(b.groups, func(g []outFlight) bool {
		return slices.ContainsFunc(g, func(f outFlight) bool { return !f.read })
	})
}

// bulkCopy decodes cp.async.bulk and its tensor form.
func (d *decoder) bulkCopy() {
	switch {
	case d.has("commit_group"):
		d.only("async", "bulk", "commit_group")
		d.in.run = each(func(w *warp, l int) {
			b := &w.bulk[l]
			b.groups = append(b.groups, slices.Clone(b.open))
			b.open = b.open[:0]
		})
	case d.has("wait_group"):
		d.only("async", "bulk", "wait_group", "read")
		n := int(d.value(0))
		d.in.run = each(func(w *warp, l int) {
			b := &w.bulk[l]
			for i := 0; i < len(b.groups)-n; i++ {
				for j := range b.groups[i] {
					w.sent(&b.groups[i][j], l)
				}
			}
		})
	case d.has("prefetch"):
		d.in.run = func(*warp, uint32) {}
	case d.has("tensor"):
		d.tensorCopy()
	case d.has("bulk_group"):
		d.only("async", "bulk", "global", "shared::cta", "bulk_group", "L2::cache_hint")
		to, from, size := d.address(0), d.address(1), d.read(2)
		d.in.run = each(func(w *warp, l int) {
			n := w.bulkSize(size.of(w)[l], to.of(w, l), l)
			off := w.place(uint64(uint32(from.of(w, l))), 16, l)
			w.place(uint64(uint32(from.of(w, l)))+uint64(n)-16, 16, l)
			f := outFlight{}
			for i := range n / 16 {
				f.pieces = append(f.pieces, piece{off + 16*i, w.global(to.of(w, l)+uint64(16*i), 16, l, true, false)})
			}
			w.b.count.Stored += int64(n)
			w.b.count.StoredSectors += int64(sectorsOf(to.of(w, l), n))
			w.send(f, l)
		})
	default:
		d.only("async", "bulk", "shared::cluster", "shared::cta", "global", "mbarrier::complete_tx::bytes", "L2::cache_hint")
		to, from, size, at := d.address(0), d.address(1), d.read(2), d.address(3)
		d.in.run = each(func(w *warp, l int) {
			n := w.bulkSize(size.of(w)[l], from.of(w, l), l)
			m := w.mbar(sharedSpace, at.of(w, l), l)
			w.proxied(m.off, 8, l)
			a := uint64(uint32(to.of(w, l)))
			off := w.place(a, 16, l)
			w.place(a+uint64(n)-16, 16, l)
			for i := range n / 16 {
				w.receive(m, off+16*i, w.global(from.of(w, l)+uint64(16*i), 16, l, false, false), l)
			}
			w.b.count.Loaded += int64(n)
			w.b.count.LoadedSectors += int64(sectorsOf(from.of(w, l), n))
			w.b.turn(m)
		})
	}
}

func sectorsOf(a uint64, n int) uint64 { return (a+uint64(n)+31)/32 - a/32 }

// bulkSize holds a bulk copy to multiples of 16.
func (w *warp) bulkSize(n, global uint64, l int) int {
	if n = uint64(uint32(n)); n == 0 || n%16 != 0 {
		w.fault(Value, l, "a bulk copy of %d bytes: multiples of 16 alone are allowed", n)
	}
	if global%16 != 0 {
		w.fault(Misaligned, l, "a bulk copy at %#x", global)
	}
	return int(n)
}

// receive begins to copy 16 bytes or less to off of shared memory; m is told when they came.
func (w *warp) receive(m *mbarrier, off int, from []byte, l int) {
	w.proxiedWrite(off, len(from), l)
	w.writing(off, len(from), l, true)
	f := flight{off: off, n: len(from), data: from, line: int32(w.in.line), warp: uint8(w.id)}
	m.flights = append(m.flights, f)
	w.b.events++
}

// send begins a copy out of shared memory.
func (w *warp) send(f outFlight, l int) {
	f.clock, f.line = slices.Clone(w.clock), w.in.line
	w.tick()
	for _, p := range f.pieces {
		w.proxied(p.off, len(p.to), l)
		if w.b.early {
			copy(p.to, w.b.shared[p.off:])
		}
	}
	w.bulk[l].open = append(w.bulk[l].open, f)
}

// sent ends a copy out of shared memory: nobody may have written its source meanwhile.
func (w *warp) sent(f *outFlight, l int) {
	if f.read {
		return
	}
	f.read = true
	for _, p := range f.pieces {
		w.kept(p.off, len(p.to), f.clock, f.line, l)
		if !w.b.early {
			copy(p.to, w.b.shared[p.off:])
		}
	}
}

// proxied holds that n bytes at off, which an asynchronous operation of the warp is to read,
// are written, that the warp knows of it, and that a proxy fence came between a generic write
// and now.
func (w *warp) proxied(off, n, l int) {
	s := &w.b.shadow
	for p := off >> s.shift; p < (off+n)>>s.shift; p++ {
		e := &s.writes[p]
		switch {
		case e.clock < s.base:
			w.fault(Uninitialised, l, "shared memory at %d, which nobody wrote", p<<s.shift)
		case e.flying:
			w.fault(Race, l, "shared memory at %d is read before the wait for %v", p<<s.shift, e)
		case int(e.warp) != w.id && e.clock > w.clock[e.warp]:
			w.fault(Race, l, "shared memory at %d was written by %v, with no barrier since", p<<s.shift, e)
		}
		w.across(p, e, l)
	}
}

// proxiedWrite holds that what lies where an asynchronous copy is to write was fenced.
func (w *warp) proxiedWrite(off, n, l int) {
	s := &w.b.shadow
	for p := off >> s.shift; p < (off+n)>>s.shift; p++ {
		if e := &s.writes[p]; e.clock >= s.base && !e.flying {
			w.across(p, e, l)
		}
	}
}

// across holds that a generic write is followed by a proxy fence: of the writer, or of the
// warp that goes on, which knew of the write by then.
func (w *warp) across(p int, e *written, l int) {
	s := &w.b.shadow
	if e.async {
		return
	}
	if int(e.warp) < s.warps && w.b.warps[e.warp].proxy > e.clock || w.fenced[e.warp] >= e.clock {
		return
	}
	w.fault(Proxy, l, "shared memory at %d was written by %v and is asked for by the asynchronous proxy, with no fence.proxy.async between", p<<s.shift, e)
}

// kept ends an asynchronous read of n bytes at off that began when the warp knew clock: no
// write may have come since. From now on it is a read of the warp.
func (w *warp) kept(off, n int, clock []uint32, line, l int) {
	s := &w.b.shadow
	mark := w.clock[w.id]<<6 | several
	for p := off >> s.shift; p < (off+n)>>s.shift; p++ {
		if e := &s.writes[p]; e.flying || e.clock > clock[e.warp] {
			w.fault(Race, l, "shared memory at %d was written by %v while line %d still read it", p<<s.shift, e, line)
		}
		s.reads[p*s.warps+w.id] = mark
	}
}
