package model

import (
	"fmt"
	"math"
)

// DType is the type of a tensor's elements in a safetensors file.
type DType uint8

// The types that are read and written. In memory a tensor is float32, or int8 for I8.
const (
	F32  DType = iota + 1 // IEEE binary32
	BF16                  // the upper half of a binary32
	F16                   // IEEE binary16; read, never written
	I8                    // two's complement, -127..127 in our models; with a scale per row
	U8                    // codes and factors of matrices in 4 to 6 bits (Groups)
)

// String is the type's name in a safetensors header.
func (t DType) String() string {
	switch t {
	case F32:
		return "F32"
	case BF16:
		return "BF16"
	case F16:
		return "F16"
	case I8:
		return "I8"
	case U8:
		return "U8"
	}
	return fmt.Sprintf("DType(%d)", uint8(t))
}

// Size is the number of bytes of one element, 0 for no known type.
func (t DType) Size() int {
	switch t {
	case F32:
		return 4
	case BF16, F16:
		return 2
	case I8, U8:
		return 1
	}
	return 0
}

// parseDType knows the names of the types that are read.
func parseDType(name []byte) (DType, bool) {
	switch string(name) {
	case "F32":
		return F32, true
	case "BF16":
		return BF16, true
	case "F16":
		return F16, true
	case "I8":
		return I8, true
	case "U8":
		return U8, true
	}
	return 0, false
}

// bf16ToF32 is exact.
func bf16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// f32ToBF16 rounds to nearest, ties to even. A value above the largest finite BF16 by
// half a step or more becomes an infinity, NaN stays NaN.
func f32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if f != f {
		return uint16(b>>16) | 0x40 // quiet: rounding must not carry a NaN into infinity
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// f16ToF32 is exact.
func f16ToF32(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // zero or subnormal: frac * 2^-24, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// finite says whether f is neither NaN nor infinite.
func finite(f float32) bool { return math.Float32bits(f)&0x7f800000 != 0x7f800000 }
