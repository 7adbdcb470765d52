package ptx

import "math/bits"

// barrier is one of a block's 16.
type barrier struct {
	expect, arrived int // threads
	waiting         []*warp
	clock           []uint32
}

// arriveAt brings the warp to barrier id, which takes n threads (0: the block's), and lets all
// go on that wait there if it was the last. It says whether the warp must wait.
func (w *warp) arriveAt(id, n int, mask uint32, wait bool) bool {
	b := w.b
	lane := bits.TrailingZeros32(mask)
	if id < 0 || id > 15 {
		w.fault(Value, lane, "barrier %d of 16", id)
	}
	if mask != w.live {
		w.fault(Barrier, bits.TrailingZeros32(w.live&^mask), "reached by lanes %#x of %#x", mask, w.live)
	}
	all := 0
	for _, v := range b.warps {
		all += bits.OnesCount32(v.live)
		if n == 0 && v.state == ended {
			w.fault(Barrier, lane, "warp %d has ended and never reaches it", v.id)
		}
	}
	if n == 0 {
		n = int(b.ntid[0] * b.ntid[1] * b.ntid[2])
	}
	if n%32 != 0 && n != int(b.ntid[0]*b.ntid[1]*b.ntid[2]) {
		w.fault(Value, lane, "a barrier of %d threads", n)
	}
	bar := &b.bars[id]
	if bar.expect != 0 && bar.expect != n {
		w.fault(Barrier, lane, "barrier %d takes %d threads here and %d elsewhere", id, n, bar.expect)
	}
	for _, v := range bar.waiting {
		if v == w {
			w.fault(Barrier, lane, "the warp waits at barrier %d already", id)
		}
	}
	bar.expect = n
	bar.arrived += bits.OnesCount32(mask)
	if bar.clock == nil {
		bar.clock = make([]uint32, len(w.clock))
	}
	join(bar.clock, w.clock)
	w.tick()
	if wait {
		bar.waiting = append(bar.waiting, w)
	}
	if bar.arrived > n {
		w.fault(Barrier, lane, "barrier %d takes %d threads, %d came", id, n, bar.arrived)
	}
	if bar.arrived < n {
		return wait
	}
	for _, v := range bar.waiting {
		join(v.clock, bar.clock)
		if v.state == atBarrier {
			v.state = running
		}
	}
	*bar = barrier{}
	b.events++
	return false
}

// join makes a know what b knows.
func join(a, b []uint32) {
	for i, v := range b {
		a[i] = max(a[i], v)
	}
}

// tick ends the time in which the warp's accesses are of one age.
func (w *warp) tick() { w.clock[w.id]++ }
