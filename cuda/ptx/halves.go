package ptx

import (
	"math"
	"strings"
)

// Narrow floats: bf16, fp16 and e4m3 (fp8, as NVIDIA defines it: no infinities, 0x7f and 0xff
// are NaN, the largest number is 448).

func fromBF16(v uint16) float32 { return math.Float32frombits(uint32(v) << 16) }

func toBF16(f float32) uint16 {
	u := math.Float32bits(f)
	if f != f {
		return 0x7fff
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

func fromF16(v uint16) float32 {
	sign, e, m := uint32(v>>15)<<31, int(v>>10&31), uint32(v&0x3ff)
	switch e {
	case 0:
		f := float32(m) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | m<<13)
	}
	return math.Float32frombits(sign | uint32(e+112)<<23 | m<<13)
}

// round gives the nearest multiple of 2^-fraction (relative to the number's own power of two,
// which is at least 2^least), ties to even.
func round(f float64, fraction, least int) float64 {
	if f == 0 {
		return f
	}
	_, e := math.Frexp(f)
	e = max(e-1, least) - fraction
	return math.Ldexp(math.RoundToEven(math.Ldexp(f, -e)), e)
}

func toF16(f float32) uint16 {
	sign := uint16(math.Float32bits(f) >> 16 & 0x8000)
	switch r := math.Abs(round(float64(f), 10, -14)); {
	case f != f:
		return 0x7fff
	case r > 65504:
		return sign | 0x7c00
	case r < 1.0/(1<<14):
		return sign | uint16(r*(1<<24))
	default:
		fr, e := math.Frexp(r)
		return sign | uint16(e+14)<<10 | uint16(fr*2048-1024)
	}
}

var e4m3 = func() (t [256]float32) {
	for i := range t {
		e, m := i>>3&15, i&7
		f := float32(m) / 8 / 64
		if e > 0 {
			f = float32(math.Ldexp(1+float64(m)/8, e-7))
		}
		if i&0x7f == 0x7f {
			f = float32(math.NaN())
		}
		if i >= 128 {
			f = -f
		}
		t[i] = f
	}
	return
}()

// toE4M3 rounds to nearest even; what is past 448 becomes 448 (.satfinite).
func toE4M3(f float32) uint8 {
	sign := uint8(math.Float32bits(f) >> 24 & 0x80)
	if f != f {
		return 0x7f
	}
	r := math.Abs(float64(f))
	if !math.IsInf(r, 0) {
		r = round(r, 3, -6)
	}
	switch {
	case r >= 448:
		return sign | 0x7e
	case r < 1.0/64:
		return sign | uint8(r*512)
	default:
		fr, e := math.Frexp(r)
		return sign | uint8(e+6)<<3 | uint8(fr*16-8)
	}
}

// pairs decodes arithmetic of bf16, fp16 and of two of them in a register: computed in fp32,
// where products of two are exact, and rounded once.
func (d *decoder) pairs() bool {
	t := d.typ()
	n := 1
	if strings.HasSuffix(t, "x2") {
		n = 2
	}
	var from func(uint16) float32
	var to func(float32) uint16
	switch strings.TrimSuffix(t, "x2") {
	case "bf16":
		from, to = fromBF16, toBF16
	case "f16":
		from, to = fromF16, toF16
	default:
		return false
	}
	d.only("rn", "NaN", t)
	d.scalar()
	both := func(f func(i int) float32) (v uint64) {
		for i := range n {
			v |= uint64(to(f(i))) << (16 * i)
		}
		return v
	}
	at := func(x uint64, i int) float32 { return from(uint16(x >> (16 * i))) }
	nan := d.has("NaN")
	switch op := d.parts[0]; op {
	case "fma":
		d.ternary(func(x, y, z uint64) uint64 {
			return both(func(i int) float32 {
				return odd32(float64(at(x, i))*float64(at(y, i)), float64(at(z, i)))
			})
		})
	case "neg":
		d.unary(func(x uint64) uint64 { return x ^ 0x80008000 })
	case "abs":
		d.unary(func(x uint64) uint64 { return x &^ 0x80008000 })
	case "min", "max":
		d.binary(func(x, y uint64) uint64 {
			return both(func(i int) float32 { return extremeOf(at(x, i), at(y, i), op == "max", nan) })
		})
	case "add", "sub", "mul":
		d.binary(func(x, y uint64) uint64 {
			return both(func(i int) float32 {
				switch op {
				case "add":
					return odd32(float64(at(x, i)), float64(at(y, i)))
				case "sub":
					return odd32(float64(at(x, i)), -float64(at(y, i)))
				}
				return at(x, i) * at(y, i)
			})
		})
	default:
		d.fail("%s of %s is not known", op, t)
	}
	return true
}

// odd32 is p + c rounded to odd in fp32, so that rounding it further rounds once.
func odd32(p, c float64) float32 {
	s := p + c
	if math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	b := s - p
	e := (p - (s - b)) + (c - b)
	f := float32(s)
	if r := float64(f); r != s || e != 0 {
		if u := math.Float32bits(f); u&1 == 0 && !math.IsInf(r, 0) {
			up := s > r || s == r && e > 0 // the truth lies above
			if up == (f > 0) {
				u++
			} else if f != 0 {
				u--
			} else {
				u = 1 | math.Float32bits(float32(math.Copysign(1, s)))&(1<<31)
			}
			f = math.Float32frombits(u)
		}
	}
	return f
}
