package ptx

import "math/bits"

// lanes is a register of a warp; 32-bit and narrower values have zeros above.
type lanes = [32]uint64

const full = ^uint32(0)

// What a warp waits for.
type waiting uint8

const (
	running waiting = iota
	atBarrier
	polling // a test failed: others first
	ended
)

// group is lanes that stand at the same instruction.
type group struct {
	pc   int
	mask uint32
}

type warp struct {
	b      *block
	id     int
	reg    []lanes
	pred   []uint32 // a bit a lane
	def    []uint32 // lanes that have written a register
	pdef   []uint32
	groups []group // by pc
	live   uint32
	state  waiting
	in     *inst
	arena  *arena // where it was last in global memory
	steps  int64
	looks  int // at flags

	clock  []uint32 // what it knows of each warp's clock; the last is of asynchronous copies
	fenced []uint32 // of each warp's clock, what its own proxy fences cover
	proxy  uint32   // its own clock at its last proxy fence

	copies [32]copyGroups
	bulk   [32]bulkGroups
	on     *mbarrier // that it polls

	wg         []product // wgmma that run
	commits    int       // groups of them so far
	products   int
	age        uint32 // wgmma.fence so far
	fencedOnce bool
	ages       []uint32 // when a register was last written
	busy, held []int    // wgmma that run and write a register, or read it
}

// start puts the warp at its first instruction.
func (w *warp) start(threads int) {
	k := w.b.k
	if n := threads - w.id*32; n < 32 {
		w.live = 1<<n - 1
	} else {
		w.live = full
	}
	clear(w.def)
	clear(w.pdef)
	w.groups = append(w.groups[:0], group{0, w.live})
	w.state, w.in, w.steps, w.looks = running, nil, 0, 0
	for i := range w.copies {
		w.copies[i].reset()
	}
	w.bulk = [32]bulkGroups{}
	w.on = nil
	w.wg, w.commits, w.products, w.age, w.fencedOnce = nil, 0, 0, 1, false
	clear(w.ages)
	clear(w.busy)
	clear(w.held)
	for _, g := range k.garbage {
		r := &w.reg[g]
		for l := range r {
			r[l] = 0x7fdeadbe // NaN in fp32
		}
	}
	for _, s := range k.specials {
		w.def[s.reg] = full
		r := &w.reg[s.reg]
		for l := range r {
			r[l] = s.value(w, l)
		}
	}
}

// run goes on until the warp ends, waits at a barrier, or a test failed.
func (w *warp) run() {
	w.state = running
	code := w.b.k.code
	c := &w.b.count
	for len(w.groups) > 0 {
		g := &w.groups[0]
		limit := len(code)
		if len(w.groups) > 1 {
			limit = w.groups[1].pc
		}
		if g.pc == limit && len(w.groups) > 1 {
			w.groups[1].mask |= g.mask
			w.groups = append(w.groups[:0], w.groups[1:]...)
			continue
		}
		for g.pc < limit {
			in := &code[g.pc]
			w.in = in
			c.Instructions[in.family]++
			mask := g.mask
			if in.pred >= 0 {
				if m := mask &^ w.pdef[in.pred]; m != 0 {
					w.undefined(m, in.pred, true)
				}
				p := w.pred[in.pred]
				if in.negate {
					p = ^p
				}
				mask &= p
			}
			if mask == 0 {
				g.pc++
				continue
			}
			for _, r := range in.reads {
				if m := mask &^ w.def[r]; m != 0 {
					w.undefined(m, r, false)
				}
			}
			for _, r := range in.preads {
				if m := mask &^ w.pdef[r]; m != 0 {
					w.undefined(m, r, true)
				}
			}
			if w.b.k.products {
				w.touches(in)
			}
			if in.control == plainly {
				in.run(w, mask)
				for _, r := range in.writes {
					w.def[r] |= mask
				}
				for _, r := range in.pwrites {
					w.pdef[r] |= mask
				}
				g.pc++
				continue
			}
			w.steps++
			if most := w.b.m.opt.Branches; w.steps > most {
				w.fault(Deadlock, bits.TrailingZeros32(mask), "more than %d branches: it does not end", most)
			}
			switch in.control {
			case branches:
				if mask == g.mask {
					g.pc = in.target
				} else {
					rest := group{g.pc + 1, g.mask &^ mask}
					w.groups = append(w.groups[:0], w.groups[1:]...)
					w.put(rest)
					w.put(group{in.target, mask})
				}
			case exits:
				w.live &^= mask
				if rest := g.mask &^ mask; rest != 0 {
					g.mask = rest
					g.pc++
				} else {
					w.groups = append(w.groups[:0], w.groups[1:]...)
				}
				if w.live == 0 {
					w.leave()
				}
			case waits: // run says whether to wait
				in.run(w, mask)
				for _, r := range in.pwrites {
					w.pdef[r] |= mask
				}
				g.pc++
				if w.state != running {
					return
				}
				continue
			}
			break
		}
		if len(w.groups) > 0 && len(w.groups) == 1 && w.groups[0].pc >= len(code) {
			w.fault(Convergence, bits.TrailingZeros32(w.live), "runs past the end of the kernel")
		}
		w.order()
	}
	w.state = ended
}

// put adds lanes, in order of pc.
func (w *warp) put(g group) {
	for i := range w.groups {
		if w.groups[i].pc == g.pc {
			w.groups[i].mask |= g.mask
			return
		}
		if w.groups[i].pc > g.pc {
			w.groups = append(w.groups, group{})
			copy(w.groups[i+1:], w.groups[i:])
			w.groups[i] = g
			return
		}
	}
	w.groups = append(w.groups, g)
}

// order brings the first group to its place after a jump.
func (w *warp) order() {
	if len(w.groups) > 1 && w.groups[0].pc >= w.groups[1].pc {
		g := w.groups[0]
		w.groups = append(w.groups[:0], w.groups[1:]...)
		w.put(g)
	}
}

func (w *warp) undefined(mask uint32, reg int32, pred bool) {
	name := w.b.k.regNames[reg]
	if pred {
		name = w.b.k.predNames[reg]
	}
	w.fault(Uninitialised, bits.TrailingZeros32(mask), "register %s", name)
}

// whole holds that an instruction of the whole warp is reached by all of it.
func (w *warp) whole(mask uint32) {
	if mask != full {
		w.fault(Convergence, bits.TrailingZeros32(^mask), "reached by lanes %#x only", mask)
	}
}

// leave is the end of a warp: nothing may be left under way.
func (w *warp) leave() {
	for l := range w.copies {
		if w.copies[l].under() > 0 {
			w.fault(Async, l, "ends with %d copies that nobody waited for", w.copies[l].under())
		}
	}
	if len(w.wg) > 0 {
		w.fault(Async, 0, "ends with %d wgmma that nobody waited for", len(w.wg))
	}
	for l := range w.bulk {
		if w.bulk[l].reading() {
			w.fault(Async, l, "ends with copies out of shared memory that nobody waited for")
		}
	}
}

// touches holds that registers of products that run are left alone, and remembers when others
// were written.
func (w *warp) touches(in *inst) {
	for _, r := range in.reads {
		if w.busy[r] > 0 {
			w.fault(Async, 0, "register %s is read before the wait for the wgmma that writes it", w.b.k.regNames[r])
		}
	}
	for _, r := range in.writes {
		if w.busy[r] > 0 || w.held[r] > 0 {
			w.fault(Async, 0, "register %s is written before the wait for the wgmma that needs it", w.b.k.regNames[r])
		}
		w.ages[r] = w.age
	}
}
