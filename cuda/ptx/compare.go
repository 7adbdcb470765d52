package ptx

import (
	"slices"
	"strings"
)

func init() { opcode(Compare, (*decoder).setp, "setp") }

// setp compares, and combines the answer with another predicate: p|q take the answer and its
// contrary.
func (d *decoder) setp() {
	rel := d.parts[1]
	t := d.typ()
	d.only(rel, "and", "or", "xor", "ftz", "u16", "s16", "b16", "u32", "s32", "b32", "f32", "u64", "s64", "b64")
	size, signed := d.scalar()
	var test func(x, y uint64) bool
	if t == "f32" {
		ftz := d.has("ftz")
		name, unordered := strings.CutSuffix(rel, "u")
		order := map[string]func(x, y float32) bool{
			"lt": func(x, y float32) bool { return x < y }, "le": func(x, y float32) bool { return x <= y },
			"gt": func(x, y float32) bool { return x > y }, "ge": func(x, y float32) bool { return x >= y },
			"eq": func(x, y float32) bool { return x == y }, "ne": func(x, y float32) bool { return x < y || x > y },
			"num": func(x, y float32) bool { return true }, "nan": func(x, y float32) bool { return false }}[name]
		if rel == "num" || rel == "nan" {
			unordered = rel == "nan"
		}
		if order == nil {
			d.fail("comparison %s", rel)
			return
		}
		test = func(x, y uint64) bool {
			a, b := f32(x), f32(y)
			if a != a || b != b {
				return unordered
			}
			if ftz {
				a, b = flush(a), flush(b)
			}
			return order(a, b)
		}
	} else {
		if slices.Contains([]string{"lo", "ls", "hi", "hs"}, rel) {
			if signed {
				d.fail("comparison %s of %s", rel, t)
			}
			rel = map[string]string{"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}[rel]
		}
		sx := func(x uint64) int64 { return extend(x, size) }
		switch rel {
		case "eq":
			test = func(x, y uint64) bool { return x == y }
		case "ne":
			test = func(x, y uint64) bool { return x != y }
		case "lt":
			test = func(x, y uint64) bool { return x < y }
			if signed {
				test = func(x, y uint64) bool { return sx(x) < sx(y) }
			}
		case "le":
			test = func(x, y uint64) bool { return x <= y }
			if signed {
				test = func(x, y uint64) bool { return sx(x) <= sx(y) }
			}
		case "gt":
			test = func(x, y uint64) bool { return x > y }
			if signed {
				test = func(x, y uint64) bool { return sx(x) > sx(y) }
			}
		case "ge":
			test = func(x, y uint64) bool { return x >= y }
			if signed {
				test = func(x, y uint64) bool { return sx(x) >= sx(y) }
			}
		default:
			d.fail("comparison %s", rel)
			return
		}
	}
	to, contrary, two := strings.Cut(d.arg(0), "|")
	p, q := d.writeFlag(strings.TrimSpace(to)), int32(-1)
	if two {
		q = d.writeFlag(strings.TrimSpace(contrary))
	}
	a, b := d.read(1), d.read(2)
	var c flag
	with := 0
	for i, op := range []string{"and", "or", "xor"} {
		if d.has(op) {
			with = i + 1
			c = d.readFlag(d.arg(3))
		}
	}
	d.in.run = func(w *warp, mask uint32) {
		x, y := a.of(w), b.of(w)
		v := uint32(0)
		for l := range x {
			if mask>>l&1 != 0 && test(x[l], y[l]) {
				v |= 1 << l
			}
		}
		n := ^v
		switch with {
		case 1:
			v, n = v&c.of(w), n&c.of(w)
		case 2:
			v, n = v|c.of(w), n|c.of(w)
		case 3:
			v, n = v^c.of(w), n^c.of(w)
		}
		w.flag(p, v, mask)
		w.flag(q, n, mask)
	}
}
