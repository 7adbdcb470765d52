package model

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// A GGUF file (versions 2 and 3, little endian) is
//
//	"GGUF", version uint32, number of tensors and of metadata pairs uint64
//	the pairs      key, type uint32, value; strings are a uint64 length and bytes, lists
//	               a type, a uint64 length and the elements
//	the table      name, rank uint32, dimensions uint64 (innermost first), type uint32,
//	               offset uint64
//	padding        to a multiple of general.alignment
//	the tensors    at their offsets, counted from here
const (
	ggufMagic        = "GGUF"
	ggufMaxString    = 1 << 24 // a chat template takes a few kilobytes
	ggufMaxName      = 1 << 8
	ggufMaxAlignment = 1 << 16
	ggufAlignment    = 32 // unless the metadata says otherwise
)

// The types of metadata values.
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// ggufWidth is the bytes of a metadata value by its type; 0 for strings and lists.
var ggufWidth = [...]int64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// ggufTensor is a line of the table.
type ggufTensor struct {
	name       string
	rows, cols int64 // rows 0: a vector of cols
	kind       ggufType
	offset     int64 // from the start of the data
	bytes      int64
}

// ggufHeader is all of a file but its tensors.
type ggufHeader struct {
	// meta holds int64, float64, bool, string, []string and []int64; lists of other types
	// are not kept.
	meta    map[string]any
	tensors []ggufTensor // in the order of their offsets, none over another
	data    int64        // where the tensors begin, from the start of the file
}

// ggufReader reads a header of at most left bytes. What is allocated is bounded by what
// the file holds: a length is compared with left before anything is made of it.
type ggufReader struct {
	r    *bufio.Reader
	left int64
	read int64
	err  error
}

func (g *ggufReader) fail(format string, a ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, a...)
	}
}

func (g *ggufReader) bytes(n int64) []byte {
	if g.err != nil {
		return nil
	}
	if n > g.left {
		g.fail("%d bytes are announced at byte %d, only %d follow", n, g.read, g.left)
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(g.r, b); err != nil {
		g.fail("read the header: %w", cut(err))
		return nil
	}
	g.left -= n
	g.read += n
	return b
}

func (g *ggufReader) skip(n int64) {
	for n > 0 && g.err == nil {
		k := min(n, chunk)
		g.bytes(k)
		n -= k
	}
}

func (g *ggufReader) u32() uint32 {
	if b := g.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (g *ggufReader) u64() uint64 {
	if b := g.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads a number of things that take at least each bytes of the file.
func (g *ggufReader) count(what string, each int64) int64 {
	n := g.u64()
	if g.err == nil && n > uint64(g.left/each) {
		g.fail("%d %s are announced, the file has room for %d", n, what, g.left/each)
	}
	if g.err != nil {
		return 0
	}
	return int64(n)
}

func (g *ggufReader) string(most int64) string {
	n := g.count("bytes of a string", 1)
	if g.err == nil && n > most {
		g.fail("a string of %d bytes, at most %d are expected", n, most)
	}
	return string(g.bytes(n))
}

// scalar reads a value of a type that is neither a string nor a list.
func (g *ggufReader) scalar(kind uint32) any {
	b := g.bytes(ggufWidth[kind])
	if b == nil {
		return nil
	}
	le := binary.LittleEndian
	switch kind {
	case ggufUint8:
		return int64(b[0])
	case ggufInt8:
		return int64(int8(b[0]))
	case ggufUint16:
		return int64(le.Uint16(b))
	case ggufInt16:
		return int64(int16(le.Uint16(b)))
	case ggufUint32:
		return int64(le.Uint32(b))
	case ggufInt32:
		return int64(int32(le.Uint32(b)))
	case ggufFloat32:
		return float64(math.Float32frombits(le.Uint32(b)))
	case ggufBool:
		return b[0] != 0
	case ggufFloat64:
		return math.Float64frombits(le.Uint64(b))
	}
	return int64(le.Uint64(b)) // a uint64 above is negative: no key of ours may be
}

// value reads a metadata value; nil for a list that is not kept.
func (g *ggufReader) value() any {
	kind := g.u32()
	switch {
	case g.err != nil:
		return nil
	case kind == ggufString:
		return g.string(ggufMaxString)
	case kind < uint32(len(ggufWidth)) && kind != ggufArray:
		return g.scalar(kind)
	case kind != ggufArray:
		g.fail("a metadata value is of type %d, which is none", kind)
		return nil
	}
	of := g.u32()
	switch {
	case g.err != nil:
	case of == ggufString:
		n := g.count("strings", 8)
		list := make([]string, 0, n)
		for i := int64(0); i < n && g.err == nil; i++ {
			list = append(list, g.string(ggufMaxString))
		}
		return list
	case of >= uint32(len(ggufWidth)) || of == ggufArray:
		g.fail("a metadata list is of type %d: lists of values and strings are supported", of)
	case of == ggufInt32 || of == ggufUint32: // types of tokens
		n := g.count("values", 4)
		list := make([]int64, 0, n)
		for i := int64(0); i < n && g.err == nil; i++ {
			v, _ := g.scalar(of).(int64)
			list = append(list, v)
		}
		return list
	default:
		g.skip(g.count("values", ggufWidth[of]) * ggufWidth[of])
	}
	return nil
}

// tensor reads a line of the table.
func (g *ggufReader) tensor() ggufTensor {
	t := ggufTensor{name: g.string(ggufMaxName)}
	rank := g.u32()
	if g.err == nil && (rank < 1 || rank > 2) {
		g.fail("tensor %s: %d dimensions, 1 or 2 are supported", shown([]byte(t.name)), rank)
	}
	var dims [2]int64
	for i := 0; g.err == nil && i < int(rank); i++ {
		n := g.u64()
		if n == 0 || n > math.MaxInt32 {
			g.fail("tensor %s: a dimension of %d", shown([]byte(t.name)), n)
		}
		dims[i] = int64(n)
	}
	t.cols, t.rows = dims[0], dims[1]
	t.kind = ggufType(g.u32())
	offset := g.u64()
	if g.err != nil {
		return t
	}
	f, ok := ggufFormats[t.kind]
	switch {
	case !ok:
		g.fail("tensor %s is of GGUF type %d: take the checkpoint in F16, BF16, Q8_0, Q4_0, Q4_1 or Q4_K_M", shown([]byte(t.name)), t.kind)
	case t.cols%int64(f.values) != 0:
		g.fail("tensor %s: rows of %d values are no whole blocks of %s (%d)", shown([]byte(t.name)), t.cols, f.name, f.values)
	case t.elements() > 1<<48 || offset > 1<<62:
		g.fail("tensor %s: [%d %d] at offset %d", shown([]byte(t.name)), t.rows, t.cols, offset)
	default:
		t.offset = int64(offset)
		t.bytes = t.elements() / int64(f.values) * int64(f.bytes)
	}
	return t
}

func (t *ggufTensor) elements() int64 { return max(t.rows, 1) * t.cols }

// readGGUFHeader reads what stands before the tensors of a file of size bytes.
func readGGUFHeader(r io.Reader, size int64) (*ggufHeader, error) {
	g := &ggufReader{r: bufio.NewReaderSize(r, chunk), left: size}
	if magic := g.bytes(4); g.err == nil && string(magic) != ggufMagic {
		return nil, errors.New("does not begin with GGUF: it is no GGUF file")
	}
	if v := g.u32(); g.err == nil && (v < 2 || v > 3) {
		return nil, fmt.Errorf("is of GGUF version %d: 2 and 3 are supported, little endian", v)
	}
	tensors := g.count("tensors", 8+4+8+4+8)
	pairs := g.count("metadata pairs", 8+4+1)
	h := &ggufHeader{meta: map[string]any{}}
	for i := int64(0); i < pairs && g.err == nil; i++ {
		key := g.string(1 << 16)
		if _, ok := h.meta[key]; ok {
			g.fail("metadata %s stands twice", shown([]byte(key)))
		}
		h.meta[key] = g.value()
	}
	for i := int64(0); i < tensors && g.err == nil; i++ {
		h.tensors = append(h.tensors, g.tensor())
	}
	if g.err != nil {
		return nil, g.err
	}
	align := int64(ggufAlignment)
	if v, ok := h.meta["general.alignment"]; ok {
		if align, ok = v.(int64); !ok || align < 1 || align > ggufMaxAlignment {
			return nil, fmt.Errorf("general.alignment is %v", v)
		}
	}
	h.data = (g.read + align - 1) / align * align
	return h, h.check(size - h.data)
}

// check orders the table and holds it to the bytes that follow. Tensors may not share
// bytes: a small file could else name a large one many times over.
func (h *ggufHeader) check(data int64) error {
	slices.SortFunc(h.tensors, func(a, b ggufTensor) int {
		switch {
		case a.offset < b.offset:
			return -1
		case a.offset > b.offset:
			return 1
		}
		return 0
	})
	end := int64(0)
	for _, t := range h.tensors {
		if t.offset < end {
			return fmt.Errorf("tensor %s begins at %d, inside another that ends at %d", shown([]byte(t.name)), t.offset, end)
		}
		if t.bytes > data-t.offset {
			return fmt.Errorf("tensor %s takes %d bytes from %d on, the file has %d", shown([]byte(t.name)), t.bytes, t.offset, max(0, data))
		}
		end = t.offset + t.bytes
	}
	return nil
}
