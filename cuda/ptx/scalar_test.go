package ptx

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// edges are operands that show what random ones do not.
var edges = []uint64{0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff,
	0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0x123456789abcdef}

// floatEdges are bits of fp32: zeros, denormals, the largest, infinities, NaN, halves of ties.
var floatEdges = []uint64{0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x3f800001, 0x3f000000, 0x40000000, 0x7f7fffff,
	0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345, 0x33800000, 0x34000000, 0x4b000001, 0x4f000000, 0xcf000000, 0x5f000000,
	0x43e00000, 0x43e80000, 0x43f00000, 0x3f808000, 0x3f818000, 0x3f804000, 0x38800000, 0x387fc000, 0x33000000, 0x477ff000}

// signed and unsigned are a number of size bytes as the manual's types read it.
func whole(v uint64, size int, sign bool) *big.Int {
	v &= ones(size)
	x := new(big.Int).SetUint64(v)
	if sign && v>>(8*size-1) != 0 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return x
}

// cut is a number of any size in two's complement of size bytes.
func cut(x *big.Int, size int) uint64 {
	m := new(big.Int).Lsh(big.NewInt(1), uint(8*size))
	return new(big.Int).Mod(x, m).Uint64()
}

type scalarCase struct {
	op     string
	args   int
	in     string // types of the operands, as registers go: h r d, or f
	out    string
	want   func(a, b, c uint64) (uint64, bool) // false: the manual leaves it open
	floats bool
}

// TestIntegers holds integer arithmetic to numbers without bounds.
func TestIntegers(t *testing.T) {
	var cases []scalarCase
	reg := map[int]string{2: "h", 4: "r", 8: "d"}
	for _, size := range []int{2, 4, 8} {
		for _, sign := range []bool{false, true} {
			ty := fmt.Sprintf("%c%d", "us"[map[bool]int{true: 1}[sign]], 8*size)
			r := reg[size]
			n := func(v uint64) *big.Int { return whole(v, size, sign) }
			add := func(op string, args int, f func(x, y, z *big.Int) *big.Int) {
				cases = append(cases, scalarCase{op: op + "." + ty, args: args, in: r + r + r, out: r, want: func(a, b, c uint64) (uint64, bool) {
					v := f(n(a), n(b), n(c))
					if v == nil {
						return 0, false
					}
					return cut(v, size), true
				}})
			}
			zero := func(y *big.Int) bool { return y.Sign() == 0 }
			add("add", 2, func(x, y, _ *big.Int) *big.Int { return x.Add(x, y) })
			add("sub", 2, func(x, y, _ *big.Int) *big.Int { return x.Sub(x, y) })
			add("mul.lo", 2, func(x, y, _ *big.Int) *big.Int { return x.Mul(x, y) })
			add("mul.hi", 2, func(x, y, _ *big.Int) *big.Int { return x.Rsh(x.Mul(x, y), uint(8*size)) })
			add("mad.lo", 3, func(x, y, z *big.Int) *big.Int { return x.Add(x.Mul(x, y), z) })
			add("div", 2, func(x, y, _ *big.Int) *big.Int {
				if zero(y) {
					return nil
				}
				return x.Quo(x, y) // toward zero
			})
			add("rem", 2, func(x, y, _ *big.Int) *big.Int {
				if zero(y) {
					return nil
				}
				return x.Rem(x, y)
			})
			add("min", 2, func(x, y, _ *big.Int) *big.Int {
				if x.Cmp(y) < 0 {
					return x
				}
				return y
			})
			add("max", 2, func(x, y, _ *big.Int) *big.Int {
				if x.Cmp(y) > 0 {
					return x
				}
				return y
			})
			if size < 8 {
				wide := reg[2*size]
				cases = append(cases, scalarCase{op: "mul.wide." + ty, args: 2, in: r + r + wide, out: wide, want: func(a, b, c uint64) (uint64, bool) {
					return cut(new(big.Int).Mul(n(a), n(b)), 2*size), true
				}}, scalarCase{op: "mad.wide." + ty, args: 3, in: r + r + wide, out: wide, want: func(a, b, c uint64) (uint64, bool) {
					return cut(new(big.Int).Add(new(big.Int).Mul(n(a), n(b)), whole(c, 2*size, sign)), 2*size), true
				}})
			}
			cases = append(cases, scalarCase{op: "shr." + ty, args: 2, in: r + "r", out: r, want: func(a, b, _ uint64) (uint64, bool) {
				return cut(new(big.Int).Rsh(n(a), uint(uint32(b))), size), true
			}})
			if size >= 4 {
				cases = append(cases, scalarCase{op: "bfe." + ty, args: 3, in: r + "rr", out: r, want: func(a, b, c uint64) (uint64, bool) {
					return cut(bfeManual(whole(a, size, false), b&255, c&255, uint64(8*size-1), sign), size), true
				}})
			}
			if sign {
				add("abs", 1, func(x, _, _ *big.Int) *big.Int { return x.Abs(x) })
				add("neg", 1, func(x, _, _ *big.Int) *big.Int { return x.Neg(x) })
			}
			// Conversions between all integer types.
			for _, to := range []int{2, 4, 8} {
				for _, s := range "us" {
					cases = append(cases, scalarCase{op: fmt.Sprintf("cvt.%c%d.%s", s, 8*to, ty), args: 1, in: r, out: reg[to], want: func(a, _, _ uint64) (uint64, bool) {
						return cut(n(a), to), true
					}}, scalarCase{op: fmt.Sprintf("cvt.sat.%c%d.%s", s, 8*to, ty), args: 1, in: r, out: reg[to], want: func(a, _, _ uint64) (uint64, bool) {
						lo, hi := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(8*to))
						if s == 's' {
							hi.Rsh(hi, 1)
							lo.Neg(hi)
						}
						hi.Sub(hi, big.NewInt(1))
						x := n(a)
						if x.Cmp(lo) < 0 {
							x = lo
						} else if x.Cmp(hi) > 0 {
							x = hi
						}
						return cut(x, to), true
					}})
				}
			}
		}
		r, ty := reg[size], fmt.Sprintf("b%d", 8*size)
		bit := func(op string, args int, f func(x, y uint64) uint64) {
			cases = append(cases, scalarCase{op: op + "." + ty, args: args, in: r + r, out: r, want: func(a, b, _ uint64) (uint64, bool) { return f(a, b) & ones(size), true }})
		}
		bit("and", 2, func(x, y uint64) uint64 { return x & y })
		bit("or", 2, func(x, y uint64) uint64 { return x | y })
		bit("xor", 2, func(x, y uint64) uint64 { return x ^ y })
		bit("not", 1, func(x, _ uint64) uint64 { return ^x })
		bit("mov", 1, func(x, _ uint64) uint64 { return x })
		cases = append(cases, scalarCase{op: "shl." + ty, args: 2, in: r + "r", out: r, want: func(a, b, _ uint64) (uint64, bool) {
			if uint32(b) > 63 {
				return 0, true
			}
			return a << uint32(b) & ones(size), true
		}})
		if size == 2 {
			continue
		}
		count := func(op string, f func(x uint64) uint64, out string) {
			cases = append(cases, scalarCase{op: op, args: 1, in: r, out: out, want: func(a, _, _ uint64) (uint64, bool) { return f(a), true }})
		}
		count("popc."+ty, func(x uint64) (n uint64) {
			for ; x != 0; x &= x - 1 {
				n++
			}
			return
		}, "r")
		count("clz."+ty, func(x uint64) (n uint64) {
			for i := 8*size - 1; i >= 0 && x>>i&1 == 0; i-- {
				n++
			}
			return
		}, "r")
		count("brev."+ty, func(x uint64) (v uint64) {
			for i := range 8 * size {
				v |= x >> i & 1 << (8*size - 1 - i)
			}
			return
		}, r)
		count(fmt.Sprintf("bfind.u%d", 8*size), func(x uint64) uint64 {
			for i := 8*size - 1; i >= 0; i-- {
				if x>>i&1 != 0 {
					return uint64(i)
				}
			}
			return 0xffffffff
		}, "r")
		count(fmt.Sprintf("bfind.s%d", 8*size), func(x uint64) uint64 {
			if x>>(8*size-1) != 0 {
				x = ^x & ones(size)
			}
			for i := 8*size - 1; i >= 0; i-- {
				if x>>i&1 != 0 {
					return uint64(i)
				}
			}
			return 0xffffffff
		}, "r")
	}
	cases = append(cases,
		scalarCase{op: "shf.l.wrap.b32", args: 3, in: "rrr", out: "r", want: func(a, b, c uint64) (uint64, bool) {
			n := c & 31
			return uint64(uint32(b<<n | a>>(32-n))), true // n = 0 gives b
		}},
		scalarCase{op: "shf.r.wrap.b32", args: 3, in: "rrr", out: "r", want: func(a, b, c uint64) (uint64, bool) {
			n := c & 31
			return uint64(uint32(b<<(32-n) | a>>n)), true
		}},
		scalarCase{op: "shf.l.clamp.b32", args: 3, in: "rrr", out: "r", want: func(a, b, c uint64) (uint64, bool) {
			n := min(c, 32)
			return uint64(uint32(b<<n | a>>(32-n))), true
		}},
		scalarCase{op: "shf.r.clamp.b32", args: 3, in: "rrr", out: "r", want: func(a, b, c uint64) (uint64, bool) {
			n := min(c, 32)
			return uint64(uint32(b<<(32-n) | a>>n)), true
		}},
		scalarCase{op: "prmt.b32", args: 3, in: "rrr", out: "r", want: func(a, b, c uint64) (uint64, bool) {
			bytes := []uint64{a & 255, a >> 8 & 255, a >> 16 & 255, a >> 24 & 255, b & 255, b >> 8 & 255, b >> 16 & 255, b >> 24 & 255}
			v := uint64(0)
			for i := range 4 {
				s := c >> (4 * i) & 15
				x := bytes[s&7]
				if s >= 8 { // the sign, eight times
					x = map[bool]uint64{true: 255}[x >= 128]
				}
				v |= x << (8 * i)
			}
			return v, true
		}},
		scalarCase{op: "add.sat.s32", args: 2, in: "rr", out: "r", want: func(a, b, _ uint64) (uint64, bool) {
			return uint64(uint32(min(max(int64(int32(a))+int64(int32(b)), math.MinInt32), math.MaxInt32))), true
		}},
	)
	runScalars(t, cases)
}

// bfeManual is bfe as the manual's pseudo code has it.
func bfeManual(a *big.Int, pos, length, msb uint64, sign bool) *big.Int {
	bit := func(i uint64) uint { return a.Bit(int(i)) }
	var s uint
	if sign && length > 0 {
		s = bit(min(pos+length-1, msb))
	}
	d := new(big.Int)
	for i := uint64(0); i <= msb; i++ {
		b := s
		if i < length && pos+i <= msb {
			b = bit(pos + i)
		}
		d.SetBit(d, int(i), b)
	}
	return d
}

// runScalars runs each case on edges and random operands, a warp of them at a time.
func runScalars(t *testing.T, cases []scalarCase) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range cases {
		var in [][]uint64
		pick := func(i int) uint64 {
			of := edges
			if c.floats {
				of = floatEdges
			}
			switch k := r.IntN(4); {
			case k == 0:
				return r.Uint64()
			case k == 1 && c.floats: // near one another
				return uint64(math.Float32bits(float32(r.NormFloat64())))
			case k == 1:
				return r.Uint64() >> r.IntN(64)
			}
			return of[r.IntN(len(of))]
		}
		for range 512 {
			in = append(in, []uint64{pick(0), pick(1), pick(2)})
		}
		if c.args == 1 && c.floats {
			for i, e := range floatEdges {
				in[i][0] = e
			}
		}
		var body strings.Builder
		operands := []string{}
		for i := range c.args {
			k := c.in[i]
			fmt.Fprintf(&body, "ld.global.%s %%%c%d, [%%in+%d];\n", map[byte]string{'h': "u16", 'r': "u32", 'd': "u64", 'f': "f32"}[k], k, i+1, 8*i)
			operands = append(operands, fmt.Sprintf("%%%c%d", k, i+1))
		}
		fmt.Fprintf(&body, "%s %%%s9, %s;\nst.global.u64 [%%out], 0;\n", c.op, c.out, strings.Join(operands, ", "))
		fmt.Fprintf(&body, "st.global.%s [%%out], %%%s9;\n", map[string]string{"h": "u16", "r": "u32", "d": "u64", "f": "f32"}[c.out], c.out)
		size := map[byte]int{'h': 2, 'r': 4, 'd': 8, 'f': 4}
		for i := range in { // what the operation leaves open is not asked
			v := make([]uint64, 3)
			for j := range c.args {
				v[j] = in[i][j] & ones(size[c.in[j]])
			}
			if _, ok := c.want(v[0], v[1], v[2]); !ok {
				in[i] = []uint64{3, 5, 7}
			}
		}
		out, _, err := rig(Options{Blocks: 1}, 512, 0, in, 1, nil, body.String())
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		bad := 0
		for i := range in {
			v := make([]uint64, 3)
			for j := range c.args {
				v[j] = in[i][j] & ones(size[c.in[j]])
			}
			if want, ok := c.want(v[0], v[1], v[2]); ok && out[i][0] != want && bad < 3 {
				bad++
				t.Errorf("%s of %#x = %#x, want %#x", c.op, v[:c.args], out[i][0], want)
			}
		}
	}
	t.Logf("%d opcodes", len(cases))
}

// TestFields: bfi, lop3 by its table, and numbers as operands.
func TestFields(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		table := r.IntN(256)
		var in [][]uint64
		for range 32 {
			in = append(in, []uint64{r.Uint64(), r.Uint64(), r.Uint64(), uint64(r.IntN(40)), uint64(r.IntN(40))})
		}
		out, _, err := rig(Options{}, 32, 0, in, 3, nil, fmt.Sprintf(`
	ld.global.u32 %%r1, [%%in];
	ld.global.u32 %%r2, [%%in+8];
	ld.global.u32 %%r3, [%%in+16];
	ld.global.u32 %%r4, [%%in+24];
	ld.global.u32 %%r5, [%%in+32];
	lop3.b32 %%r6, %%r1, %%r2, %%r3, %d;
	cvt.u64.u32 %%d1, %%r6;
	st.global.u64 [%%out], %%d1;
	bfi.b32 %%r7, %%r1, %%r2, %%r4, %%r5;
	cvt.u64.u32 %%d1, %%r7;
	st.global.u64 [%%out+8], %%d1;
	add.s32 %%r8, %%r1, -7;
	cvt.u64.u32 %%d1, %%r8;
	st.global.u64 [%%out+16], %%d1;`, table))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range in {
			var lop, bfi uint32
			for b := range 32 {
				at := v[0]>>b&1<<2 | v[1]>>b&1<<1 | v[2]>>b&1 // ta is 0xF0: the first operand is the highest
				lop |= uint32(table>>at&1) << b
				bit := uint32(v[1]>>b) & 1
				if k := b - int(v[3]); k >= 0 && k < int(v[4]) {
					bit = uint32(v[0]>>k) & 1
				}
				bfi |= bit << b
			}
			if out[i][0] != uint64(lop) || out[i][1] != uint64(bfi) || out[i][2] != uint64(uint32(v[0])-7) {
				t.Fatalf("table %#x, %#x: %#x, want %#x %#x", table, v, out[i], lop, bfi)
			}
		}
	}
}

// exact is a float as a number without bounds, nil for infinities and NaN.
func exact(v uint64) *big.Float {
	f := float64(math.Float32frombits(uint32(v)))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return new(big.Float).SetPrec(700).SetFloat64(f)
}

// nearest rounds to fp32; zeros keep the sign that IEEE gives, as the case says.
func nearest(x *big.Float) uint64 {
	f, _ := x.Float32()
	return uint64(math.Float32bits(f))
}

// TestFloats holds fp32 arithmetic to exact numbers, rounded once. What is not finite is held
// to IEEE, as Go's own arithmetic has it; a NaN is 0x7fffffff.
func TestFloats(t *testing.T) {
	f := func(v uint64) float32 { return math.Float32frombits(uint32(v)) }
	nan := func(v float32) uint64 {
		if v != v {
			return 0x7fffffff
		}
		return uint64(math.Float32bits(v))
	}
	arith := func(of func(x, y, z *big.Float) *big.Float, go32 func(x, y, z float32) float32) func(a, b, c uint64) (uint64, bool) {
		return func(a, b, c uint64) (uint64, bool) {
			x, y, z := exact(a), exact(b), exact(c)
			if x == nil || y == nil || z == nil {
				return nan(go32(f(a), f(b), f(c))), true
			}
			v := of(x, y, z)
			if v == nil || v.Sign() == 0 {
				return nan(go32(f(a), f(b), f(c))), true
			}
			return nearest(v), true
		}
	}
	fl := func(v uint64) uint64 {
		if v&0x7f800000 == 0 {
			return v & 0x80000000
		}
		return v
	}
	ftz := func(w func(a, b, c uint64) (uint64, bool)) func(a, b, c uint64) (uint64, bool) {
		return func(a, b, c uint64) (uint64, bool) {
			v, ok := w(fl(a), fl(b), fl(c))
			return fl(v), ok
		}
	}
	add := arith(func(x, y, _ *big.Float) *big.Float { return x.Add(x, y) }, func(x, y, _ float32) float32 { return x + y })
	sub := arith(func(x, y, _ *big.Float) *big.Float { return x.Sub(x, y) }, func(x, y, _ float32) float32 { return x - y })
	mul := arith(func(x, y, _ *big.Float) *big.Float { return x.Mul(x, y) }, func(x, y, _ float32) float32 { return x * y })
	div := arith(func(x, y, _ *big.Float) *big.Float {
		if y.Sign() == 0 {
			return nil
		}
		return x.Quo(x, y)
	}, func(x, y, _ float32) float32 { return x / y })
	fma := arith(func(x, y, z *big.Float) *big.Float { return x.Add(x.Mul(x, y), z) }, func(x, y, z float32) float32 { return float32(math.FMA(float64(x), float64(y), float64(z))) })
	rcp := func(a, _, _ uint64) (uint64, bool) { return div(0x3f800000, a, 0) }
	sqrt := func(a, _, _ uint64) (uint64, bool) {
		x := exact(a)
		if x == nil || x.Sign() <= 0 {
			return nan(float32(math.Sqrt(float64(f(a))))), true
		}
		return nearest(x.Sqrt(x)), true
	}
	extreme := func(most bool) func(a, b, c uint64) (uint64, bool) {
		return func(a, b, _ uint64) (uint64, bool) {
			x, y := f(a), f(b)
			switch {
			case x != x && y != y:
				return 0x7fffffff, true
			case x != x:
				return b, true
			case y != y:
				return a, true
			case x == 0 && y == 0: // -0 is below +0
				if most {
					return a & b, true
				}
				return a | b, true
			case (x > y) == most:
				return a, true
			}
			return b, true
		}
	}
	cases := []scalarCase{
		{op: "add.f32", args: 2, want: add}, {op: "add.rn.ftz.f32", args: 2, want: ftz(add)},
		{op: "sub.f32", args: 2, want: sub}, {op: "mul.f32", args: 2, want: mul}, {op: "mul.ftz.f32", args: 2, want: ftz(mul)},
		{op: "div.rn.f32", args: 2, want: div}, {op: "fma.rn.f32", args: 3, want: fma}, {op: "fma.rn.ftz.f32", args: 3, want: ftz(fma)},
		{op: "rcp.rn.f32", args: 1, want: rcp}, {op: "sqrt.rn.f32", args: 1, want: sqrt},
		{op: "min.f32", args: 2, want: extreme(false)}, {op: "max.f32", args: 2, want: extreme(true)},
		{op: "max.NaN.f32", args: 2, want: func(a, b, c uint64) (uint64, bool) {
			if x, y := f(a), f(b); x != x || y != y {
				return 0x7fffffff, true
			}
			return extreme(true)(a, b, c)
		}},
		{op: "neg.f32", args: 1, want: func(a, _, _ uint64) (uint64, bool) { return a ^ 1<<31, true }},
		{op: "abs.f32", args: 1, want: func(a, _, _ uint64) (uint64, bool) { return a &^ (1 << 31), true }},
		{op: "add.sat.f32", args: 2, want: func(a, b, c uint64) (uint64, bool) {
			v, _ := add(a, b, c)
			switch x := f(v); {
			case x != x || x <= 0:
				return 0, true
			case x > 1:
				return 0x3f800000, true
			}
			return v, true
		}},
	}
	for i := range cases {
		cases[i].in, cases[i].out, cases[i].floats = "fff", "f", true
	}
	// To integers and back.
	for _, to := range []struct {
		ty     string
		lo, hi float64
		size   int
	}{{"s32", math.MinInt32, math.MaxInt32, 4}, {"u32", 0, math.MaxUint32, 4}, {"s64", math.MinInt64, math.MaxInt64, 8}, {"u64", 0, math.MaxUint64, 8}, {"s16", -32768, 32767, 2}, {"u16", 0, 65535, 2}} {
		for mode, how := range map[string]func(float64) float64{"rni": math.RoundToEven, "rzi": math.Trunc, "rmi": math.Floor, "rpi": math.Ceil} {
			cases = append(cases, scalarCase{op: "cvt." + mode + "." + to.ty + ".f32", args: 1, in: "f", out: map[int]string{2: "h", 4: "r", 8: "d"}[to.size], floats: true,
				want: func(a, _, _ uint64) (uint64, bool) {
					x := exact(a)
					if x == nil {
						v := f(a)
						if v != v {
							return 0, to.size != 8 // 64 bits: not asked
						}
						x = big.NewFloat(1e30)
						if v < 0 {
							x.Neg(x)
						}
					}
					v, _ := x.Float64()
					n, _ := new(big.Float).SetFloat64(how(v)).Int(nil)
					lo, _ := new(big.Float).SetPrec(100).SetFloat64(to.lo).Int(nil)
					hi := new(big.Int).Add(lo, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*to.size)), big.NewInt(1)))
					if n.Cmp(lo) < 0 {
						n = lo
					} else if n.Cmp(hi) > 0 {
						n = hi
					}
					return cut(n, to.size), true
				}})
		}
		cases = append(cases, scalarCase{op: "cvt.rn.f32." + to.ty, args: 1, in: map[int]string{2: "h", 4: "r", 8: "d"}[to.size], out: "f", want: func(a, _, _ uint64) (uint64, bool) {
			return nearest(new(big.Float).SetInt(whole(a, to.size, to.ty[0] == 's'))), true
		}})
	}
	runScalars(t, cases)
}

// near is the closest of a format's finite numbers, ties to the even code. code gives a
// number's value; codes go up with their values.
func near(x *big.Float, codes int, value func(int) float64) int {
	best, dist := 0, new(big.Float).SetInf(false)
	lo, hi := 0, codes-1
	for lo < hi { // the last not above
		m := (lo + hi + 1) / 2
		if new(big.Float).SetFloat64(value(m)).Cmp(x) <= 0 {
			lo = m
		} else {
			hi = m - 1
		}
	}
	for _, c := range []int{lo, min(lo+1, codes-1)} {
		d := new(big.Float).SetPrec(700).SetFloat64(value(c))
		d.Abs(d.Sub(d, x))
		if s := d.Cmp(dist); s < 0 || s == 0 && c%2 == 0 {
			best, dist = c, d
		}
	}
	return best
}

// TestNarrowFloats holds conversions to the nearest number of the format, found by looking
// for it: bf16, fp16 and e4m3 as the manual defines them.
func TestNarrowFloats(t *testing.T) {
	bf := func(c int) float64 { return float64(math.Float32frombits(uint32(c) << 16)) }
	hf := func(c int) float64 {
		if e := c >> 10; e > 0 {
			return math.Ldexp(1+float64(c&1023)/1024, e-15)
		}
		return math.Ldexp(float64(c&1023)/1024, -14)
	}
	e4 := func(c int) float64 {
		if e := c >> 3; e > 0 {
			return math.Ldexp(1+float64(c&7)/8, e-7)
		}
		return math.Ldexp(float64(c&7)/8, -6)
	}
	type format struct {
		codes          int // of finite numbers that are not negative
		value          func(int) float64
		sign, nan, inf int
		half           float64 // from here on it is too large
	}
	bf16 := format{0x7f80, bf, 1 << 15, 0x7fff, 0x7f80, math.Ldexp(1+255.0/256, 127)}
	fp16 := format{0x7c00, hf, 1 << 15, 0x7fff, 0x7c00, 65520}
	fp8 := format{0x7f, e4, 1 << 7, 0x7f, 0x7e, 464} // .satfinite: too large becomes the largest
	to := func(f format, v uint64) uint64 {
		x := float64(math.Float32frombits(uint32(v)))
		if x != x {
			return uint64(f.nan)
		}
		c := f.inf
		if math.Abs(x) < f.half {
			c = near(new(big.Float).SetPrec(700).SetFloat64(math.Abs(x)), f.codes, f.value)
		}
		if math.Signbit(x) {
			c |= f.sign
		}
		return uint64(c)
	}
	relu := func(v uint64) uint64 {
		if v>>31 != 0 && v<<33 <= 0xff000000<<32 { // negative, no NaN
			return 0
		}
		return v
	}
	two := func(f format, bits int, relus bool) func(a, b, c uint64) (uint64, bool) {
		return func(a, b, _ uint64) (uint64, bool) {
			if relus {
				a, b = relu(a), relu(b)
			}
			return to(f, a)<<bits | to(f, b), true
		}
	}
	cases := []scalarCase{
		{op: "cvt.rn.bf16x2.f32", args: 2, in: "ff", out: "r", want: two(bf16, 16, false)},
		{op: "cvt.rn.relu.bf16x2.f32", args: 2, in: "ff", out: "r", want: two(bf16, 16, true)},
		{op: "cvt.rn.f16x2.f32", args: 2, in: "ff", out: "r", want: two(fp16, 16, false)},
		{op: "cvt.rn.satfinite.e4m3x2.f32", args: 2, in: "ff", out: "h", want: two(fp8, 8, false)},
		{op: "cvt.rn.satfinite.relu.e4m3x2.f32", args: 2, in: "ff", out: "h", want: two(fp8, 8, true)},
		{op: "cvt.rn.bf16.f32", args: 1, in: "f", out: "h", want: func(a, _, _ uint64) (uint64, bool) { return to(bf16, a), true }},
		{op: "cvt.rn.f16.f32", args: 1, in: "f", out: "h", want: func(a, _, _ uint64) (uint64, bool) { return to(fp16, a), true }},
		{op: "cvt.f32.bf16", args: 1, in: "h", out: "f", want: func(a, _, _ uint64) (uint64, bool) {
			if a&0x7fff > 0x7f80 {
				return 0x7fffffff, true
			}
			return a << 16, true
		}},
		{op: "cvt.f32.f16", args: 1, in: "h", out: "f", want: func(a, _, _ uint64) (uint64, bool) {
			c := int(a & 0x7fff)
			if c > 0x7c00 {
				return 0x7fffffff, true
			}
			v := math.Inf(1)
			if c < 0x7c00 {
				v = hf(c)
			}
			return uint64(math.Float32bits(float32(v))) | a>>15<<31, true
		}},
		{op: "cvt.rn.f16x2.e4m3x2", args: 1, in: "h", out: "r", want: func(a, _, _ uint64) (v uint64, ok bool) {
			for i := range 2 {
				c := int(a >> (8 * i) & 255)
				w := uint64(0x7fff)
				if c&127 != 127 {
					w = uint64(near(new(big.Float).SetFloat64(e4(c&127)), 0x7c00, hf)) | uint64(c>>7)<<15
				}
				v |= w << (16 * i)
			}
			return v, true
		}},
	}
	// Arithmetic on pairs of bf16: each half exact, rounded once.
	pair := func(f format, of func(x, y, z *big.Float) *big.Float) func(a, b, c uint64) (uint64, bool) {
		return func(a, b, c uint64) (v uint64, ok bool) {
			for i := range 2 {
				var x [3]*big.Float
				for j, s := range []uint64{a, b, c} {
					h := int(s >> (16 * i) & 0x7fff)
					if h >= f.inf {
						return 0, false
					}
					x[j] = new(big.Float).SetPrec(700).SetFloat64(f.value(h))
					if s>>(16*i+15)&1 != 0 {
						x[j].Neg(x[j])
					}
				}
				r := of(x[0], x[1], x[2])
				if r.Sign() == 0 {
					return 0, false // the sign of zero is not asked here
				}
				k := f.inf
				if m := new(big.Float).Abs(r); m.Cmp(big.NewFloat(f.half)) < 0 {
					k = near(m, f.codes, f.value)
				}
				if r.Sign() < 0 {
					k |= f.sign
				}
				v |= uint64(k) << (16 * i)
			}
			return v, true
		}
	}
	for name, f := range map[string]format{"bf16x2": bf16, "f16x2": fp16} {
		for op, of := range map[string]func(x, y, z *big.Float) *big.Float{
			"add": func(x, y, _ *big.Float) *big.Float { return x.Add(x, y) },
			"mul": func(x, y, _ *big.Float) *big.Float { return x.Mul(x, y) },
			"fma": func(x, y, z *big.Float) *big.Float { return x.Add(x.Mul(x, y), z) }} {
			rn := ".rn."
			if op != "fma" {
				rn = "."
			}
			args := 2
			if op == "fma" {
				args = 3
			}
			cases = append(cases, scalarCase{op: op + rn + name, args: args, in: "rrr", out: "r", want: pair(f, of)})
		}
	}
	for i := range cases {
		cases[i].floats = cases[i].in[0] == 'f'
	}
	runScalars(t, cases)
	for c := range 127 { // every e4m3 goes through fp32 and back
		for _, sign := range []int{0, 128} {
			if f := e4m3[c|sign]; float64(f) != e4(c)*float64(1-sign/64) || int(toE4M3(f)) != c|sign {
				t.Errorf("e4m3 %#x is %g, back %#x", c|sign, f, toE4M3(f))
			}
		}
	}
}

// TestApproximations: within two ulp of the true value, or an absolute 2^-20 for sine, cosine
// and logarithms near one, where the manual allows more than this.
func TestApproximations(t *testing.T) {
	for op, of := range map[string]func(float64) float64{"ex2.approx.ftz.f32": math.Exp2, "lg2.approx.f32": math.Log2, "rsqrt.approx.f32": func(x float64) float64 { return 1 / math.Sqrt(x) },
		"rcp.approx.ftz.f32": func(x float64) float64 { return 1 / x }, "sqrt.approx.f32": math.Sqrt, "sin.approx.f32": math.Sin, "cos.approx.f32": math.Cos, "tanh.approx.f32": math.Tanh} {
		r := rand.New(rand.NewPCG(5, 6))
		var in [][]uint64
		for range 512 {
			in = append(in, []uint64{uint64(math.Float32bits(float32(r.ExpFloat64() * 3)))})
		}
		out, _, err := rig(Options{}, 512, 0, in, 1, nil, "ld.global.f32 %f1, [%in];\n"+op+" %f2, %f1;\nst.global.u64 [%out], 0;\nst.global.f32 [%out], %f2;")
		if err != nil {
			t.Fatal(err)
		}
		for i := range in {
			x := float64(math.Float32frombits(uint32(in[i][0])))
			got, want := float64(math.Float32frombits(uint32(out[i][0]))), of(x)
			if math.Abs(got-want) > math.Abs(want)*0x1p-22+0x1p-40 {
				t.Errorf("%s of %g = %g, want %g", op, x, got, want)
			}
		}
	}
}

// TestSetp: every comparison of every type, with its contrary and another predicate.
func TestSetp(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, ty := range []string{"u16", "s16", "u32", "s32", "u64", "s64", "f32"} {
		rels := []string{"eq", "ne", "lt", "le", "gt", "ge"}
		if ty == "f32" {
			rels = append(rels, "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")
		} else if ty[0] == 'u' {
			rels = append(rels, "lo", "ls", "hi", "hs")
		}
		for _, rel := range rels {
			for _, with := range []string{"", "and", "or", "xor"} {
				k := map[string]string{"u16": "h", "s16": "h", "u32": "r", "s32": "r", "u64": "d", "s64": "d", "f32": "f"}[ty]
				var in [][]uint64
				for range 64 {
					of := edges
					if ty == "f32" {
						of = floatEdges
					}
					a := of[r.IntN(len(of))]
					b := of[r.IntN(len(of))]
					if r.IntN(3) == 0 {
						b = a
					}
					in = append(in, []uint64{a, b, r.Uint64() & 1})
				}
				op, tail := "setp."+rel+"."+ty, ""
				if with != "" {
					op, tail = "setp."+rel+"."+with+"."+ty, ", !%p3"
				}
				out, _, err := rig(Options{}, 64, 0, in, 1, nil, fmt.Sprintf(`
	ld.global.%[1]s %%%[2]s1, [%%in];
	ld.global.%[1]s %%%[2]s2, [%%in+8];
	ld.global.u64 %%d9, [%%in+16];
	setp.ne.u64 %%p3, %%d9, 0;
	%[3]s %%p1|%%p2, %%%[2]s1, %%%[2]s2%[4]s;
	selp.u64 %%d10, 1, 0, %%p1;
	selp.u64 %%d11, 2, 0, %%p2;
	or.b64 %%d10, %%d10, %%d11;
	st.global.u64 [%%out], %%d10;`, ty, k, op, tail))
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range in {
					var sign int
					open := false
					if ty == "f32" {
						x, y := math.Float32frombits(uint32(v[0])), math.Float32frombits(uint32(v[1]))
						open = x != x || y != y
						if x < y {
							sign = -1
						} else if x > y {
							sign = 1
						}
					} else {
						size := typeSizes[ty]
						sign = whole(v[0], size, ty[0] == 's').Cmp(whole(v[1], size, ty[0] == 's'))
					}
					base := strings.TrimSuffix(rel, "u")
					yes := map[string]bool{"eq": sign == 0, "ne": sign != 0, "lt": sign < 0, "le": sign <= 0, "gt": sign > 0, "ge": sign >= 0,
						"lo": sign < 0, "ls": sign <= 0, "hi": sign > 0, "hs": sign >= 0, "num": true, "nan": false}[base]
					if open {
						yes = base != rel || rel == "nan"
					}
					c := v[2] == 0
					mix := func(p bool) bool {
						return map[string]bool{"": p, "and": p && c, "or": p || c, "xor": p != c}[with]
					}
					want := map[bool]uint64{true: 1}[mix(yes)] | map[bool]uint64{true: 2}[mix(!yes)]
					if out[i][0] != want {
						t.Fatalf("%s of %#x: %b, want %b", op, v, out[i][0], want)
					}
				}
			}
		}
	}
}
