package ptx

func init() { opcode(Copying, (*decoder).mbarrier, "mbarrier") }

// mbarrier is a barrier in shared memory, of arrivals and of bytes that copies bring. Its
// phase ends when no arrival is pending and as many bytes came as were expected. The object's
// bytes are opaque: a kernel that looks at them, or writes over them, is at fault.
type mbarrier struct {
	off     int
	count   int // arrivals a phase
	pending int
	tx      int // bytes expected and not come; negative if they came first
	phase   uint64
	init    written  // who made it
	clock   []uint32 // what those know who arrived
	done    []uint32 // and what a phase that ended told
	flights []flight // copies that it tells of
	arrive  int      // arrivals that come with them
}

// mbar is the object at an address, or nil where there is none.
func (w *warp) mbar(s space, addr uint64, lane int) *mbarrier {
	sp, a := resolve(s, addr)
	if sp != sharedSpace {
		w.fault(Bounds, lane, "%#x is not of shared memory", addr)
	}
	off := w.place(a, 8, lane)
	m := w.b.mbars[uint32(off)]
	if m == nil {
		w.fault(Async, lane, "there is no mbarrier at %d of shared memory", off)
	}
	e := &w.b.shadow.writes[off>>w.b.shadow.shift]
	if *e != m.init {
		w.fault(Async, lane, "the mbarrier at %d was written over by %v", off, e)
	}
	if int(e.warp) == w.id {
		if e.clock == w.clock[w.id] && int(e.lane) != lane {
			w.fault(Race, lane, "the mbarrier at %d was made by another lane, with no barrier since", off)
		}
	} else if e.clock > w.clock[e.warp] {
		w.fault(Race, lane, "the mbarrier at %d was made by warp %d, with no barrier since", off, e.warp)
	}
	return m
}

func (d *decoder) mbarrier() {
	d.only("init", "inval", "arrive", "arrive_drop", "expect_tx", "complete_tx", "test_wait", "try_wait", "parity", "pending_count", "noComplete",
		"release", "acquire", "relaxed", "cta", "cluster", "shared", "shared::cta", "shared::cluster", "b64")
	s := d.spaceOf()
	d.k.granule = min(d.k.granule, 8)
	args := d.st.args
	switch d.parts[1] {
	case "init":
		at, n := d.address(0), d.read(1)
		d.in.run = each(func(w *warp, l int) { w.mbarInit(s, at.of(w, l), int(uint32(n.of(w)[l])), l) })
	case "inval":
		at := d.address(0)
		d.in.run = each(func(w *warp, l int) {
			m := w.mbar(s, at.of(w, l), l)
			if len(m.flights) > 0 || m.arrive > 0 {
				w.fault(Async, l, "the mbarrier at %d is ended with copies under way", m.off)
			}
			delete(w.b.mbars, uint32(m.off))
			w.writing(m.off, 8, l, false)
		})
	case "arrive", "arrive_drop":
		if d.has("shared::cluster") && len(args) > 0 && args[0] != "_" {
			d.fail("arrivals at another block's barrier have no state")
		}
		z, at := d.write(0), d.address(1)
		n := d.constant(1)
		tx := d.has("expect_tx")
		if len(args) > 2 {
			n = d.read(2)
		} else if tx {
			d.fail("how many bytes?")
		}
		drop := d.parts[1] == "arrive_drop"
		d.in.run = each(func(w *warp, l int) {
			m := w.mbar(s, at.of(w, l), l)
			w.reg[z][l] = m.phase
			k := int(uint32(n.of(w)[l]))
			if tx {
				w.b.expect(m, k)
				k = 1
			}
			if drop {
				m.count--
			}
			w.arrive(m, k, l)
		})
	case "expect_tx", "complete_tx":
		at, n := d.address(0), d.read(1)
		sign := 1
		if d.parts[1] == "complete_tx" {
			sign = -1
		}
		d.in.run = each(func(w *warp, l int) {
			m := w.mbar(s, at.of(w, l), l)
			w.b.expect(m, sign*int(uint32(n.of(w)[l])))
			w.b.turn(m)
		})
	case "test_wait", "try_wait":
		p, at, v := d.writeFlag(d.arg(0)), d.address(1), d.read(2)
		parity := d.has("parity")
		d.in.control = waits
		d.in.run = func(w *warp, mask uint32) { w.poll(s, at, v, parity, p, mask) }
	case "pending_count":
		d.fail("mbarrier.pending_count is not known")
	}
}

func (w *warp) mbarInit(s space, addr uint64, n, l int) {
	sp, a := resolve(s, addr)
	if sp != sharedSpace {
		w.fault(Bounds, l, "%#x is not of shared memory", addr)
	}
	if n < 1 || n >= 1<<20 {
		w.fault(Value, l, "an mbarrier of %d arrivals", n)
	}
	off := w.place(a, 8, l)
	b := w.b
	if b.mbars[uint32(off)] != nil {
		w.fault(Async, l, "there is an mbarrier at %d already", off)
	}
	w.writing(off, 8, l, false)
	if b.mbars == nil {
		b.mbars = map[uint32]*mbarrier{}
	}
	b.mbars[uint32(off)] = &mbarrier{off: off, count: n, pending: n, init: b.shadow.writes[off>>b.shadow.shift],
		clock: make([]uint32, len(w.clock)), done: make([]uint32, len(w.clock))}
	b.events++
}

func (b *block) expect(m *mbarrier, bytes int) {
	m.tx += bytes
	b.events++
}

// arrive counts n arrivals of the warp's lane, which tell of all it did.
func (w *warp) arrive(m *mbarrier, n, l int) {
	b := w.b
	if m.pending == 0 {
		b.landAll(m)
	}
	if n < 1 || n > m.pending {
		w.fault(Async, l, "%d arrivals at the mbarrier at %d, which expects %d more", n, m.off, m.pending)
	}
	join(m.clock, w.clock)
	w.tick()
	m.pending -= n
	b.events++
	b.turn(m)
}

// turn ends the phase if it is over.
func (b *block) turn(m *mbarrier) {
	if b.early {
		b.landAll(m)
	}
	if m.pending == 0 && m.tx == 0 && len(m.flights) == 0 && m.arrive == 0 {
		join(m.done, m.clock)
		m.phase++
		m.pending = m.count
		b.events++
	}
}

// landAll lets the copies arrive that the mbarrier tells of.
func (b *block) landAll(m *mbarrier) {
	if len(m.flights) == 0 && m.arrive == 0 {
		return
	}
	s := &b.shadow
	b.agent++
	for _, f := range m.flights {
		if f.data != nil {
			copy(b.shared[f.off:f.off+f.n], f.data)
		}
		for p := f.off >> s.shift; p < (f.off+f.n)>>s.shift; p++ {
			s.writes[p] = written{clock: b.agent, line: f.line, warp: uint8(s.warps), lane: several, async: !f.thread}
		}
		if !f.thread {
			m.tx -= f.n
		}
	}
	m.clock[s.warps] = b.agent
	m.flights = m.flights[:0]
	m.pending -= m.arrive
	m.arrive = 0
	b.events++
	if m.pending == 0 && m.tx == 0 {
		b.turn(m)
	}
}

// poll tests whether a phase has ended. Copies land when somebody waits for nothing but them.
func (w *warp) poll(s space, at addr, v src, parity bool, p int32, mask uint32) {
	ok := uint32(0)
	for l := range 32 {
		if mask>>l&1 == 0 {
			continue
		}
		m := w.mbar(s, at.of(w, l), l)
		want := v.of(w)[l]
		over := func() bool {
			if parity {
				return m.phase&1 != want&1
			}
			return m.phase > want
		}
		if parity && want > 1 {
			w.fault(Value, l, "parity %d", want)
		}
		if !over() && m.pending == m.arrive {
			w.b.landAll(m)
		}
		if over() {
			ok |= 1 << l
			join(w.clock, m.done)
		} else {
			w.on = m
		}
	}
	w.flag(p, ok, mask)
	if ok != mask {
		w.state = polling
	} else {
		w.on = nil
	}
}

// copiesArrive is cp.async.mbarrier.arrive: the lane's copies so far arrive at the mbarrier
// when they have landed. Without .noinc the phase expects one arrival more for it.
func (d *decoder) copiesArrive() {
	d.only("async", "mbarrier", "arrive", "noinc", "shared", "shared::cta", "b64")
	s, at, inc := d.spaceOf(), d.address(0), !d.has("noinc")
	d.in.run = each(func(w *warp, l int) {
		m := w.mbar(s, at.of(w, l), l)
		if inc {
			m.pending++
		}
		if m.arrive >= m.pending {
			w.fault(Async, l, "more arrivals at the mbarrier at %d than it expects", m.off)
		}
		c := &w.copies[l]
		for _, g := range append(c.groups, c.open) {
			for _, f := range g {
				f.thread = true
				m.flights = append(m.flights, f)
			}
		}
		c.reset()
		m.arrive++
		join(m.clock, w.clock)
		w.tick()
		w.b.events++
		w.b.turn(m)
	})
}

// finish looks at what a block leaves behind.
func (b *block) finish() {
	b.count.Blocks++
	for _, m := range b.mbars {
		if n := len(m.flights); n > 0 {
			w := b.warps[m.flights[0].warp]
			w.fault(Async, 0, "the block ends with %d copies under way that the mbarrier at %d tells of (line %d)", n, m.off, m.flights[0].line)
		}
	}
	for i := 0; i+3 < len(b.warps); i += 4 {
		for _, w := range b.warps[i : i+4] {
			if w.products != b.warps[i].products {
				w.fault(Convergence, 0, "a wgmma is of four warps: this one ran %d, its first neighbour %d", w.products, b.warps[i].products)
			}
		}
	}
}
