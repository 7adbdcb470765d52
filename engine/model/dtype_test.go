package model

import (
	"math"
	"testing"
)

// All 65,536 halves, against the definition. A slip in the subnormals or at the top
// would load other people's F16 checkpoints slightly wrong.
func TestF16(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1.0, h>>10&0x1f, float64(h&0x3ff)
		if h>>15 == 1 {
			sign = -1
		}
		var want float64
		switch exp {
		case 0:
			want = sign * frac * math.Pow(2, -24)
		case 31:
			want = sign * math.Inf(1)
			if frac != 0 {
				want = math.NaN()
			}
		default:
			want = sign * (1 + frac/1024) * math.Pow(2, float64(exp-15))
		}
		got := f16ToF32(uint16(h))
		if float64(got) != want && !(got != got && want != want) || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("%#04x is %v, want %v", h, got, want)
		}
	}
}

// BF16 there and back is the identity; between two neighbours the nearer is taken and,
// in the middle, the even one.
func TestBF16(t *testing.T) {
	for h := range 1 << 16 {
		b := uint16(h)
		f := bf16ToF32(b)
		if f != f {
			if back := bf16ToF32(f32ToBF16(f)); back == back {
				t.Fatalf("NaN %#04x became %v", b, back)
			}
			continue
		}
		if back := f32ToBF16(f); back != b {
			t.Fatalf("%#04x became %#04x", b, back)
		}
		if !finite(f) {
			continue
		}
		bits := math.Float32bits(f)
		for _, c := range []struct {
			low  uint32
			want uint16
		}{{0x7fff, b}, {0x8000, b + b&1}, {0x8001, b + 1}} {
			if got := f32ToBF16(math.Float32frombits(bits | c.low)); got != c.want {
				t.Fatalf("%#08x became %#04x, want %#04x", bits|c.low, got, c.want)
			}
		}
	}
	if got := bf16ToF32(f32ToBF16(math.Float32frombits(0x7f800001))); got == got {
		t.Errorf("a NaN whose bits are all in the lower half became %v", got)
	}
}
