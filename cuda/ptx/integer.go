package ptx

import "math/bits"

func init() {
	opcode(Integer, (*decoder).add, "add", "sub")
	opcode(Integer, (*decoder).multiply, "mul", "mad")
	opcode(Integer, (*decoder).divide, "div", "rem")
	opcode(Integer, (*decoder).extreme, "min", "max")
	opcode(Integer, (*decoder).bitwise, "and", "or", "xor", "not")
	opcode(Integer, (*decoder).shift, "shl", "shr")
	opcode(Integer, (*decoder).funnel, "shf")
	opcode(Integer, (*decoder).field, "bfe", "bfi")
	opcode(Integer, (*decoder).count, "popc", "clz", "brev", "bfind")
	opcode(Integer, (*decoder).sign, "abs", "neg")
	opcode(Integer, (*decoder).lop3, "lop3")
	opcode(Integer, (*decoder).prmt, "prmt")
}

// integerType is scalar, for opcodes that have integers only; it allows the words named.
func (d *decoder) integerType(words ...string) (int, bool) {
	d.only(append(words, "u16", "s16", "u32", "s32", "u64", "s64", "b16", "b32", "b64")...)
	return d.scalar()
}

func (d *decoder) isFloat() bool {
	switch d.typ() {
	case "f32", "f16", "bf16", "f16x2", "bf16x2", "f64":
		d.in.family = Float
		return true
	}
	return false
}

func (d *decoder) add() {
	if d.isFloat() {
		d.floatAdd()
		return
	}
	size, signed := d.integerType("sat")
	sub := d.parts[0] == "sub"
	switch {
	case d.has("sat"):
		if !signed || size != 4 {
			d.fail(".sat is of s32 alone")
		}
		d.binary(func(x, y uint64) uint64 {
			a, b := int64(int32(x)), int64(int32(y))
			if sub {
				b = -b
			}
			return uint64(min(max(a+b, -1<<31), 1<<31-1))
		})
	case sub:
		d.binary(func(x, y uint64) uint64 { return x - y })
	case size == 4:
		z, a, b := d.write(0), d.read(1), d.read(2)
		d.in.run = func(w *warp, mask uint32) {
			x, y, r := a.of(w), b.of(w), &w.reg[z]
			if mask == full {
				for l := range r {
					r[l] = uint64(uint32(x[l] + y[l]))
				}
				return
			}
			for l := range r {
				if mask>>l&1 != 0 {
					r[l] = uint64(uint32(x[l] + y[l]))
				}
			}
		}
	default:
		d.binary(func(x, y uint64) uint64 { return x + y })
	}
}

func (d *decoder) multiply() {
	if d.isFloat() {
		if d.parts[0] == "mad" {
			d.fma()
		} else {
			d.floatMultiply()
		}
		return
	}
	size, signed := d.integerType("lo", "hi", "wide", "sat")
	mad := d.parts[0] == "mad"
	if d.has("sat") {
		d.fail("mad.sat is not known")
	}
	var f func(x, y uint64) uint64
	switch {
	case d.has("lo"):
		f = func(x, y uint64) uint64 { return x * y }
	case d.has("hi") && size == 8 && signed:
		f = func(x, y uint64) uint64 {
			h, _ := bits.Mul64(x, y)
			if int64(x) < 0 {
				h -= y
			}
			if int64(y) < 0 {
				h -= x
			}
			return h
		}
	case d.has("hi") && size == 8:
		f = func(x, y uint64) uint64 { h, _ := bits.Mul64(x, y); return h }
	case d.has("hi") && signed:
		f = func(x, y uint64) uint64 { return uint64(extend(x, size) * extend(y, size) >> (8 * size)) }
	case d.has("hi"):
		f = func(x, y uint64) uint64 { return x * y >> (8 * size) }
	case d.has("wide") && size < 8 && signed:
		f = func(x, y uint64) uint64 { return uint64(extend(x, size) * extend(y, size)) }
	case d.has("wide") && size < 8:
		f = func(x, y uint64) uint64 { return x * y }
	default:
		d.fail("%s of what part?", d.parts[0])
		return
	}
	var a, b, c src
	z := d.write(0)
	a, b = d.read(1), d.read(2) // cut to the narrow type
	if d.has("wide") {
		d.keep = ones(2 * size)
	}
	keep := d.keep
	if mad {
		c = d.read(3)
	}
	d.in.run = func(w *warp, mask uint32) {
		x, y, r := a.of(w), b.of(w), &w.reg[z]
		if mad {
			p := c.of(w)
			for l := range r {
				if mask>>l&1 != 0 {
					r[l] = (f(x[l], y[l]) + p[l]) & keep
				}
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

// divide: by zero is unspecified in PTX, and so a fault here.
func (d *decoder) divide() {
	if d.isFloat() {
		d.floatDivide()
		return
	}
	size, signed := d.integerType()
	rem := d.parts[0] == "rem"
	z, a, b, keep := d.write(0), d.read(1), d.read(2), d.keep
	d.in.run = func(w *warp, mask uint32) {
		x, y, r := a.of(w), b.of(w), &w.reg[z]
		for l := range r {
			if mask>>l&1 == 0 {
				continue
			}
			switch p, q := x[l], y[l]; {
			case q == 0:
				w.fault(Value, l, "division by zero")
			case signed && rem:
				r[l] = uint64(extend(p, size)%extend(q, size)) & keep
			case signed:
				r[l] = uint64(extend(p, size)/extend(q, size)) & keep
			case rem:
				r[l] = p % q
			default:
				r[l] = p / q
			}
		}
	}
}

func (d *decoder) extreme() {
	if d.isFloat() {
		d.floatExtreme()
		return
	}
	size, signed := d.integerType()
	switch most := d.parts[0] == "max"; {
	case signed && most:
		d.binary(func(x, y uint64) uint64 { return uint64(max(extend(x, size), extend(y, size))) })
	case signed:
		d.binary(func(x, y uint64) uint64 { return uint64(min(extend(x, size), extend(y, size))) })
	case most:
		d.binary(func(x, y uint64) uint64 { return max(x, y) })
	default:
		d.binary(func(x, y uint64) uint64 { return min(x, y) })
	}
}

func (d *decoder) bitwise() {
	if d.typ() == "pred" {
		d.logic()
		return
	}
	d.integerType()
	switch d.parts[0] {
	case "and":
		d.binary(func(x, y uint64) uint64 { return x & y })
	case "or":
		d.binary(func(x, y uint64) uint64 { return x | y })
	case "xor":
		d.binary(func(x, y uint64) uint64 { return x ^ y })
	case "not":
		d.unary(func(x uint64) uint64 { return ^x })
	}
}

// logic is that of predicates: 32 lanes in a word.
func (d *decoder) logic() {
	d.in.family = Compare
	z, a := d.writeFlag(d.arg(0)), d.readFlag(d.arg(1))
	var b flag
	op := d.parts[0]
	if op != "not" {
		b = d.readFlag(d.arg(2))
	}
	d.in.run = func(w *warp, mask uint32) {
		v := a.of(w)
		switch op {
		case "and":
			v &= b.of(w)
		case "or":
			v |= b.of(w)
		case "xor":
			v ^= b.of(w)
		default:
			v = ^v
		}
		w.flag(z, v, mask)
	}
}

// flag sets a predicate in the lanes of the mask.
func (w *warp) flag(p int32, v, mask uint32) {
	if p >= 0 {
		w.pred[p] = w.pred[p]&^mask | v&mask
	}
}

// shift: amounts past the width give what shifting on would give.
func (d *decoder) shift() {
	size, signed := d.integerType()
	z, a := d.write(0), d.read(1)
	d.keep = ones(4)
	b := d.read(2)
	keep := ones(size)
	left := d.parts[0] == "shl"
	d.in.run = func(w *warp, mask uint32) {
		x, y, r := a.of(w), b.of(w), &w.reg[z]
		for l := range r {
			if mask>>l&1 == 0 {
				continue
			}
			n := uint32(y[l])
			switch {
			case left:
				r[l] = x[l] << n & keep
			case signed:
				r[l] = uint64(extend(x[l], size)>>n) & keep
			default:
				r[l] = x[l] >> n
			}
		}
	}
}

// funnel shifts the pair {b, a} of 32 bits each.
func (d *decoder) funnel() {
	d.only("l", "r", "wrap", "clamp", "b32")
	d.scalar()
	left, wrap := d.has("l"), d.has("wrap")
	d.ternary(func(lo, hi, n uint64) uint64 {
		if wrap {
			n &= 31
		} else {
			n = min(n, 32)
		}
		v := hi<<32 | lo
		if left {
			return v << n >> 32
		}
		return v >> n
	})
}

func (d *decoder) field() {
	size, signed := d.integerType()
	w := uint64(8 * size)
	if d.parts[0] == "bfi" {
		to, a, b := d.write(0), d.read(1), d.read(2)
		d.keep = ones(4)
		c, n := d.read(3), d.read(4)
		keep := ones(size)
		d.in.run = each(func(wp *warp, l int) {
			pos, length := c.of(wp)[l]&255, n.of(wp)[l]&255
			m := uint64(0)
			if pos < w {
				m = (uint64(1)<<min(length, 64) - 1) << pos & keep
				if length >= 64 {
					m = ^uint64(0) << pos & keep
				}
			}
			wp.reg[to][l] = b.of(wp)[l]&^m | a.of(wp)[l]<<pos&m
		})
		return
	}
	to, a := d.write(0), d.read(1)
	d.keep = ones(4)
	b, c := d.read(2), d.read(3)
	keep := ones(size)
	d.in.run = each(func(wp *warp, l int) {
		x, pos, length := a.of(wp)[l], b.of(wp)[l]&255, c.of(wp)[l]&255
		// The sign bit is the field's last, or the number's last where it ends before.
		fill := false
		if signed && length > 0 {
			fill = x>>min(pos+length-1, w-1)&1 != 0
		}
		v := uint64(0)
		for i := range w {
			bit := fill
			if i < length && pos+i < w {
				bit = x>>(pos+i)&1 != 0
			}
			if bit {
				v |= 1 << i
			}
		}
		wp.reg[to][l] = v & keep
	})
}

func (d *decoder) count() {
	size, signed := d.integerType("shiftamt")
	amount := d.has("shiftamt")
	z, a := d.write(0), d.read(1)
	op := d.parts[0]
	d.in.run = each(func(w *warp, l int) {
		x := a.of(w)[l]
		var v uint64
		switch op {
		case "popc":
			v = uint64(bits.OnesCount64(x))
		case "clz":
			v = uint64(bits.LeadingZeros64(x) - 64 + 8*size)
		case "brev":
			v = bits.Reverse64(x) >> (64 - 8*size)
		default: // bfind: the highest bit that is not the sign
			if signed && extend(x, size) < 0 {
				x = ^x & ones(size)
			}
			v = uint64(63 - bits.LeadingZeros64(x))
			if x == 0 {
				v = 0xffffffff
			} else if amount {
				v = uint64(8*size-1) - v
			}
		}
		w.reg[z][l] = v
	})
}

func (d *decoder) sign() {
	if d.isFloat() {
		d.floatSign()
		return
	}
	size, _ := d.integerType()
	if d.parts[0] == "neg" {
		d.unary(func(x uint64) uint64 { return -x })
	} else {
		d.unary(func(x uint64) uint64 { return uint64(max(extend(x, size), -extend(x, size))) })
	}
}

// lop3 is any function of three bits, as the table of its last operand.
func (d *decoder) lop3() {
	d.only("b32")
	d.scalar()
	table := d.value(4)
	d.ternary(func(x, y, z uint64) uint64 {
		var v uint64
		for i := range 8 {
			if table>>i&1 != 0 {
				p, q, r := x, y, z
				if i&4 == 0 {
					p = ^x
				}
				if i&2 == 0 {
					q = ^y
				}
				if i&1 == 0 {
					r = ^z
				}
				v |= p & q & r
			}
		}
		return v
	})
}

// prmt picks four bytes of eight; with bit 3 of a selector the byte's sign alone.
func (d *decoder) prmt() {
	d.only("b32")
	d.in.family = Move
	d.scalar()
	d.ternary(func(x, y, sel uint64) uint64 {
		v, all := uint64(0), y<<32|x
		for i := range 4 {
			s := sel >> (4 * i) & 15
			b := all >> (8 * (s & 7)) & 255
			if s&8 != 0 {
				b = b >> 7 * 255
			}
			v |= b << (8 * i)
		}
		return v
	})
}
