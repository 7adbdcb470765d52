package ptx

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Swizzle is how 16-byte pieces of shared memory change places: the pieces' numbers within
// lines of 128 bytes are combined with the lines' numbers by exclusive or.
type Swizzle uint32

// The modes, as cuTensorMapEncodeTiled counts them.
const (
	SwizzleNone Swizzle = iota
	Swizzle32B
	Swizzle64B
	Swizzle128B
)

// of is the place of an address.
func (s Swizzle) of(a uint64) uint64 {
	m := uint64(1)<<s - 1
	return a ^ (a>>7&m)<<4
}

// Tiled is a tensor in global memory as copies of tiles see it: what cuTensorMapEncodeTiled
// is told. Dimensions go from the fastest; Strides are bytes, of all but the first.
type Tiled struct {
	Address      uint64
	ElementBytes int
	Dims         []uint64
	Strides      []uint64
	Box          []uint32
	Swizzle      Swizzle
}

// tensorMagic marks descriptors of ours: those of a driver mean nothing here.
const tensorMagic = 0x73656564

// Encode makes the descriptor, 128 bytes that lie aligned to 64. It holds the tensor to the
// rules of the driver's function.
func (t *Tiled) Encode() ([128]byte, error) {
	var out [128]byte
	n := len(t.Dims)
	switch {
	case n < 1 || n > 5 || len(t.Strides) != n-1 || len(t.Box) != n:
		return out, fmt.Errorf("ptx: tensor of %d dimensions, %d strides, box of %d", n, len(t.Strides), len(t.Box))
	case t.Address%16 != 0:
		return out, fmt.Errorf("ptx: tensor at %#x: must be aligned to 16", t.Address)
	case t.ElementBytes != 1 && t.ElementBytes != 2 && t.ElementBytes != 4 && t.ElementBytes != 8 || t.Swizzle > Swizzle128B:
		return out, fmt.Errorf("ptx: elements of %d bytes, swizzle %d", t.ElementBytes, t.Swizzle)
	}
	inner := int(t.Box[0]) * t.ElementBytes
	if inner%16 != 0 || t.Swizzle != SwizzleNone && inner > 16<<t.Swizzle {
		return out, fmt.Errorf("ptx: a box of %d bytes a row with swizzle %d", inner, t.Swizzle)
	}
	le := binary.LittleEndian
	le.PutUint32(out[0:], tensorMagic)
	out[4], out[5], out[6] = byte(n), byte(t.ElementBytes), byte(t.Swizzle)
	le.PutUint64(out[8:], t.Address)
	for i, d := range t.Dims {
		if d < 1 || d > 1<<32 || t.Box[i] < 1 || t.Box[i] > 256 {
			return out, fmt.Errorf("ptx: dimension %d of %d, box %d", i, d, t.Box[i])
		}
		le.PutUint64(out[16+8*i:], d)
		le.PutUint32(out[96+4*i:], t.Box[i])
		if i > 0 {
			if t.Strides[i-1]%16 != 0 || t.Strides[i-1] >= 1<<40 {
				return out, fmt.Errorf("ptx: stride %d", t.Strides[i-1])
			}
			le.PutUint64(out[56+8*(i-1):], t.Strides[i-1])
		}
	}
	return out, nil
}

// tensorAt reads the descriptor that a kernel points at.
func (w *warp) tensorAt(a uint64, l int) *Tiled {
	var b []byte
	if sp, off := resolve(generic, a); sp == paramSpace {
		if off%64 != 0 || off+128 > uint64(len(w.b.params)) {
			w.fault(Bounds, l, "a tensor's descriptor at parameter %d", off)
		}
		b = w.b.params[off : off+128]
	} else {
		if a%64 != 0 {
			w.fault(Misaligned, l, "a tensor's descriptor at %#x", a)
		}
		for i := range uint64(8) {
			b = append(b, w.global(a+16*i, 16, l, false, false)...)
		}
	}
	le := binary.LittleEndian
	if le.Uint32(b) != tensorMagic {
		w.fault(Value, l, "no tensor's descriptor at %#x", a)
	}
	n := int(b[4])
	t := &Tiled{ElementBytes: int(b[5]), Swizzle: Swizzle(b[6]), Address: le.Uint64(b[8:])}
	for i := range n {
		t.Dims = append(t.Dims, le.Uint64(b[16+8*i:]))
		t.Box = append(t.Box, le.Uint32(b[96+4*i:]))
		if i > 0 {
			t.Strides = append(t.Strides, le.Uint64(b[56+8*(i-1):]))
		}
	}
	return t
}

// tensorCopy copies a tile: in with an mbarrier, out in bulk groups. What lies outside of the
// tensor comes as zeros and is not written.
func (d *decoder) tensorCopy() {
	d.only("async", "bulk", "tensor", "1d", "2d", "3d", "4d", "5d", "shared::cluster", "shared::cta", "global", "tile", "mbarrier::complete_tx::bytes", "bulk_group", "L2::cache_hint")
	in := d.has("mbarrier::complete_tx::bytes")
	ti, si := 0, 1
	if in {
		ti, si = 1, 0
	}
	text := strings.Trim(d.arg(ti), "[] ")
	name, coords, ok := strings.Cut(text, ",")
	rank := int(d.parts[4][0] - '0')
	if !ok || len(d.parts[4]) != 2 || d.parts[4][1] != 'd' {
		d.fail("tensor operand %q", text)
		return
	}
	desc := d.addressOf("[" + strings.TrimSpace(name) + "]")
	var at []src
	for c := range strings.SplitSeq(strings.Trim(strings.TrimSpace(coords), "{} "), ",") {
		at = append(at, d.source(strings.TrimSpace(c)))
	}
	if len(at) != rank {
		d.fail("%d coordinates of a tensor of %d", len(at), rank)
	}
	shared := d.address(si)
	var bar addr
	if in {
		bar = d.address(2)
	}
	d.in.run = each(func(w *warp, l int) {
		t := w.tensorAt(desc.of(w, l), l)
		if len(t.Dims) != rank {
			w.fault(Value, l, "a tensor of %d dimensions", len(t.Dims))
		}
		var m *mbarrier
		if in {
			m = w.mbar(sharedSpace, bar.of(w, l), l)
			w.proxied(m.off, 8, l)
		}
		base := uint64(uint32(shared.of(w, l)))
		if base%128 != 0 {
			w.fault(Misaligned, l, "a tile at %#x of shared memory: must be aligned to 128", base)
		}
		first := make([]int64, rank)
		for i := range first {
			first[i] = int64(int32(at[i].of(w)[l]))
		}
		w.tile(t, first, base, m, l)
		if m != nil {
			w.b.turn(m)
		}
	})
}

// tile copies a box of a tensor in pieces of 16 bytes.
func (w *warp) tile(t *Tiled, first []int64, base uint64, m *mbarrier, l int) {
	rows := 1
	for _, b := range t.Box[1:] {
		rows *= int(b)
	}
	rowBytes := int(t.Box[0]) * t.ElementBytes
	w.place(base+uint64(rows*rowBytes)-16, 16, l)
	var out outFlight
	for r := range rows {
		src, inside, left := t.Address, true, r
		for i := 1; i < len(t.Dims); i++ {
			c := first[i] + int64(left%int(t.Box[i]))
			left /= int(t.Box[i])
			inside = inside && c >= 0 && c < int64(t.Dims[i])
			src += uint64(c) * t.Strides[i-1]
		}
		for j := 0; j < rowBytes; j += 16 {
			off := w.place(t.Swizzle.of(base+uint64(r*rowBytes+j)), 16, l)
			x := first[0]*int64(t.ElementBytes) + int64(j)
			end := int64(t.Dims[0]) * int64(t.ElementBytes)
			whole := inside && x >= 0 && x+16 <= end
			if m == nil {
				if whole {
					out.pieces = append(out.pieces, piece{off, w.global(src+uint64(x), 16, l, true, false)})
					w.b.count.Stored += 16
				} else if inside && x < end && x+16 > 0 {
					w.fault(Value, l, "a tile that ends within 16 bytes is not written here")
				}
				continue
			}
			data := make([]byte, 16)
			if whole {
				data = w.global(src+uint64(x), 16, l, false, false)
				w.b.count.Loaded += 16
			} else if inside {
				for i := range int64(16) {
					if x+i >= 0 && x+i < end {
						data[i] = w.global(src+uint64(x+i), 1, l, false, false)[0]
						w.b.count.Loaded++
					}
				}
			}
			w.receive(m, off, data, l)
		}
		if inside {
			n := sectorsOf(src+uint64(max(first[0], 0)*int64(t.ElementBytes)), rowBytes)
			if m == nil {
				w.b.count.StoredSectors += int64(n)
			} else {
				w.b.count.LoadedSectors += int64(n)
			}
		}
	}
	if m == nil {
		w.send(out, l)
	}
}
