package model

import (
	"encoding/binary"
	"math"
)

// ggufType is the number of a tensor's format in a GGUF file.
type ggufType uint32

// ggufFormat is how a format lays values out: in blocks of so many values and bytes.
type ggufFormat struct {
	name          string
	values, bytes int
	decode        func(block []byte, dst []float32)
}

// ggufFormats are the formats that are read. A block of the K formats is of 256 values, so
// rows of other lengths come as Q5_0, Q5_1 or Q8_0 in files that are called Q4_K_M.
var ggufFormats = map[ggufType]ggufFormat{
	0:  {"F32", 1, 4, func(b []byte, dst []float32) { dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	1:  {"F16", 1, 2, func(b []byte, dst []float32) { dst[0] = half(b) }},
	2:  {"Q4_0", 32, 18, decodeQ40},
	3:  {"Q4_1", 32, 20, decodeQ41},
	6:  {"Q5_0", 32, 22, decodeQ50},
	7:  {"Q5_1", 32, 24, decodeQ51},
	8:  {"Q8_0", 32, 34, decodeQ80},
	12: {"Q4_K", 256, 144, decodeQ4K},
	14: {"Q6_K", 256, 210, decodeQ6K},
	30: {"BF16", 1, 2, func(b []byte, dst []float32) { dst[0] = bf16ToF32(binary.LittleEndian.Uint16(b)) }},
}

func half(b []byte) float32 { return f16ToF32(binary.LittleEndian.Uint16(b)) }

// decodeQ40: scale f16, 16 bytes of two values each: value i in the low half of byte i,
// value i+16 in its high half, from -8 on.
func decodeQ40(b []byte, dst []float32) {
	d := half(b)
	for i, q := range b[2:18] {
		dst[i], dst[i+16] = float32(int(q&15)-8)*d, float32(int(q>>4)-8)*d
	}
}

// decodeQ41: scale and least value f16, then as Q4_0, from 0 on.
func decodeQ41(b []byte, dst []float32) {
	d, m := half(b), half(b[2:])
	for i, q := range b[4:20] {
		dst[i], dst[i+16] = float32(q&15)*d+m, float32(q>>4)*d+m
	}
}

// decodeQ50: scale f16, a fifth bit of each value in 32 bits, then as Q4_0, from -16 on.
func decodeQ50(b []byte, dst []float32) {
	d, high := half(b), binary.LittleEndian.Uint32(b[2:])
	for i, q := range b[6:22] {
		lo := int(q&15) | int(high>>i&1)<<4
		hi := int(q>>4) | int(high>>(i+16)&1)<<4
		dst[i], dst[i+16] = float32(lo-16)*d, float32(hi-16)*d
	}
}

// decodeQ51: scale and least value f16, then as Q5_0, from 0 on.
func decodeQ51(b []byte, dst []float32) {
	d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for i, q := range b[8:24] {
		lo := int(q&15) | int(high>>i&1)<<4
		hi := int(q>>4) | int(high>>(i+16)&1)<<4
		dst[i], dst[i+16] = float32(lo)*d+m, float32(hi)*d+m
	}
}

// decodeQ80: scale f16, 32 int8.
func decodeQ80(b []byte, dst []float32) {
	d := half(b)
	for i, q := range b[2:34] {
		dst[i] = float32(int8(q)) * d
	}
}

// decodeQ4K: scales of the scales and of the leasts f16, twelve bytes of eight 6-bit
// scales and leasts, then 128 bytes: of each 32, the low halves are 32 values of one part,
// the high halves the next 32.
func decodeQ4K(b []byte, dst []float32) {
	d, m, packed, q := half(b), half(b[2:]), b[4:16], b[16:144]
	for part := range 8 {
		var scale, least byte
		if part < 4 {
			scale, least = packed[part]&63, packed[part+4]&63
		} else {
			scale = packed[part+4]&15 | packed[part-4]>>6<<4
			least = packed[part+4]>>4 | packed[part]>>6<<4
		}
		ds, ms := d*float32(scale), m*float32(least)
		for i, v := range q[part/2*32 : part/2*32+32] {
			dst[part*32+i] = ds*float32(v>>(part%2*4)&15) - ms
		}
	}
}

// decodeQ6K: 128 bytes of low halves, 64 of two high bits each, sixteen int8 scales, the
// scale of those f16. Of each 128 values, four runs of 32 share their bytes.
func decodeQ6K(b []byte, dst []float32) {
	d := half(b[208:])
	for n := range 2 {
		low, high, scales, out := b[n*64:n*64+64], b[128+n*32:128+n*32+32], b[192+n*8:192+n*8+8], dst[n*128:n*128+128]
		for i := range 32 {
			for run := range 4 {
				v := low[i+run%2*32]>>(run/2*4)&15 | high[i]>>(run*2)&3<<4
				out[run*32+i] = d * float32(int8(scales[run*2+i/16])) * float32(int(v)-32)
			}
		}
	}
}
