package ptx

import "math"

// ones is a number with size bytes of ones.
func ones(size int) uint64 {
	if size >= 8 {
		return math.MaxUint64
	}
	return 1<<(8*size) - 1
}

// extend makes a number of size bytes a signed one.
func extend(v uint64, size int) int64 {
	n := 64 - 8*size
	return int64(v<<n) >> n
}

func f32(v uint64) float32 { return math.Float32frombits(uint32(v)) }
func bits32(f float32) uint64 {
	if f != f {
		return 0x7fffffff // the only NaN that arithmetic gives
	}
	return uint64(math.Float32bits(f))
}

// flush is .ftz: denormal numbers are zeros of their sign.
func flush(f float32) float32 {
	if b := math.Float32bits(f); b&0x7f800000 == 0 {
		return math.Float32frombits(b & 0x80000000)
	}
	return f
}

// scalar takes the opcode's type: its bytes, and whether it is signed. Numbers among the
// operands are cut to it.
func (d *decoder) scalar() (size int, signed bool) {
	size = typeSizes[d.typ()]
	if size == 0 {
		d.fail("type %s is not known", d.typ())
		size = 4
	}
	d.keep = ones(size)
	return size, d.typ()[0] == 's'
}

// unary, binary and ternary compute a register of the opcode's type in each lane.
func (d *decoder) unary(f func(x uint64) uint64) {
	z, a, keep := d.write(0), d.read(1), d.keep
	d.in.run = func(w *warp, mask uint32) {
		x, r := a.of(w), &w.reg[z]
		if mask == full {
			for l := range r {
				r[l] = f(x[l]) & keep
			}
			return
		}
		for l := range r {
			if mask>>l&1 != 0 {
				r[l] = f(x[l]) & keep
			}
		}
	}
}

func (d *decoder) binary(f func(x, y uint64) uint64) {
	z, a, b, keep := d.write(0), d.read(1), d.read(2), d.keep
	d.in.run = func(w *warp, mask uint32) {
		x, y, r := a.of(w), b.of(w), &w.reg[z]
		if mask == full {
			for l := range r {
				r[l] = f(x[l], y[l]) & keep
			}
			return
		}
		for l := range r {
			if mask>>l&1 != 0 {
				r[l] = f(x[l], y[l]) & keep
			}
		}
	}
}

func (d *decoder) ternary(f func(x, y, z uint64) uint64) {
	to, a, b, c, keep := d.write(0), d.read(1), d.read(2), d.read(3), d.keep
	d.in.run = func(w *warp, mask uint32) {
		x, y, z, r := a.of(w), b.of(w), c.of(w), &w.reg[to]
		for l := range r {
			if mask>>l&1 != 0 {
				r[l] = f(x[l], y[l], z[l]) & keep
			}
		}
	}
}
