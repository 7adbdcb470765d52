package ptx

import (
	"encoding/binary"
	"strconv"
	"strings"
)

func init() { opcode(Matrix, (*decoder).wgmma, "wgmma") }

// product is a wgmma under way, this warp's 16 rows of it: D [64, N] += A [64, k] B [k, N].
type product struct {
	n      int
	kind   string
	to     []int32
	a      []src  // in registers, or nil
	da, db uint64 // descriptors
	ta, tb bool   // the other dimension is the contiguous one
	add    bool
	neg    bool
	clock  []uint32 // what the warp knew when it began
	line   int
	group  int // commits before it
	rows   int // of the warp within the 64
}

// wgmma decodes the instruction and those around it.
func (d *decoder) wgmma() {
	d.k.products = true
	switch d.parts[1] {
	case "fence":
		d.only("fence", "sync", "aligned")
		d.in.run = func(w *warp, mask uint32) {
			w.whole(mask)
			w.age++
			w.fencedOnce = true
		}
	case "commit_group":
		d.only("commit_group", "sync", "aligned")
		d.in.run = func(w *warp, mask uint32) {
			w.whole(mask)
			w.commits++
		}
	case "wait_group":
		d.only("wait_group", "sync", "aligned")
		n := int(d.value(0))
		d.in.run = func(w *warp, mask uint32) {
			w.whole(mask)
			for len(w.wg) > 0 && w.wg[0].group < w.commits-n {
				w.complete(&w.wg[0])
				w.wg = w.wg[1:]
			}
		}
	case "mma_async":
		d.wgmmaAsync()
	}
}

func (d *decoder) wgmmaAsync() {
	if len(d.parts) != 8 {
		d.fail("this wgmma is not known")
		return
	}
	shape, kind := d.parts[4], d.parts[6]
	d.only("mma_async", "sync", "aligned", shape, "f32", "bf16", "f16", "e4m3")
	ns, ks, ok := strings.Cut(strings.TrimPrefix(shape, "m64n"), "k")
	n, err := strconv.Atoi(ns)
	if !ok || err != nil || n < 8 || n > 256 || n%8 != 0 || d.parts[5] != "f32" || d.parts[7] != kind || ks != map[string]string{"bf16": "16", "f16": "16", "e4m3": "32"}[kind] {
		d.fail("this wgmma is not known")
		return
	}
	p := product{n: n, kind: kind}
	// D is read and written, but when the instruction runs on, not now.
	for _, name := range d.list(0) {
		r, ok := d.register(name)
		if !ok {
			d.fail("operand %q is no register", name)
		}
		p.to = append(p.to, r)
	}
	if len(p.to) != n/2 {
		d.fail("%d registers of the result, want %d", len(p.to), n/2)
	}
	var da src
	if strings.HasPrefix(d.arg(1), "{") {
		p.a = d.readList(1)
		if len(p.a) != 4 {
			d.fail("%d registers of A", len(p.a))
		}
	} else {
		da = d.read(1)
	}
	db, scale := d.read(2), d.readFlag(d.arg(3))
	sa, sb := int64(d.value(4)), int64(d.value(5))
	if sa != 1 && sa != -1 || sb != 1 && sb != -1 {
		d.fail("scale %d, %d", sa, sb)
	}
	p.neg = sa != sb
	if kind != "e4m3" {
		i := 6
		if p.a == nil {
			p.ta = d.value(i) != 0
			i++
		}
		p.tb = d.value(i) != 0
	}
	d.in.run = func(w *warp, mask uint32) {
		w.whole(mask)
		q := p
		q.add = scale.of(w)&1 != 0
		if v := scale.of(w); v != 0 && v != full {
			w.fault(Value, 0, "scale-d differs among lanes")
		}
		if p.a == nil {
			q.da = w.same(da)
		}
		q.db = w.same(db)
		w.begin(q)
	}
}

// same is an operand that must be the same in all lanes.
func (w *warp) same(s src) uint64 {
	v := s.of(w)
	for l, x := range v {
		if x != v[0] {
			w.fault(Value, l, "the descriptor differs among lanes")
		}
	}
	return v[0]
}

// begin starts a product: its registers must be fenced, its operands in shared memory known
// to the asynchronous proxy.
func (w *warp) begin(p product) {
	if !w.fencedOnce {
		w.fault(Async, 0, "no wgmma.fence came before")
	}
	for _, r := range p.to {
		if p.add && w.def[r] != full {
			w.undefined(^w.def[r], r, false)
		}
		if w.ages[r] == w.age && w.busy[r] == 0 {
			w.fault(Async, 0, "register %s was written after the last wgmma.fence", w.b.k.regNames[r])
		}
	}
	for _, s := range p.a {
		if s.imm == nil && w.ages[s.reg] == w.age {
			w.fault(Async, 0, "register %s was written after the last wgmma.fence", w.b.k.regNames[s.reg])
		}
	}
	for i := range w.wg { // the same accumulator in another shape is not in order
		if q := &w.wg[i]; q.n != p.n && overlap(q.to, p.to) {
			w.fault(Async, 0, "registers of a wgmma of another shape that runs (line %d)", q.line)
		}
	}
	p.rows = w.id % 4 * 16
	p.line, p.group = w.in.line, w.commits
	p.clock = append([]uint32(nil), w.clock...)
	w.tick()
	p.each(w, func(off, n int) { w.proxied(off, n, 0) })
	for _, r := range p.to {
		w.busy[r]++
		w.def[r] = full
	}
	for _, s := range p.a {
		if s.imm == nil {
			w.held[s.reg]++
		}
	}
	w.b.count.MultiplyAdds += int64(16 * p.n * 32 / p.bytes())
	w.products++
	if w.b.early {
		w.compute(&p)
	}
	w.wg = append(w.wg, p)
}

func overlap(a, b []int32) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// complete ends a product that was waited for.
func (w *warp) complete(p *product) {
	if !w.b.early {
		w.compute(p)
	}
	p.each(w, func(off, n int) { w.kept(off, n, p.clock, p.line, 0) })
	for _, r := range p.to {
		w.busy[r]--
	}
	for _, s := range p.a {
		if s.imm == nil {
			w.held[s.reg]--
		}
	}
}

func (p *product) bytes() int {
	if p.kind == "e4m3" {
		return 1
	}
	return 2
}

// descriptor places a matrix of rows of 32 bytes of k in shared memory, or with transposed of
// k rows of 16-bit elements; see "Matrix descriptor" and "canonical layouts" in NVIDIA's manual:
//
//	bits 0-13   address / 16
//	bits 16-29  leading dimension's byte offset / 16
//	bits 32-45  stride dimension's byte offset / 16
//	bits 49-51  base offset
//	bits 62-63  0 no swizzle, 1 128 bytes, 2 64, 3 32
type descriptor struct {
	start, leading, stride uint64
	swizzle                Swizzle
}

func (w *warp) descriptor(v uint64) descriptor {
	d := descriptor{v & 0x3fff << 4, v >> 16 & 0x3fff << 4, v >> 32 & 0x3fff << 4, [4]Swizzle{SwizzleNone, Swizzle128B, Swizzle64B, Swizzle32B}[v>>62]}
	if v>>49&7 != 0 {
		w.fault(Value, 0, "a matrix descriptor with a base offset is not known")
	}
	// The pattern repeats every eight rows of its width: with no base offset it begins there.
	if d.swizzle != SwizzleNone && d.start>>7&(1<<d.swizzle-1) != 0 {
		w.fault(Value, 0, "a swizzled matrix at %#x: its pattern begins at multiples of %d", d.start, 128<<d.swizzle)
	}
	return d
}

// chunk is the address of the 16 bytes with element [mn][k], where k is contiguous: of the
// row mn, bytes 16c on.
func (d descriptor) chunk(mn, c int) uint64 {
	if d.swizzle == SwizzleNone { // 8 rows of 16 bytes in one piece
		return d.start + uint64(mn%8*16) + uint64(mn/8)*d.stride + uint64(c)*d.leading
	}
	return d.swizzle.of(d.start + uint64(mn%8)*(16<<d.swizzle) + uint64(mn/8)*d.stride + uint64(c*16))
}

// chunkMN is that where mn is contiguous: of row k, eight elements from 8c on.
func (d descriptor) chunkMN(k, c int) uint64 {
	if d.swizzle == SwizzleNone {
		return d.start + uint64(k%8*16) + uint64(k/8)*d.leading + uint64(c)*d.stride
	}
	wide := 1 << d.swizzle // chunks side by side
	return d.swizzle.of(d.start + uint64(k%8)*(16<<d.swizzle) + uint64(k/8)*d.stride + uint64(c%wide*16) + uint64(c/wide)*d.leading)
}

// each calls f for every 16 bytes of shared memory that this warp's part reads.
func (p *product) each(w *warp, f func(off, n int)) {
	visit := func(desc uint64, from, n int, transposed bool) {
		d := w.descriptor(desc)
		if transposed {
			for k := range 16 {
				for c := from / 8; c < (from+n)/8; c++ {
					f(w.place(d.chunkMN(k, c), 16, 0), 16)
				}
			}
			return
		}
		for r := from; r < from+n; r++ {
			f(w.place(d.chunk(r, 0), 16, 0), 16)
			f(w.place(d.chunk(r, 1), 16, 0), 16)
		}
	}
	if p.a == nil {
		visit(p.da, p.rows, 16, p.ta)
	}
	visit(p.db, 0, p.n, p.tb)
}

// rowsOf reads n rows from a matrix: [n][k] as fp32.
func (p *product) rowsOf(w *warp, desc uint64, from, n int, transposed bool, out [][32]float32) {
	d := w.descriptor(desc)
	widen := unpacker(p.kind)
	per := 4 / p.bytes()
	for i := range n {
		if transposed {
			for k := range 16 {
				off := w.place(d.chunkMN(k, (from+i)/8), 16, 0) + (from+i)%8*2
				var two [2]float32
				widen(two[:], uint64(binary.LittleEndian.Uint16(w.b.shared[off:])))
				out[i][k] = two[0]
			}
			continue
		}
		for c := range 2 {
			off := w.place(d.chunk(from+i, c), 16, 0)
			for j := range 4 {
				widen(out[i][(c*4+j)*per:], uint64(binary.LittleEndian.Uint32(w.b.shared[off+4*j:])))
			}
		}
	}
}

// compute is the warp's 16 rows. With g = lane/4, t = lane%4, register i of the result is row
// g + 8(i/2%2), column 8(i/4) + 2t + i%2; A in registers lies as in mma.
func (w *warp) compute(p *product) {
	k := 32 / p.bytes()
	var a [16][32]float32
	b := make([][32]float32, p.n)
	if p.a != nil {
		widen, per := unpacker(p.kind), 4/p.bytes()
		for i, s := range p.a {
			x := s.of(w)
			for l := range x {
				widen(a[l>>2+i&1<<3][l&3*per+i>>1*4*per:], x[l])
			}
		}
	} else {
		p.rowsOf(w, p.da, p.rows, 16, p.ta, a[:])
	}
	p.rowsOf(w, p.db, 0, p.n, p.tb, b)
	for i, reg := range p.to {
		r := &w.reg[reg]
		for l := range r {
			x, y := &a[l>>2+i>>1&1<<3], &b[i>>2<<3+l&3<<1+i&1]
			s := float32(0)
			if p.add {
				s = f32(r[l])
			}
			for j := range k {
				if v := x[j] * y[j]; p.neg {
					s -= v
				} else {
					s += v
				}
			}
			r[l] = bits32(s)
		}
	}
}
