package ptx

import "encoding/binary"

func init() {
	opcode(Matrix, (*decoder).ldmatrix, "ldmatrix")
	opcode(Matrix, (*decoder).stmatrix, "stmatrix")
	opcode(Matrix, (*decoder).mma, "mma")
}

// ldmatrix loads 8x8 matrices of 16-bit elements. Lane 8i+r has the address of row r of matrix
// i; lane l gets the elements 2(l%4), 2(l%4)+1 of row l/4, or with .trans of column l/4.
func (d *decoder) ldmatrix() {
	d.only("sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared", "shared::cta", "b16")
	regs, at, trans := d.writeList(0), d.address(1), d.has("trans")
	s := d.spaceOf()
	if want := map[int]string{1: "x1", 2: "x2", 4: "x4"}[len(regs)]; !d.has(want) {
		d.fail("%d registers", len(regs))
	}
	d.k.granule = min(d.k.granule, 16)
	d.in.run = func(w *warp, mask uint32) {
		w.whole(mask)
		var rows [32][]byte
		var from lanes
		for l := range 8 * len(regs) {
			sp, a := resolve(s, at.of(w, l))
			if sp != sharedSpace {
				w.fault(Bounds, l, "%#x is not of shared memory", a)
			}
			from[l] = a
			off := w.place(a, 16, l)
			w.reading(off, 16, several)
			rows[l] = w.b.shared[off : off+16 : off+16]
		}
		w.banks(&from, 0, 16, full>>(32-8*len(regs)))
		for i, reg := range regs {
			r := &w.reg[reg]
			m := rows[8*i : 8*i+8]
			if trans {
				for l := range r {
					c := l / 4 * 2
					lo := binary.LittleEndian.Uint16(m[l%4*2][c:])
					hi := binary.LittleEndian.Uint16(m[l%4*2+1][c:])
					r[l] = uint64(lo) | uint64(hi)<<16
				}
				continue
			}
			for j, row := range m {
				a, b := binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint64(row[8:])
				r[4*j], r[4*j+1], r[4*j+2], r[4*j+3] = uint64(uint32(a)), a>>32, uint64(uint32(b)), b>>32
			}
		}
	}
}

// stmatrix is the way back.
func (d *decoder) stmatrix() {
	d.only("sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared", "shared::cta", "b16")
	at, regs, trans := d.address(0), d.readList(1), d.has("trans")
	s := d.spaceOf()
	if want := map[int]string{1: "x1", 2: "x2", 4: "x4"}[len(regs)]; !d.has(want) {
		d.fail("%d registers", len(regs))
	}
	d.in.run = func(w *warp, mask uint32) {
		w.whole(mask)
		var from lanes
		for i, reg := range regs {
			r := reg.of(w)
			for j := range 8 {
				l := 8*i + j
				sp, a := resolve(s, at.of(w, l))
				if sp != sharedSpace {
					w.fault(Bounds, l, "%#x is not of shared memory", a)
				}
				from[l] = a
				off := w.place(a, 16, l)
				w.writing(off, 16, l, false)
				for c := range 8 {
					v := r[j*4+c/2] >> (c % 2 * 16)
					if trans {
						v = r[c*4+j/2] >> (j % 2 * 16)
					}
					binary.LittleEndian.PutUint16(w.b.shared[off+2*c:], uint16(v))
				}
			}
		}
		w.banks(&from, 0, 16, full>>(32-8*len(regs)))
	}
}

// mma multiplies A [16, k] by B [k, 8] and adds to C [16, 8], all in registers:
// m16n8k16 of bf16 or fp16, m16n8k32 of e4m3. With g = lane/4, t = lane%4:
//
//	16-bit: A register i holds row g + 8(i%2), columns 2t, 2t+1 + 8(i/2)
//	        B register i holds rows 2t, 2t+1 + 8i, column g
//	8-bit:  A register i holds row g + 8(i%2), columns 4t to 4t+3 + 16(i/2)
//	        B register i holds rows 4t to 4t+3 + 16i, column g
//	C, D:   register i is row g + 8(i/2), column 2t + i%2
func (d *decoder) mma() {
	d.only("sync", "aligned", "m16n8k16", "m16n8k8", "m16n8k32", "row", "col", "f32", "bf16", "f16", "e4m3")
	shape := d.parts[3]
	if len(d.parts) != 10 || d.parts[4] != "row" || d.parts[5] != "col" || d.parts[6] != "f32" || d.parts[9] != "f32" || d.parts[7] != d.parts[8] {
		d.fail("this mma is not known")
		return
	}
	kind := d.parts[7]
	k := map[string]int{"m16n8k8": 8, "m16n8k16": 16, "m16n8k32": 32}[shape]
	if (kind == "e4m3") != (k == 32) {
		d.fail("%s of %s", shape, kind)
	}
	to, a, b, c := d.writeList(0), d.readList(1), d.readList(2), d.readList(3)
	per := 2
	if kind == "e4m3" {
		per = 4
	}
	if len(to) != 4 || len(c) != 4 || len(a) != k/per/2 || len(b) != k/per/4 {
		d.fail("%d, %d, %d, %d registers", len(to), len(a), len(b), len(c))
		return
	}
	widen := unpacker(kind)
	d.in.run = func(w *warp, mask uint32) {
		w.whole(mask)
		w.b.count.MultiplyAdds += int64(128 * k)
		var am [16][32]float32
		var bm [8][32]float32 // by column
		for i, s := range a {
			x := s.of(w)
			for l := range x {
				widen(am[l>>2+i&1<<3][l&3*per+i>>1*4*per:], x[l])
			}
		}
		for i, s := range b {
			x := s.of(w)
			for l := range x {
				widen(bm[l>>2][l&3*per+i*4*per:], x[l])
			}
		}
		var acc [16][8]float32
		for i, s := range c {
			x := s.of(w)
			for l := range x {
				acc[l>>2+i>>1<<3][l&3<<1+i&1] = f32(x[l])
			}
		}
		for i := range acc {
			x := am[i][:k]
			for j := 0; j < 8; j += 4 {
				y0, y1, y2, y3 := bm[j][:k], bm[j+1][:k], bm[j+2][:k], bm[j+3][:k]
				s0, s1, s2, s3 := acc[i][j], acc[i][j+1], acc[i][j+2], acc[i][j+3]
				for n, v := range x {
					s0 += v * y0[n]
					s1 += v * y1[n]
					s2 += v * y2[n]
					s3 += v * y3[n]
				}
				acc[i][j], acc[i][j+1], acc[i][j+2], acc[i][j+3] = s0, s1, s2, s3
			}
		}
		for i, reg := range to {
			r := &w.reg[reg]
			for l := range r {
				r[l] = bits32(acc[l>>2+i>>1<<3][l&3<<1+i&1])
			}
		}
	}
}

// unpacker widens the elements of a register.
func unpacker(kind string) func(to []float32, v uint64) {
	switch kind {
	case "bf16":
		return func(to []float32, v uint64) { to[0], to[1] = f32(v<<16), f32(v&0xffff0000) }
	case "f16":
		return func(to []float32, v uint64) { to[0], to[1] = fromF16(uint16(v)), fromF16(uint16(v>>16)) }
	}
	return func(to []float32, v uint64) {
		to[0], to[1], to[2], to[3] = e4m3[v&255], e4m3[v>>8&255], e4m3[v>>16&255], e4m3[v>>24&255]
	}
}
