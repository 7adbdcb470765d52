package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unsafe"
)

// chunk is the buffer through which floating-point tensors are read and written.
const chunk = 64 << 10

// bytesOf is the memory of v, one byte a value.
func bytesOf(v []int8) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v))
}

// readU8 reads n bytes of r into a slice of its own.
func readU8(r io.Reader, n int64) ([]byte, error) {
	v := make([]byte, n)
	if _, err := io.ReadFull(r, v); err != nil {
		return nil, cut(err)
	}
	return v, nil
}

// readI8 reads n bytes of r into a slice of its own, without a copy between.
func readI8(r io.Reader, n int64) ([]int8, error) {
	v := make([]int8, n)
	if _, err := io.ReadFull(r, bytesOf(v)); err != nil {
		return nil, cut(err)
	}
	return v, nil
}

// readFloats reads n elements of type t (a float) of r as float32. buf is scratch, of
// chunk bytes. With strict a value that is not finite is an error.
func readFloats(r io.Reader, t DType, n int64, buf []byte, strict bool) ([]float32, error) {
	v := make([]float32, n)
	for done := 0; done < len(v); {
		part := v[done:min(len(v), done+len(buf)/t.Size())]
		raw := buf[:len(part)*t.Size()]
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, cut(err)
		}
		switch t {
		case F32:
			for i := range part {
				part[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			}
		case BF16:
			for i := range part {
				part[i] = bf16ToF32(binary.LittleEndian.Uint16(raw[2*i:]))
			}
		case F16:
			for i := range part {
				part[i] = f16ToF32(binary.LittleEndian.Uint16(raw[2*i:]))
			}
		}
		if strict {
			if i := notFinite(part); i >= 0 {
				return nil, fmt.Errorf("value %d is %v", done+i, part[i])
			}
		}
		done += len(part)
	}
	return v, nil
}

// writeFloats writes v as type t (F32 or BF16). buf is scratch, of chunk bytes.
func writeFloats(w io.Writer, t DType, v []float32, buf []byte) error {
	for len(v) > 0 {
		part := v[:min(len(v), len(buf)/t.Size())]
		raw := buf[:len(part)*t.Size()]
		switch t {
		case F32:
			for i, f := range part {
				binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(f))
			}
		case BF16:
			for i, f := range part {
				binary.LittleEndian.PutUint16(raw[2*i:], f32ToBF16(f))
			}
		default:
			return fmt.Errorf("%s is never written", t)
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
		v = v[len(part):]
	}
	return nil
}

// notFinite is the index of the first NaN or infinity, -1 if there is none.
func notFinite(v []float32) int {
	for i, f := range v {
		if !finite(f) {
			return i
		}
	}
	return -1
}

// lowest is the index of the first -128, which no symmetric quantization makes and
// whose negative does not fit; -1 if there is none.
func lowest(v []int8) int { return bytes.IndexByte(bytesOf(v), 0x80) }

// checkScales says whether scales are finite and not negative.
func checkScales(v []float32) error {
	for r, f := range v {
		if !finite(f) || f < 0 {
			return fmt.Errorf("scale of row %d is %v", r, f)
		}
	}
	return nil
}

// cut turns the end of a file in the middle of a tensor into one error.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
