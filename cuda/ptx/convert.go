package ptx

import "math"

func init() {
	opcode(Convert, (*decoder).convert, "cvt")
	opcode(Move, (*decoder).space, "cvta")
	opcode(Move, (*decoder).move, "mov")
	opcode(Move, (*decoder).sel, "selp")
}

var isFloatType = map[string]bool{"f32": true, "f16": true, "bf16": true, "f64": true, "bf16x2": true, "f16x2": true, "e4m3x2": true, "e5m2x2": true}

// convert is cvt between two types, from the last word to the one before.
func (d *decoder) convert() {
	n := len(d.parts)
	if n < 3 {
		d.fail("of what types?")
		return
	}
	to, from := d.parts[n-2], d.parts[n-1]
	d.only("rn", "rz", "rni", "rzi", "rmi", "rpi", "ftz", "sat", "satfinite", "relu", to, from)
	ftz := d.has("ftz")
	if d.has("relu") && to != "bf16x2" && to != "f16x2" && to != "bf16" && to != "f16" && to != "e4m3x2" {
		d.fail("relu to %s", to)
	}
	if d.has("rz") && isFloatType[to] {
		d.fail("rounding to zero is not known")
	}
	relu := d.has("relu")
	clip := func(f float32) float32 {
		if relu && !(f > 0) && f == f {
			return 0
		}
		return f
	}
	switch {
	case from == "f32" && (to == "bf16x2" || to == "f16x2" || to == "e4m3x2"):
		if (to == "e4m3x2") != d.has("satfinite") {
			d.fail("satfinite belongs to e4m3x2")
		}
		d.keep = ones(4)
		pack := func(x, y uint64, bits int, f func(float32) uint64) uint64 {
			return f(clip(f32(x)))<<bits | f(clip(f32(y)))
		}
		d.binary(func(x, y uint64) uint64 { // the first operand is the upper half
			switch to {
			case "bf16x2":
				return pack(x, y, 16, func(f float32) uint64 { return uint64(toBF16(f)) })
			case "f16x2":
				return pack(x, y, 16, func(f float32) uint64 { return uint64(toF16(f)) })
			}
			return pack(x, y, 8, func(f float32) uint64 { return uint64(toE4M3(f)) })
		})
	case to == "f16x2" && from == "e4m3x2":
		d.keep = ones(4)
		d.unary(func(x uint64) uint64 {
			return uint64(toF16(clip(e4m3[x>>8&255])))<<16 | uint64(toF16(clip(e4m3[x&255])))
		})
	case isFloatType[to] && isFloatType[from]:
		d.keep = ones(typeSizes[to])
		read := map[string]func(uint64) float32{"f32": f32, "bf16": func(v uint64) float32 { return fromBF16(uint16(v)) }, "f16": func(v uint64) float32 { return fromF16(uint16(v)) }}[from]
		write := map[string]func(float32) uint64{"f32": bits32, "bf16": func(f float32) uint64 { return uint64(toBF16(f)) }, "f16": func(f float32) uint64 { return uint64(toF16(f)) }}[to]
		if read == nil || write == nil {
			d.fail("from %s to %s", from, to)
			return
		}
		whole, sat := d.integral(), d.saturate()
		d.unary(func(x uint64) uint64 {
			f := read(x)
			if ftz {
				f = flush(f)
			}
			if whole != nil && f == f {
				f = float32(whole(float64(f)))
			}
			return write(clip(sat(f)))
		})
	case isFloatType[from]:
		d.floatToInteger(to, from, ftz)
	case isFloatType[to]:
		size, signed := typeSizes[from], from[0] == 's'
		if to != "f32" || size == 0 || !d.has("rn") {
			d.fail("from %s to %s", from, to)
			return
		}
		z, a := d.write(0), d.read(1)
		d.in.run = each(func(w *warp, l int) {
			x := a.of(w)[l] & ones(size)
			if signed {
				w.reg[z][l] = bits32(float32(extend(x, size)))
			} else {
				w.reg[z][l] = bits32(float32(x))
			}
		})
	default:
		a, b := typeSizes[from], typeSizes[to]
		if a == 0 || b == 0 {
			d.fail("from %s to %s", from, to)
			return
		}
		// As wide registers as there are: what is kept is cut to the target's.
		d.keep = ones(b)
		signed, sat, toSigned := from[0] == 's', d.has("sat"), to[0] == 's'
		z, s, keep := d.write(0), d.read(1), ones(b)
		d.in.run = func(w *warp, mask uint32) {
			x, r := s.of(w), &w.reg[z]
			for l := range r {
				if mask>>l&1 == 0 {
					continue
				}
				v := x[l] & ones(a)
				if signed {
					v = uint64(extend(v, a))
				}
				if sat {
					v = clamp(v, signed, b, toSigned)
				}
				r[l] = v & keep
			}
		}
	}
}

// clamp brings an integer into the range of a type.
func clamp(v uint64, signed bool, size int, toSigned bool) uint64 {
	lo, hi := int64(0), uint64(ones(size))
	if toSigned {
		hi >>= 1
		lo = -int64(hi) - 1
	}
	if signed && int64(v) < 0 {
		return uint64(max(int64(v), lo))
	}
	return min(v, hi)
}

// integral is the rounding to a whole number that the opcode asks for, or nil.
func (d *decoder) integral() func(float64) float64 {
	switch {
	case d.has("rni"):
		return math.RoundToEven
	case d.has("rzi"):
		return math.Trunc
	case d.has("rmi"):
		return math.Floor
	case d.has("rpi"):
		return math.Ceil
	}
	return nil
}

// floatToInteger: what is out of range becomes the nearest number of the range, NaN becomes 0.
func (d *decoder) floatToInteger(to, from string, ftz bool) {
	size, signed, whole := typeSizes[to], to[0] == 's', d.integral()
	if from != "f32" || size == 0 || whole == nil {
		d.fail("from %s to %s", from, to)
		return
	}
	d.keep = ones(size)
	d.unary(func(x uint64) uint64 {
		f := f32(x)
		if ftz {
			f = flush(f)
		}
		v := whole(float64(f))
		lo, hi := 0.0, math.Ldexp(1, 8*size)
		if signed {
			lo, hi = -math.Ldexp(1, 8*size-1), math.Ldexp(1, 8*size-1)
		}
		switch {
		case v != v:
			if size == 8 { // as the manual has it: 0x8000… for 64 bits
				return 1 << 63
			}
			return 0
		case v >= hi:
			if signed {
				return ones(size) >> 1
			}
			return ones(size)
		case v <= lo:
			if signed {
				return 1 << (8*size - 1)
			}
			return 0
		case signed:
			return uint64(int64(v))
		}
		return uint64(v)
	})
}

// space is cvta: an address of a space as a generic one, or back.
func (d *decoder) space() {
	d.only("to", "shared", "global", "const", "param", "local", "shared::cta", "u64", "u32")
	if d.typ() != "u64" {
		d.fail("addresses are of 64 bits")
	}
	base := uint64(0)
	switch {
	case d.has("shared") || d.has("shared::cta"):
		base = sharedBase
	case d.has("param"):
		base = paramBase
	case d.has("local"):
		d.fail("local memory is not known")
	}
	if d.has("to") {
		base = -base
	}
	d.unary(func(x uint64) uint64 { return x + base })
}

func (d *decoder) move() {
	if d.typ() == "pred" {
		z, a := d.writeFlag(d.arg(0)), d.readFlag(d.arg(1))
		d.in.run = func(w *warp, mask uint32) { w.flag(z, a.of(w), mask) }
		return
	}
	d.only("u16", "s16", "b16", "u32", "s32", "b32", "f32", "u64", "s64", "b64", "f64", "b128")
	size, _ := d.scalar()
	from, to := d.list(1), d.list(0)
	switch {
	case len(from) > 1: // several registers into one, the first lowest
		z, s := d.write(0), d.readList(1)
		d.in.packs = true
		part := 8 * size / len(from)
		d.in.run = each(func(w *warp, l int) {
			v := uint64(0)
			for i, o := range s {
				v |= o.of(w)[l] & (1<<part - 1) << (i * part)
			}
			w.reg[z][l] = v
		})
	case len(to) > 1:
		z, s := d.writeList(0), d.read(1)
		part := 8 * size / len(to)
		d.in.run = each(func(w *warp, l int) {
			v := s.of(w)[l]
			for i, r := range z {
				w.reg[r][l] = v >> (i * part) & (1<<part - 1)
			}
		})
	default:
		z, s := d.write(0), d.read(1)
		d.in.run = func(w *warp, mask uint32) {
			x, r := s.of(w), &w.reg[z]
			if mask == full {
				*r = *x
				return
			}
			for l := range r {
				if mask>>l&1 != 0 {
					r[l] = x[l]
				}
			}
		}
	}
}

func (d *decoder) sel() {
	d.only("u16", "s16", "b16", "u32", "s32", "b32", "f32", "u64", "s64", "b64", "f64")
	d.scalar()
	z, a, b, p := d.write(0), d.read(1), d.read(2), d.readFlag(d.arg(3))
	d.in.run = func(w *warp, mask uint32) {
		x, y, r, v := a.of(w), b.of(w), &w.reg[z], p.of(w)
		for l := range r {
			if mask>>l&1 == 0 {
				continue
			}
			if v>>l&1 != 0 {
				r[l] = x[l]
			} else {
				r[l] = y[l]
			}
		}
	}
}
