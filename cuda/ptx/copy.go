package ptx

func init() { opcode(Copying, (*decoder).copying, "cp") }

// copyGroups are a thread's copies into shared memory that it has not waited for: those not
// committed yet, and the groups that are, oldest first.
type copyGroups struct {
	open   []flight
	groups [][]flight
}

// flight is a copy under way.
type flight struct {
	off, n int    // where to in shared memory
	data   []byte // the source, read when the copy lands
	line   int32
	warp   uint8
	thread bool // of a thread's own, not of the asynchronous proxy
}

func (c *copyGroups) reset() { c.open, c.groups = c.open[:0], c.groups[:0] }

func (c *copyGroups) under() int {
	n := len(c.open)
	for _, g := range c.groups {
		n += len(g)
	}
	return n
}

// copying decodes cp.async and cp.async.bulk.
func (d *decoder) copying() {
	switch {
	case d.has("bulk"):
		d.bulkCopy()
	case d.has("commit_group"):
		d.only("async", "commit_group")
		d.in.run = each(func(w *warp, l int) {
			c := &w.copies[l]
			c.groups = append(c.groups, append([]flight(nil), c.open...))
			c.open = c.open[:0]
		})
	case d.has("wait_group"), d.has("wait_all"):
		d.only("async", "wait_group", "wait_all")
		n := 0
		all := d.has("wait_all")
		if !all {
			n = int(d.value(0))
		}
		d.in.run = func(w *warp, mask uint32) {
			for l := range 32 {
				if mask>>l&1 == 0 {
					continue
				}
				c := &w.copies[l]
				for len(c.groups) > n {
					w.land(c.groups[0], l)
					c.groups = c.groups[1:]
				}
				if all {
					w.land(c.open, l)
					c.open = c.open[:0]
				}
			}
		}
	case d.has("mbarrier"):
		d.copiesArrive()
	default:
		d.asyncCopy()
	}
}

// land ends copies: they are writes of the lane that waited for them.
func (w *warp) land(fs []flight, l int) {
	s := &w.b.shadow
	for _, f := range fs {
		if !w.b.early {
			copy(w.b.shared[f.off:f.off+f.n], f.data)
		}
		entry := written{clock: w.clock[w.id], line: f.line, warp: uint8(w.id), lane: uint8(l)}
		for p := f.off >> s.shift; p < (f.off+f.n)>>s.shift; p++ {
			s.writes[p] = entry
		}
	}
}

// asyncCopy is cp.async: 4, 8 or 16 bytes a lane, the last of them zeros where the source
// gives fewer.
func (d *decoder) asyncCopy() {
	d.only("async", "ca", "cg", "shared", "shared::cta", "global", "L2::cache_hint", "L2::64B", "L2::128B", "L2::256B")
	dst, from := d.address(0), d.address(1)
	n := int(d.value(2))
	if n != 16 && (n != 4 && n != 8 || d.has("cg")) {
		d.fail("copies of %d bytes", n)
		n = 16
	}
	d.k.granule = min(d.k.granule, n)
	var size src
	given := len(d.st.args) > 3 && !d.has("L2::cache_hint")
	if given {
		size = d.read(3)
	}
	d.in.run = func(w *warp, mask uint32) {
		to := dst.base.of(w)
		w.banks(to, dst.off, n, mask)
		if !given {
			w.sectors(from.base.of(w), from.off, n, mask, false)
		}
		for l := range 32 {
			if mask>>l&1 == 0 {
				continue
			}
			_, a := resolve(sharedSpace, to[l]+uint64(dst.off))
			off := w.place(a, n, l)
			w.writing(off, n, l, true)
			got := n
			if given {
				if got = int(uint32(size.of(w)[l])); got > n {
					w.fault(Value, l, "a copy of %d of %d bytes", got, n)
				}
			}
			f := flight{off: off, n: n, line: int32(w.in.line), warp: uint8(w.id)}
			if got == n {
				f.data = w.global(from.of(w, l), n, l, false, false)
			} else {
				f.data = make([]byte, n)
				if g := from.of(w, l); g%uint64(n) != 0 {
					w.fault(Misaligned, l, "%d bytes at %#x", n, g)
				}
				for i := range got {
					f.data[i] = w.global(from.of(w, l)+uint64(i), 1, l, false, false)[0]
				}
				w.b.count.Loaded += int64(got)
				w.b.count.LoadedSectors += int64(min(got, 1))
			}
			if w.b.early {
				copy(w.b.shared[off:off+n], f.data)
			}
			w.copies[l].open = append(w.copies[l].open, f)
		}
	}
}
