package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// GGUF version 3, as ggml's docs/gguf.md describes it: a header of keys and tensor
// descriptions, then the tensors, each from a multiple of alignment on. Little-endian.
const (
	ggufVersion = 3
	alignment   = 32
)

// Kinds of values in a header.
const (
	kindUint32  = 4
	kindInt32   = 5
	kindFloat32 = 6
	kindBool    = 7
	kindString  = 8
	kindArray   = 9
)

// Type is how a tensor's numbers are stored; ggml's own numbering.
type Type uint32

// The types that are written here. A block is 32 weights of a row: Q8_0 has a half-float
// scale and 32 bytes, Q4_0 a half-float scale and 32 half-bytes.
const (
	F32  Type = 0
	Q4_0 Type = 2
	Q8_0 Type = 8
)

// block is the weights that share a scale.
const block = 32

// size is the bytes that n weights take.
func (t Type) size(n int) int {
	switch t {
	case Q8_0:
		return n / block * (2 + block)
	case Q4_0:
		return n / block * (2 + block/2)
	}
	return 4 * n
}

// tensor is a named array; dims are as GGUF has them, the fastest first.
type tensor struct {
	name string
	dims []int
	kind Type
	data []byte
}

// pair is a key of the header: value is a uint32, float32, bool, string, []string or
// []int32.
type pair struct {
	key   string
	value any
}

// encoder writes little-endian values and keeps the first error and the length.
type encoder struct {
	w   *bufio.Writer
	n   int
	err error
}

func (e *encoder) bytes(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
	e.n += len(b)
}

func (e *encoder) u32(v uint32) { e.bytes(binary.LittleEndian.AppendUint32(nil, v)) }
func (e *encoder) u64(v uint64) { e.bytes(binary.LittleEndian.AppendUint64(nil, v)) }

func (e *encoder) string(s string) {
	e.u64(uint64(len(s)))
	e.bytes([]byte(s))
}

func (e *encoder) array(kind uint32, n int) {
	e.u32(kindArray)
	e.u32(kind)
	e.u64(uint64(n))
}

func (e *encoder) value(v any) {
	switch v := v.(type) {
	case uint32:
		e.u32(kindUint32)
		e.u32(v)
	case float32:
		e.u32(kindFloat32)
		e.u32(math.Float32bits(v))
	case bool:
		e.u32(kindBool)
		b := []byte{0}
		if v {
			b[0] = 1
		}
		e.bytes(b)
	case string:
		e.u32(kindString)
		e.string(v)
	case []string:
		e.array(kindString, len(v))
		for _, s := range v {
			e.string(s)
		}
	case []int32:
		e.array(kindInt32, len(v))
		for _, x := range v {
			e.u32(uint32(x))
		}
	default:
		e.err = fmt.Errorf("gguf: no kind for a %T", v)
	}
}

func (e *encoder) pad() { e.bytes(make([]byte, -e.n&(alignment-1))) }

// writeGGUF writes a file of keys and tensors.
func writeGGUF(to io.Writer, keys []pair, tensors []tensor) error {
	e := &encoder{w: bufio.NewWriter(to)}
	e.bytes([]byte("GGUF"))
	e.u32(ggufVersion)
	e.u64(uint64(len(tensors)))
	e.u64(uint64(len(keys)))
	for _, k := range keys {
		e.string(k.key)
		e.value(k.value)
	}
	offset := 0
	for _, t := range tensors {
		n := 1
		e.string(t.name)
		e.u32(uint32(len(t.dims)))
		for _, d := range t.dims {
			e.u64(uint64(d))
			n *= d
		}
		if len(t.data) != t.kind.size(n) {
			return fmt.Errorf("gguf: tensor %q has %d bytes, its shape %v asks for %d", t.name, len(t.data), t.dims, t.kind.size(n))
		}
		e.u32(uint32(t.kind))
		e.u64(uint64(offset))
		offset += len(t.data) + -len(t.data)&(alignment-1)
	}
	e.pad()
	for _, t := range tensors {
		e.bytes(t.data)
		e.pad()
	}
	if e.err == nil {
		e.err = e.w.Flush()
	}
	if e.err != nil {
		return fmt.Errorf("writing GGUF: %w", e.err)
	}
	return nil
}
