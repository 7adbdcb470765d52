package ptx

import "math"

func init() {
	opcode(Float, (*decoder).fma, "fma")
	opcode(Float, (*decoder).function1, "ex2", "lg2", "rcp", "rsqrt", "sqrt", "sin", "cos", "tanh")
}

// floatType allows fp32 with the words named; rounding is to nearest even.
func (d *decoder) floatType(words ...string) (ftz bool) {
	d.only(append(words, "rn", "ftz", "f32")...)
	d.scalar()
	return d.has("ftz")
}

func (d *decoder) float1(ftz bool, f func(x float32) float32) {
	d.unary(func(x uint64) uint64 {
		if ftz {
			return bits32(flush(f(flush(f32(x)))))
		}
		return bits32(f(f32(x)))
	})
}

func (d *decoder) float2(ftz bool, f func(x, y float32) float32) {
	if ftz {
		d.binary(func(x, y uint64) uint64 { return bits32(flush(f(flush(f32(x)), flush(f32(y))))) })
		return
	}
	d.binary(func(x, y uint64) uint64 { return bits32(f(f32(x), f32(y))) })
}

// saturate is .sat: into [0, 1], NaN to 0.
func (d *decoder) saturate() func(float32) float32 {
	if !d.has("sat") {
		return func(x float32) float32 { return x }
	}
	return func(x float32) float32 {
		if !(x > 0) {
			return 0
		}
		return min(x, 1)
	}
}

func (d *decoder) floatAdd() {
	if d.pairs() {
		return
	}
	ftz, sat := d.floatType("sat"), d.saturate()
	if d.parts[0] == "sub" {
		d.float2(ftz, func(x, y float32) float32 { return sat(x - y) })
	} else {
		d.float2(ftz, func(x, y float32) float32 { return sat(x + y) })
	}
}

func (d *decoder) floatMultiply() {
	if d.pairs() {
		return
	}
	ftz, sat := d.floatType("sat"), d.saturate()
	if ftz || d.has("sat") {
		d.float2(ftz, func(x, y float32) float32 { return sat(x * y) })
		return
	}
	z, a, b := d.write(0), d.read(1), d.read(2)
	d.in.run = func(w *warp, mask uint32) {
		x, y, r := a.of(w), b.of(w), &w.reg[z]
		for l := range r {
			if mask>>l&1 != 0 {
				r[l] = bits32(f32(x[l]) * f32(y[l]))
			}
		}
	}
}

func (d *decoder) floatDivide() {
	if d.parts[0] == "rem" {
		d.fail("rem of floats")
	}
	ftz := d.floatType("approx", "full")
	d.float2(ftz, func(x, y float32) float32 { return x / y })
}

// less is min's and max's order: -0 before +0.
func less(x, y float32) bool {
	return x < y || x == y && math.Signbit(float64(x)) && !math.Signbit(float64(y))
}

// floatExtreme: a NaN gives way to a number, unless .NaN says otherwise.
func (d *decoder) floatExtreme() {
	if d.pairs() {
		return
	}
	ftz := d.floatType("NaN")
	most, nan := d.parts[0] == "max", d.has("NaN")
	d.float2(ftz, func(x, y float32) float32 { return extremeOf(x, y, most, nan) })
}

func extremeOf(x, y float32, most, nan bool) float32 {
	switch {
	case x != x:
		if nan {
			return x
		}
		return y
	case y != y:
		if nan {
			return y
		}
		return x
	case less(x, y) == most:
		return y
	}
	return x
}

func (d *decoder) floatSign() {
	if d.pairs() {
		return
	}
	ftz := d.floatType()
	neg := d.parts[0] == "neg"
	d.unary(func(x uint64) uint64 { // of the bits: NaN keeps its own
		if ftz {
			x = uint64(math.Float32bits(flush(f32(x))))
		}
		if neg {
			return x ^ 1<<31
		}
		return x &^ (1 << 31)
	})
}

// fma32 rounds once. The product is exact in 64 bits; the sum is rounded to odd, which the
// rounding to 32 bits afterwards does not see.
func fma32(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	if math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	b := s - p
	e := (p - (s - b)) + (c - b)
	if e != 0 {
		if u := math.Float64bits(s); u&1 == 0 {
			if e > 0 == (s > 0) {
				u++
			} else {
				u--
			}
			s = math.Float64frombits(u)
		}
	}
	return float32(s)
}

func (d *decoder) fma() {
	if d.pairs() {
		return
	}
	ftz, sat := d.floatType("sat"), d.saturate()
	d.ternary(func(x, y, z uint64) uint64 {
		if ftz {
			return bits32(flush(sat(fma32(flush(f32(x)), flush(f32(y)), flush(f32(z))))))
		}
		return bits32(sat(fma32(f32(x), f32(y), f32(z))))
	})
}

func (d *decoder) function1() {
	d.in.family = Float
	ftz := d.floatType("approx")
	f := map[string]func(float64) float64{"ex2": math.Exp2, "lg2": math.Log2, "rcp": func(x float64) float64 { return 1 / x },
		"rsqrt": func(x float64) float64 { return 1 / math.Sqrt(x) }, "sqrt": math.Sqrt, "sin": math.Sin, "cos": math.Cos, "tanh": math.Tanh}[d.parts[0]]
	d.float1(ftz, func(x float32) float32 { return float32(f(float64(x))) })
}
