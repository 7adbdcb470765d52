package ptx

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
)

func init() {
	opcode(Load, (*decoder).access, "ld", "ldu")
	opcode(Store, (*decoder).access, "st")
	opcode(Atomic, (*decoder).atomic, "atom", "red")
}

// A space is where an address points.
type space uint8

const (
	generic space = iota
	globalSpace
	sharedSpace
	paramSpace
)

// spaceOf reads the space from the opcode.
func (d *decoder) spaceOf() space {
	switch {
	case d.has("global"), d.has("const"):
		return globalSpace
	case d.has("shared"), d.has("shared::cta"):
		return sharedSpace
	case d.has("param"), d.has("param::entry"):
		return paramSpace
	case d.has("local"):
		d.fail("local memory is not known (a kernel that spills)")
	case d.has("shared::cluster"):
		return sharedSpace // the block alone is its cluster
	}
	return generic
}

// resolve turns a generic address into one of its space.
func resolve(s space, a uint64) (space, uint64) {
	switch {
	case s == sharedSpace:
		return s, uint64(uint32(a))
	case s != generic:
		return s, a
	case a >= paramBase:
		return paramSpace, a - paramBase
	case a >= sharedBase:
		return sharedSpace, a - sharedBase
	}
	return globalSpace, a
}

// words of loads and stores that say how, not what.
var accessWords = []string{"volatile", "relaxed", "acquire", "release", "weak", "cta", "cluster", "gpu", "sys", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc",
	"L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate", "L2::cache_hint", "L2::64B", "L2::128B", "L2::256B",
	"L2::evict_last", "L2::evict_normal", "L2::evict_first", "v2", "v4",
	"global", "shared", "shared::cta", "param", "param::entry", "const", "generic"}

// access is ld and st, of one to four registers a lane.
func (d *decoder) access() {
	store := d.parts[0] == "st"
	d.only(append(slices.Clone(accessWords), d.typ())...)
	size, signed := d.scalar()
	s := d.spaceOf()
	var at addr
	var vals []src
	var regs []int32
	if store {
		at, vals = d.address(0), d.readList(1)
	} else {
		regs, at = d.writeList(0), d.address(1)
	}
	count := max(len(vals), len(regs))
	n := size * count
	if v := map[int]string{2: "v2", 4: "v4"}[count]; count > 1 && !d.has(v) || n > 16 {
		d.fail("%d registers of %d bytes", count, size)
	}
	if s == sharedSpace || s == generic {
		d.k.granule = min(d.k.granule, size)
	}
	if store && s == paramSpace {
		d.fail("parameters are read only")
	}
	// A flag: its accesses are as those of atomics.
	flag := d.has("acquire") || d.has("release") || d.has("relaxed") || d.has("volatile")
	acquires, releases := d.has("acquire"), d.has("release")
	d.in.run = func(w *warp, mask uint32) {
		if releases {
			w.fence()
		}
		base := at.base.of(w)
		counted := false
		for l := range 32 {
			if mask>>l&1 == 0 {
				continue
			}
			sp, a := resolve(s, base[l]+uint64(at.off))
			if !counted && sp != paramSpace {
				counted = true
				if sp == sharedSpace {
					w.banks(base, at.off, n, mask)
				} else {
					w.sectors(base, at.off, n, mask, store)
				}
			}
			var b []byte
			switch sp {
			case sharedSpace:
				off := w.place(a, n, l)
				if store {
					w.writing(off, n, l, false)
				} else {
					w.reading(off, n, l)
				}
				b = w.b.shared[off : off+n]
			case paramSpace:
				if a%uint64(n) != 0 {
					w.fault(Misaligned, l, "%d bytes at parameter %d", n, a)
				}
				if a > uint64(len(w.b.params)) || a+uint64(n) > uint64(len(w.b.params)) || store {
					w.fault(Bounds, l, "%d bytes at %d of %d bytes of parameters", n, a, len(w.b.params))
				}
				b = w.b.params[a : a+uint64(n)]
			default:
				if flag {
					w.b.m.lock.Lock()
					func() {
						defer w.b.m.lock.Unlock()
						b = w.global(a, n, l, store, true)
						if store {
							w.tells(a, false, true)
							for i, v := range vals {
								put(b[i*size:], size, v.of(w)[l])
							}
						} else {
							b = append([]byte(nil), b...)
							w.tells(a, true, false)
						}
					}()
					if w.looks++; w.looks > 100 && !store { // it waits for another block
						time.Sleep(20 * time.Microsecond)
					}
					if store {
						continue
					}
				} else {
					b = w.global(a, n, l, store, false)
				}
			}
			if store {
				for i, v := range vals {
					put(b[i*size:], size, v.of(w)[l])
				}
				continue
			}
			for i, r := range regs {
				v := get(b[i*size:], size)
				if signed {
					// Registers may be wider than what is loaded.
					v = uint64(extend(v, size)) & ones(w.b.k.regBytes[r])
				}
				w.reg[r][l] = v
			}
		}
		if acquires {
			w.fence()
		}
	}
}

func get(b []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func put(b []byte, size int, v uint64) {
	switch size {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

// atomic is atom and red: the lanes one after the other.
func (d *decoder) atomic() {
	ops := []string{"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"}
	d.only(append(append([]string{"noftz", "acq_rel", "b16", d.typ()}, ops...), accessWords...)...)
	size, signed := d.scalar()
	float := isFloatType[d.typ()]
	if float && d.typ() != "f32" {
		d.fail("atomics of %s", d.typ())
	}
	s := d.spaceOf()
	op := ""
	for _, o := range ops {
		if d.has(o) {
			op = o
		}
	}
	z, at, i := int32(-1), addr{}, 1
	if d.parts[0] == "atom" {
		z, at, i = d.write(0), d.address(1), 2
	} else {
		at = d.address(0)
	}
	a := d.read(i)
	var b src
	if op == "cas" {
		b = d.read(i + 1)
	}
	if float && op != "add" && op != "exch" || op == "" || size < 4 {
		d.fail("atomic %s of %s", op, d.typ())
	}
	if s == sharedSpace || s == generic {
		d.k.granule = min(d.k.granule, size)
	}
	releases, acquires := d.has("release") || d.has("acq_rel"), d.has("acquire") || d.has("acq_rel")
	keep := ones(size)
	change := func(old, v, with uint64) uint64 {
		switch op {
		case "add":
			if float {
				return bits32(f32(old) + f32(v))
			}
			return (old + v) & keep
		case "min", "max":
			l := old < v
			if signed {
				l = extend(old, size) < extend(v, size)
			}
			if l == (op == "min") {
				return old
			}
			return v
		case "and":
			return old & v
		case "or":
			return old | v
		case "xor":
			return old ^ v
		case "exch":
			return v
		case "cas":
			if old == v {
				return with
			}
			return old
		case "inc":
			if old >= v {
				return 0
			}
			return old + 1
		}
		if old == 0 || old > v { // dec
			return v
		}
		return old - 1
	}
	d.in.run = func(w *warp, mask uint32) {
		if releases {
			w.fence()
		}
		if sp, _ := resolve(s, at.of(w, bits.TrailingZeros32(mask))); sp == globalSpace {
			w.sectors(at.base.of(w), at.off, size, mask, false)
		}
		for l := range 32 {
			if mask>>l&1 == 0 {
				continue
			}
			sp, p := resolve(s, at.of(w, l))
			with := uint64(0)
			if op == "cas" {
				with = b.of(w)[l]
			}
			var mem []byte
			switch sp {
			case sharedSpace:
				off := w.place(p, size, l)
				w.changing(off, size, l)
				mem = w.b.shared[off : off+size]
				old := get(mem, size)
				put(mem, size, change(old, a.of(w)[l], with))
				if z >= 0 {
					w.reg[z][l] = old
				}
			case globalSpace:
				w.b.m.lock.Lock()
				func() {
					defer w.b.m.lock.Unlock()
					mem = w.global(p, size, l, true, true)
					w.tells(p, true, true) // before the value, which others may be waiting for
					old := get(mem, size)
					put(mem, size, change(old, a.of(w)[l], with))
					if z >= 0 {
						w.reg[z][l] = old
					}
				}()
			default:
				w.fault(Bounds, l, "an atomic on parameters")
			}
		}
		if acquires {
			w.fence()
		}
	}
}
