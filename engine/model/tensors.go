package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
)

// Tensor is one tensor of a safetensors file that is no model: gradients, optimizer
// states. Shape has 0 to 4 dimensions, none of them 0; exactly one of F32, I8 and U8 is set,
// row-major, with as many values as the product of Shape.
type Tensor struct {
	Name  string
	DType DType // on disk; F32, BF16 and F16 are F32 in memory
	Shape []int
	F32   []float32
	I8    []int8
	U8    []byte
}

// ReadTensors reads a whole safetensors file: its tensors in the order of their names,
// and its metadata. The header is checked as a model's is; values are not: they may be
// NaN. Before the data is read, tables of at most about three times the header's length
// are allocated.
func ReadTensors(path string) ([]Tensor, map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	tensors, meta, err := readTensors(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %s", path, err, hintDamaged)
	}
	return tensors, meta, nil
}

func readTensors(r io.Reader, size int64) ([]Tensor, map[string]string, error) {
	header, data, err := readHeader(r, size, maxHeader)
	if err != nil {
		return nil, nil, err
	}
	entries, meta, err := parseHeader(header, data)
	if err != nil {
		return nil, nil, err
	}
	tensors := make([]Tensor, len(entries))
	buf := make([]byte, chunk)
	for i := range entries {
		e, t := &entries[i], &tensors[i]
		t.Name, t.DType = string(e.name), e.dtype
		t.Shape = make([]int, e.rank)
		for k, n := range e.dims() {
			t.Shape[k] = int(n)
		}
		switch e.dtype {
		case I8:
			t.I8, err = readI8(r, e.elements())
		case U8:
			t.U8, err = readU8(r, e.elements())
		default:
			t.F32, err = readFloats(r, e.dtype, e.elements(), buf, false)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", shown(e.name), err)
		}
	}
	slices.SortFunc(tensors, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return tensors, meta, nil
}

// parseHeader reads the header of a file with data bytes after it: its entries in the
// order of the data, which they cover exactly, and its metadata. It goes over the header
// twice, so that the table is allocated once and no larger than needed.
func parseHeader(header []byte, data int64) ([]entry, map[string]string, error) {
	count := 0
	if err := scanHeader(header, data, func(entry) error { count++; return nil }, nil); err != nil {
		return nil, nil, err
	}
	entries := make([]entry, 0, count)
	meta := map[string]string{}
	if err := scanHeader(header, data, func(e entry) error {
		entries = append(entries, e)
		return nil
	}, func(key, value []byte) error {
		if _, ok := meta[string(key)]; ok {
			return fmt.Errorf("metadata %s stands twice", shown(key))
		}
		meta[string(key)] = string(value)
		return nil
	}); err != nil {
		return nil, nil, err
	}
	if err := checkCover(entries, data); err != nil {
		return nil, nil, err
	}
	// Two tensors of one name lie at two places, so their covering says nothing of them.
	byName := make([]int32, count)
	for i := range byName {
		byName[i] = int32(i)
	}
	slices.SortFunc(byName, func(a, b int32) int { return slices.Compare(entries[a].name, entries[b].name) })
	for i := 1; i < count; i++ {
		if name := entries[byName[i]].name; slices.Equal(name, entries[byName[i-1]].name) {
			return nil, nil, fmt.Errorf("tensor %s: stands twice", shown(name))
		}
	}
	return entries, meta, nil
}

// WriteTensors writes a safetensors file that [ReadTensors] and Python's safetensors read,
// atomically: a file of that name is replaced once the new one is safe on the disk, and
// untouched after an error. Values are written as they are, NaN too.
func WriteTensors(path string, tensors []Tensor, meta map[string]string) error {
	return writeFile(path, func(w io.Writer) error { return writeTensors(w, tensors, meta) })
}

func writeTensors(w io.Writer, tensors []Tensor, meta map[string]string) error {
	// As the reference implementation does: wide types first, so that all are aligned.
	order := slices.Clone(tensors)
	slices.SortFunc(order, func(a, b Tensor) int {
		return cmp.Or(b.DType.Size()-a.DType.Size(), cmp.Compare(a.Name, b.Name))
	})
	header, err := encodeHeader(order, meta)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	buf := make([]byte, chunk)
	for _, t := range order {
		switch t.DType {
		case I8:
			_, err = w.Write(bytesOf(t.I8))
		case U8:
			_, err = w.Write(t.U8)
		default:
			err = writeFloats(w, t.DType, t.F32, buf)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// encodeHeader makes length and header of tensors that lie in the order given.
func encodeHeader(order []Tensor, meta map[string]string) ([]byte, error) {
	h := append(make([]byte, 8, 8+128*len(order)), '{')
	key := func(name string) {
		if len(h) > 9 {
			h = append(h, ',')
		}
		quoted, _ := json.Marshal(name) // a string always marshals
		h = append(append(h, quoted...), ':')
	}
	if len(meta) > 0 {
		key("__metadata__")
		for i, k := range slices.Sorted(maps.Keys(meta)) {
			pair, _ := json.Marshal(map[string]string{k: meta[k]})
			pair = pair[:len(pair)-1] // without its braces
			if i > 0 {
				pair[0] = ','
			}
			h = append(h, pair...)
		}
		h = append(h, '}')
	}
	seen := make(map[string]bool, len(order))
	at := int64(0)
	for _, t := range order {
		if seen[t.Name] || t.Name == "__metadata__" {
			return nil, fmt.Errorf("tensor %q: stands twice, or has the metadata's name", t.Name)
		}
		seen[t.Name] = true
		n, err := t.elements()
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		end := at + n*int64(t.DType.Size())
		key(t.Name)
		shape, _ := json.Marshal(append([]int{}, t.Shape...)) // [] and not null
		h = fmt.Appendf(h, `{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, t.DType, shape, at, end)
		at = end
	}
	h = append(h, '}')
	for len(h)%8 != 0 {
		h = append(h, ' ')
	}
	n := len(h) - 8
	if n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is above the format's limit of %d", n, maxHeader)
	}
	for i := range 8 {
		h[i] = byte(uint64(n) >> (8 * i))
	}
	return h, nil
}

// elements is the product of the shape, checked against the values that are there.
func (t *Tensor) elements() (int64, error) {
	n := int64(1)
	for _, d := range t.Shape {
		if d <= 0 || n > math.MaxInt64/8/int64(d) {
			return 0, fmt.Errorf("shape %v is empty or too large", t.Shape)
		}
		n *= int64(d)
	}
	have, other := len(t.F32), len(t.I8)+len(t.U8)
	switch t.DType {
	case I8:
		have, other = len(t.I8), len(t.F32)+len(t.U8)
	case U8:
		have, other = len(t.U8), len(t.F32)+len(t.I8)
	case F32, BF16:
	default:
		return 0, fmt.Errorf("%s is never written, use F32 or BF16", t.DType)
	}
	if len(t.Shape) > maxRank || int64(have) != n || other != 0 {
		return 0, fmt.Errorf("%d F32, %d I8 and %d U8 values do not make %s %v", len(t.F32), len(t.I8), len(t.U8), t.DType, t.Shape)
	}
	return n, nil
}
