package ptx

import (
	"math/bits"
	"slices"
)

func init() {
	opcode(Control, (*decoder).bra, "bra")
	opcode(Control, func(d *decoder) { d.only(); d.in.control = exits }, "ret", "exit")
	opcode(Control, (*decoder).bar, "bar", "barrier")
	opcode(Control, (*decoder).memoryFence, "membar", "fence")
	opcode(Control, (*decoder).nothing, "griddepcontrol", "nanosleep", "setmaxnreg", "discard", "applypriority", "prefetch", "prefetchu")
	opcode(Control, (*decoder).trap, "trap", "brkpt")
}

func (d *decoder) bra() {
	d.only("uni")
	d.in.control = branches
	at, ok := d.st.scope.label(d.arg(0))
	if !ok {
		d.fail("no label %s", d.arg(0))
	}
	d.in.target = at
}

func (d *decoder) trap() {
	d.in.run = func(w *warp, mask uint32) { w.fault(Value, bits.TrailingZeros32(mask), "the kernel gives up") }
}

// nothing is what changes no value: hints, and waiting for launches before, which are over
// here.
func (d *decoder) nothing() {
	if d.parts[0] == "griddepcontrol" {
		d.only("wait", "launch_dependents")
	}
	d.in.run = func(*warp, uint32) {}
}

func (d *decoder) bar() {
	d.only("sync", "arrive", "red", "aligned", "warp", "cta", "cluster", "wait", "popc", "and", "or", "u32", "pred", "release", "acquire", "relaxed")
	if d.has("warp") {
		m := d.read(0)
		d.in.run = func(w *warp, mask uint32) {
			w.members(named(m, w, mask), mask)
			w.tick()
		}
		return
	}
	if d.has("cluster") {
		// The block alone is its cluster: arrive and wait are a barrier of the block.
		d.in.control = waits
		wait := d.has("wait")
		d.in.run = func(w *warp, mask uint32) {
			if wait && w.arriveAt(15, 0, mask, true) {
				w.state = atBarrier
			}
		}
		return
	}
	if d.has("red") {
		d.fail("bar.red is not known")
	}
	d.in.control = waits
	wait := !d.has("arrive")
	id, n := d.read(0), src{}
	given := len(d.st.args) > 1
	if given {
		n = d.read(1)
	}
	d.in.run = func(w *warp, mask uint32) {
		l := bits.TrailingZeros32(mask)
		threads := 0
		if given {
			threads = int(n.of(w)[l])
		}
		if w.arriveAt(int(id.of(w)[l]), threads, mask, wait) {
			w.state = atBarrier
		}
	}
}

// memoryFence is of the order of global memory between blocks, or between the generic and the
// asynchronous proxy.
func (d *decoder) memoryFence() {
	d.only("gl", "cta", "sys", "gpu", "cluster", "sc", "acq_rel", "acquire", "release", "proxy", "async", "async::generic", "async.global", "shared::cta", "shared::cluster",
		"global", "mbarrier_init", "alias", "tensormap::generic", "sync_restrict::shared::cta")
	if d.has("proxy") || d.has("mbarrier_init") {
		if slices.ContainsFunc(d.parts, func(p string) bool { return p == "async" || p == "mbarrier_init" }) {
			d.in.run = func(w *warp, mask uint32) { w.proxyFence() }
		} else {
			d.in.run = func(*warp, uint32) {}
		}
		return
	}
	wide := d.has("gl") || d.has("sys") || d.has("gpu")
	d.in.run = func(w *warp, mask uint32) {
		if wide {
			w.fence()
		} else {
			w.tick()
		}
	}
}

// proxyFence makes what the warp knows of written shared memory known to asynchronous copies
// and products.
func (w *warp) proxyFence() {
	copy(w.fenced, w.clock)
	w.tick()
	w.proxy = w.clock[w.id]
}
