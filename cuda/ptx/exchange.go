package ptx

import (
	"math/bits"
	"strings"
)

func init() {
	opcode(Exchange, (*decoder).shuffle, "shfl")
	opcode(Exchange, (*decoder).vote, "vote")
	opcode(Exchange, (*decoder).match, "match")
	opcode(Exchange, (*decoder).redux, "redux")
	opcode(Exchange, (*decoder).active, "activemask")
	opcode(Exchange, (*decoder).elect, "elect")
}

// members holds that exactly the lanes of the membermask are here, as .sync wants.
func (w *warp) members(named, mask uint32) {
	if mask&^named != 0 {
		w.fault(Convergence, bits.TrailingZeros32(mask&^named), "lane is not of the mask %#x", named)
	}
	if miss := named &^ mask; miss != 0 {
		w.fault(Convergence, bits.TrailingZeros32(miss), "reached by lanes %#x, %#x are named", mask, named)
	}
}

// named is the membermask, the same in all lanes.
func named(s src, w *warp, mask uint32) uint32 {
	return uint32(s.of(w)[bits.TrailingZeros32(mask)])
}

func (d *decoder) shuffle() {
	d.only("sync", "up", "down", "bfly", "idx", "b32")
	d.keep = ones(4)
	to, flagName, has := strings.Cut(d.arg(0), "|")
	z, p := d.target(strings.TrimSpace(to)), int32(-1)
	if has {
		p = d.writeFlag(strings.TrimSpace(flagName))
	}
	a, b, c, m := d.read(1), d.read(2), d.read(3), d.read(4)
	mode := d.parts[2]
	if !d.has("sync") {
		d.fail("shuffles are .sync")
	}
	d.in.run = func(w *warp, mask uint32) {
		w.members(named(m, w, mask), mask)
		old := *a.of(w)
		bs, cs := *b.of(w), *c.of(w)
		r, valid := &w.reg[z], uint32(0)
		for l := range 32 {
			if mask>>l&1 == 0 {
				continue
			}
			n, clampTo, seg := int(bs[l]&31), int(cs[l]&31), int(cs[l]>>8&31)
			hi, lo := l&seg|clampTo&^seg, l&seg
			var j int
			var ok bool
			switch mode {
			case "up":
				j = l - n
				ok = j >= hi
			case "down":
				j = l + n
				ok = j <= hi
			case "bfly":
				j = l ^ n
				ok = j <= hi
			default:
				j = lo | n&^seg
				ok = j <= hi
			}
			if !ok {
				j = l
			} else {
				valid |= 1 << l
			}
			if mask>>j&1 == 0 {
				w.fault(Convergence, l, "takes from lane %d, which is not here", j)
			}
			r[l] = old[j]
		}
		w.flag(p, valid, mask)
	}
}

func (d *decoder) vote() {
	d.only("sync", "all", "any", "uni", "ballot", "pred", "b32")
	if !d.has("sync") {
		d.fail("votes are .sync")
	}
	d.keep = ones(4)
	mode := d.parts[2]
	z, p := int32(-1), int32(-1)
	if mode == "ballot" {
		z = d.write(0)
	} else {
		p = d.writeFlag(d.arg(0))
	}
	a, m := d.readFlag(d.arg(1)), d.read(2)
	d.in.run = func(w *warp, mask uint32) {
		w.members(named(m, w, mask), mask)
		v := a.of(w) & mask
		yes := false
		switch mode {
		case "ballot":
			for l := range 32 {
				if mask>>l&1 != 0 {
					w.reg[z][l] = uint64(v)
				}
			}
			return
		case "all":
			yes = v == mask
		case "any":
			yes = v != 0
		case "uni":
			yes = v == 0 || v == mask
		}
		if yes {
			v = full
		} else {
			v = 0
		}
		w.flag(p, v, mask)
	}
}

func (d *decoder) match() {
	d.only("sync", "any", "all", "b32", "b64")
	d.scalar()
	to, flagName, has := strings.Cut(d.arg(0), "|")
	z, p := d.target(strings.TrimSpace(to)), int32(-1)
	if has {
		p = d.writeFlag(strings.TrimSpace(flagName))
	}
	a, m := d.read(1), d.read(2)
	all := d.has("all")
	d.in.run = func(w *warp, mask uint32) {
		w.members(named(m, w, mask), mask)
		x := *a.of(w)
		ok := uint32(0)
		for l := range 32 {
			if mask>>l&1 == 0 {
				continue
			}
			same := uint32(0)
			for j := range 32 {
				if mask>>j&1 != 0 && x[j] == x[l] {
					same |= 1 << j
				}
			}
			if all && same != mask {
				same = 0
			} else {
				ok |= 1 << l
			}
			w.reg[z][l] = uint64(same)
		}
		w.flag(p, ok, mask)
	}
}

func (d *decoder) redux() {
	d.only("sync", "add", "min", "max", "and", "or", "xor", "u32", "s32", "b32")
	_, signed := d.scalar()
	z, a, m := d.write(0), d.read(1), d.read(2)
	op := d.parts[2]
	d.in.run = func(w *warp, mask uint32) {
		w.members(named(m, w, mask), mask)
		x := *a.of(w)
		v := uint32(x[bits.TrailingZeros32(mask)])
		for l := bits.TrailingZeros32(mask) + 1; l < 32; l++ {
			if mask>>l&1 == 0 {
				continue
			}
			y := uint32(x[l])
			switch {
			case op == "add":
				v += y
			case op == "and":
				v &= y
			case op == "or":
				v |= y
			case op == "xor":
				v ^= y
			case op == "min" && signed:
				v = uint32(min(int32(v), int32(y)))
			case op == "min":
				v = min(v, y)
			case signed:
				v = uint32(max(int32(v), int32(y)))
			default:
				v = max(v, y)
			}
		}
		for l := range 32 {
			if mask>>l&1 != 0 {
				w.reg[z][l] = uint64(v)
			}
		}
	}
}

func (d *decoder) active() {
	z := d.write(0)
	d.in.run = func(w *warp, mask uint32) {
		for l := range 32 {
			if mask>>l&1 != 0 {
				w.reg[z][l] = uint64(mask)
			}
		}
	}
}

// elect picks one lane of the mask, the lowest.
func (d *decoder) elect() {
	d.only("sync")
	d.keep = ones(4)
	to, flagName, _ := strings.Cut(d.arg(0), "|")
	z, p := d.target(strings.TrimSpace(to)), d.writeFlag(strings.TrimSpace(flagName))
	m := d.read(1)
	d.in.run = func(w *warp, mask uint32) {
		w.members(named(m, w, mask), mask)
		first := bits.TrailingZeros32(mask)
		for l := range 32 {
			if mask>>l&1 != 0 {
				w.reg[z][l] = uint64(first)
			}
		}
		w.flag(p, 1<<first, mask)
	}
}
