package ptx

import (
	"fmt"
	"slices"
	"strings"
)

func (d *decoder) fail(format string, a ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, a...)
	}
}

// arg is operand i as text.
func (d *decoder) arg(i int) string {
	if i >= len(d.st.args) {
		d.fail("operand %d is missing", i)
		return "0"
	}
	return d.st.args[i]
}

// typ is the opcode's last word.
func (d *decoder) typ() string { return d.parts[len(d.parts)-1] }

// has says whether a word stands in the opcode.
func (d *decoder) has(mod string) bool { return slices.Contains(d.parts[1:], mod) }

// only holds that the opcode has no words but those named and those that stand in a list.
func (d *decoder) only(allowed ...string) {
	for _, p := range d.parts[1:] {
		if !slices.Contains(allowed, p) {
			d.fail("%s.%s is not known", d.parts[0], p)
		}
	}
}

func (d *decoder) register(name string) (int32, bool) {
	t, ok := d.st.scope.find(name)
	if !ok || t.pred {
		return 0, false
	}
	key := fmt.Sprintf("%d %s", t.scope, name)
	i, ok := d.regs[key]
	if !ok {
		i = int32(len(d.k.regNames))
		d.regs[key] = i
		d.k.regNames = append(d.k.regNames, name)
		d.k.regBytes = append(d.k.regBytes, t.size)
	}
	return i, true
}

func (d *decoder) predicate(name string) (int32, bool) {
	t, ok := d.st.scope.find(name)
	if !ok || !t.pred {
		return 0, false
	}
	key := fmt.Sprintf("%d %s", t.scope, name)
	i, ok := d.preds[key]
	if !ok {
		i = int32(len(d.k.predNames))
		d.preds[key] = i
		d.k.predNames = append(d.k.predNames, name)
	}
	return i, true
}

// src is an operand that is read: a register or the same value in all lanes.
type src struct {
	reg int32
	imm *lanes
}

func (s src) of(w *warp) *lanes {
	if s.imm != nil {
		return s.imm
	}
	return &w.reg[s.reg]
}

// in reads operand i.
func (d *decoder) read(i int) src { return d.source(d.arg(i)) }

func (d *decoder) source(name string) src {
	if r, ok := d.register(name); ok {
		d.in.reads = append(d.in.reads, r)
		return src{reg: r}
	}
	if s, ok := d.symbols[name]; ok {
		return d.constant(s.at)
	}
	if strings.HasPrefix(name, "%") {
		if r, ok := d.specialRegister(name); ok {
			return src{reg: r}
		}
	}
	v, err := number(name)
	if err != nil {
		d.fail("operand %q", name)
	}
	return d.constant(v)
}

func (d *decoder) constant(v uint64) src {
	v &= d.keep
	p := d.imms[v]
	if p == nil {
		p = new(lanes)
		for l := range p {
			p[l] = v
		}
		d.imms[v] = p
	}
	return src{imm: p}
}

// value is operand i where it must be a number.
func (d *decoder) value(i int) uint64 {
	v, err := number(d.arg(i))
	if err != nil {
		d.fail("operand %q must be a number", d.arg(i))
	}
	return v
}

// write is the register of operand i, -1 for the sink.
func (d *decoder) write(i int) int32 { return d.target(d.arg(i)) }

func (d *decoder) target(name string) int32 {
	if name == "_" {
		r, ok := d.regs["_"]
		if !ok {
			r = int32(len(d.k.regNames))
			d.regs["_"] = r
			d.k.regNames = append(d.k.regNames, "_")
			d.k.regBytes = append(d.k.regBytes, 8)
		}
		return r
	}
	r, ok := d.register(name)
	if !ok {
		d.fail("operand %q is no register", name)
	}
	d.in.writes = append(d.in.writes, r)
	return r
}

// flag is a predicate that is read, or !p, or a number.
type flag struct {
	reg    int32 // -1: not a register
	negate bool
	value  uint32
}

func (f flag) of(w *warp) uint32 {
	if f.reg < 0 {
		return f.value
	}
	if f.negate {
		return ^w.pred[f.reg]
	}
	return w.pred[f.reg]
}

func (d *decoder) readFlag(name string) flag {
	bare := strings.TrimPrefix(name, "!")
	if p, ok := d.predicate(bare); ok {
		d.in.preads = append(d.in.preads, p)
		return flag{reg: p, negate: bare != name}
	}
	v, err := number(name)
	if err != nil {
		d.fail("operand %q is no predicate", name)
	}
	if v != 0 {
		return flag{-1, false, full}
	}
	return flag{-1, false, 0}
}

// writeFlag is the predicate of a name, -1 for the sink.
func (d *decoder) writeFlag(name string) int32 {
	if name == "_" {
		return -1
	}
	p, ok := d.predicate(name)
	if !ok {
		d.fail("operand %q is no predicate", name)
	}
	d.in.pwrites = append(d.in.pwrites, p)
	return p
}

// list is what stands in braces, or the operand alone.
func (d *decoder) list(i int) []string {
	s := d.arg(i)
	if !strings.HasPrefix(s, "{") {
		return []string{s}
	}
	var out []string
	for x := range strings.SplitSeq(strings.Trim(s, "{} "), ",") {
		out = append(out, strings.TrimSpace(x))
	}
	return out
}

func (d *decoder) readList(i int) []src {
	var out []src
	for _, s := range d.list(i) {
		out = append(out, d.source(s))
	}
	return out
}

func (d *decoder) writeList(i int) []int32 {
	var out []int32
	for _, s := range d.list(i) {
		out = append(out, d.target(s))
	}
	return out
}

// addr is [register+offset] or [name+offset].
type addr struct {
	base src
	off  int64
}

func (a addr) of(w *warp, l int) uint64 { return a.base.of(w)[l] + uint64(a.off) }

func (d *decoder) address(i int) addr { return d.addressOf(d.arg(i)) }

func (d *decoder) addressOf(s string) addr {
	if !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") {
		d.fail("operand %q is no address", s)
		return addr{}
	}
	s = strings.TrimSpace(s[1 : len(s)-1])
	base, off, has := strings.Cut(s, "+")
	keep := d.keep
	d.keep = ones(8)
	a := addr{base: d.source(strings.TrimSpace(base))}
	d.keep = keep
	if has {
		v, err := number(strings.TrimSpace(off))
		if err != nil {
			d.fail("offset %q", off)
		}
		a.off = int64(v)
	}
	return a
}

// each runs f for every lane of the mask.
func each(f func(w *warp, l int)) func(*warp, uint32) {
	return func(w *warp, mask uint32) {
		for l := range 32 {
			if mask>>l&1 != 0 {
				f(w, l)
			}
		}
	}
}
