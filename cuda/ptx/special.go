package ptx

import "fmt"

// special is a register that the card fills: of the thread, the block and the grid.
type special struct {
	reg   int32
	value func(w *warp, l int) uint64
}

// thread is the number of a lane within its block.
func (w *warp) thread(l int) uint32 { return uint32(w.id*32 + l) }

var specialRegisters = map[string]func(w *warp, l int) uint64{
	"%tid.x":       func(w *warp, l int) uint64 { return uint64(w.thread(l) % w.b.ntid[0]) },
	"%tid.y":       func(w *warp, l int) uint64 { return uint64(w.thread(l) / w.b.ntid[0] % w.b.ntid[1]) },
	"%tid.z":       func(w *warp, l int) uint64 { return uint64(w.thread(l) / (w.b.ntid[0] * w.b.ntid[1])) },
	"%laneid":      func(w *warp, l int) uint64 { return uint64(l) },
	"%warpid":      func(w *warp, l int) uint64 { return uint64(w.id) },
	"%nwarpid":     func(w *warp, l int) uint64 { return uint64(len(w.b.warps)) },
	"%lanemask_eq": func(w *warp, l int) uint64 { return 1 << l },
	"%lanemask_lt": func(w *warp, l int) uint64 { return 1<<l - 1 },
	"%lanemask_le": func(w *warp, l int) uint64 { return 2<<l - 1 },
	"%lanemask_gt": func(w *warp, l int) uint64 { return uint64(full &^ uint32(2<<l-1)) },
	"%lanemask_ge": func(w *warp, l int) uint64 { return uint64(full &^ uint32(1<<l-1)) },
	// A block alone is a cluster of one.
	"%cluster_ctarank":   func(*warp, int) uint64 { return 0 },
	"%cluster_nctarank":  func(*warp, int) uint64 { return 1 },
	"%dynamic_smem_size": func(w *warp, l int) uint64 { return uint64(w.b.run.shared - w.b.k.Shared) },
	"%total_smem_size":   func(w *warp, l int) uint64 { return uint64(w.b.run.shared) },
}

func init() {
	for i, axis := range "xyz" {
		specialRegisters[fmt.Sprintf("%%ntid.%c", axis)] = func(w *warp, l int) uint64 { return uint64(w.b.ntid[i]) }
		specialRegisters[fmt.Sprintf("%%ctaid.%c", axis)] = func(w *warp, l int) uint64 { return uint64(w.b.ctaid[i]) }
		specialRegisters[fmt.Sprintf("%%nctaid.%c", axis)] = func(w *warp, l int) uint64 { return uint64(w.b.nctaid[i]) }
	}
}

func (d *decoder) specialRegister(name string) (int32, bool) {
	f, ok := specialRegisters[name]
	if !ok {
		return 0, false
	}
	r, ok := d.regs[name]
	if !ok {
		r = int32(len(d.k.regNames))
		d.regs[name] = r
		d.k.regNames = append(d.k.regNames, name)
		d.k.regBytes = append(d.k.regBytes, 4)
		d.k.specials = append(d.k.specials, special{r, f})
	}
	return r, true
}
