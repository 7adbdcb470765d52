package kernels

/*
#include <stdlib.h>
#include "kernels.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Set is one instruction set's operators, one by one, for tests and benchmarks: a pass
// never comes this way. Methods copy what they are given into C's memory and back, and
// panic on slices that do not fit each other.
type Set struct{ name string }

// SetOf gives the operators of an instruction set that this machine runs ([Runs]).
func SetOf(isa string) (Set, error) {
	if !Runs(isa) {
		return Set{}, fmt.Errorf("this processor cannot run %q", isa)
	}
	return Set{isa}, nil
}

// call runs f with the set's name and memory that is freed after it.
func (s Set) call(f func(name *C.char, m *cMemory) C.int) {
	name := C.CString(s.name)
	defer C.free(unsafe.Pointer(name))
	var m cMemory
	defer m.free()
	if code := f(name, &m); code != C.SL_OK || m.failed {
		panic(fmt.Sprintf("kernels: operator on %s: code %d", s.name, code))
	}
}

// fits holds a slice to the length that C will read or write.
func fits[T any](s []T, n int) []T {
	if len(s) != n {
		panic(fmt.Sprintf("kernels: %d values where %d belong", len(s), n))
	}
	return s
}

func get[T int32 | float32](dst []T, p unsafe.Pointer) { copy(dst, unsafe.Slice((*T)(p), len(dst))) }

// Panel is the number of outputs in a packed panel.
func (s Set) Panel() (n int) {
	s.call(func(name *C.char, _ *cMemory) C.int { n = int(C.sl_op_nr(name)); return C.SL_OK })
	return n
}

// Quantize gives x as integers in [-127, 127] and their scale.
func (s Set) Quantize(x []float32) (q []int32, scale float32) {
	q = make([]int32, len(x))
	s.call(func(name *C.char, m *cMemory) C.int {
		out, sc := put(m, q), put(m, []float32{0})
		code := C.sl_op_quantize(name, m.floats(x), C.int(len(x)), (*C.int)(out), (*C.float)(sc))
		get(q, out)
		scale = *(*float32)(sc)
		return code
	})
	return q, scale
}

// RMS is x normalised by its root mean square, times w.
func (s Set) RMS(x, w []float32, eps float32) []float32 {
	y := make([]float32, len(fits(x, len(w))))
	s.call(func(name *C.char, m *cMemory) C.int {
		out := put(m, y)
		code := C.sl_op_rms(name, m.floats(x), C.int(len(x)), m.floats(w), C.float(eps), (*C.float)(out))
		get(y, out)
		return code
	})
	return y
}

// RoPE turns x [heads, len(cs)] in place; cs holds cosines, then sines.
func (s Set) RoPE(x []float32, heads int, cs []float32) {
	fits(x, heads*len(cs))
	s.call(func(name *C.char, m *cMemory) C.int {
		out := put(m, x)
		code := C.sl_op_rope(name, (*C.float)(out), C.int(heads), C.int(len(cs)), m.floats(cs))
		get(x, out)
		return code
	})
}

// SwiGLU is silu(g)·u.
func (s Set) SwiGLU(g, u []float32) []float32 {
	y := make([]float32, len(fits(g, len(u))))
	s.call(func(name *C.char, m *cMemory) C.int {
		out := put(m, y)
		code := C.sl_op_swiglu(name, C.int(len(g)), m.floats(g), m.floats(u), (*C.float)(out))
		get(y, out)
		return code
	})
	return y
}

// Dequantize writes scale·w to y, or adds it.
func (s Set) Dequantize(w []int8, scale float32, y []float32, add bool) {
	fits(y, len(w))
	s.call(func(name *C.char, m *cMemory) C.int {
		out := put(m, y)
		a := C.int(0)
		if add {
			a = 1
		}
		code := C.sl_op_dequant(name, (*C.int8_t)(put(m, w)), C.float(scale), C.int(len(w)), (*C.float)(out), a)
		get(y, out)
		return code
	})
}

// Attend gives the outputs [nq, hd] of up to four queries q [nq, hd] over cached keys and
// values [n1, hd], of which query i sees the first seen[i], and canvas ones [n2, hd]. Keys
// and values are rounded to bfloat16, as those of a pass.
func (s Set) Attend(hd int, q []float32, seen []int32, k1, v1, k2, v2 []float32) []float32 {
	nq, n1, n2 := len(seen), len(k1)/hd, len(k2)/hd
	if nq < 1 || nq > 4 {
		panic("kernels: one to four queries")
	}
	fits(q, nq*hd)
	fits(v1, n1*hd)
	fits(v2, n2*hd)
	for _, n := range seen {
		if n < 0 || int(n) > n1 || int(n)+n2 == 0 {
			panic("kernels: a query that sees nothing, or more than there is")
		}
	}
	o := make([]float32, nq*hd)
	s.call(func(name *C.char, m *cMemory) C.int {
		out := put(m, o)
		code := C.sl_op_attend(name, C.int(nq), C.int(hd), C.int(hd), m.floats(q), (*C.int)(put(m, seen)), m.floats(k1), m.floats(v1), C.int(n1),
			m.floats(k2), m.floats(v2), C.int(n2), (*C.float)(out))
		get(o, out)
		return code
	})
	return o
}

// Forbidden is the logit that [Set.Answer] takes for a forbidden token's.
const Forbidden = -1e30

// Answer reduces a row of logits in slices of step. target -1: none.
func (s Set) Answer(logits []float32, step, target int) (t Top) {
	if step < 1 || target < -1 || target >= len(logits) {
		panic("kernels: step or target out of range")
	}
	s.call(func(name *C.char, m *cMemory) C.int {
		out := m.take(int(unsafe.Sizeof(t)))
		code := C.sl_op_answer(name, m.floats(logits), C.int(len(logits)), C.int(step), C.int(target), (*C.sl_top)(out))
		t = *(*Top)(out)
		return code
	})
	return t
}

// MatMul is y [m, w.Rows] = x [m, w.Cols]·wᵀ, through packing and quantization.
func (s Set) MatMul(w Matrix, m int, x []float32) ([]float32, error) {
	fits(x, m*w.Cols)
	p, err := Pack(s.name, w)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	y := make([]float32, m*w.Rows)
	s.call(func(_ *C.char, mem *cMemory) C.int {
		out := put(mem, y)
		code := C.sl_matmul_packed(p.p, C.int(m), mem.floats(x), (*C.float)(out), 1)
		get(y, out)
		return code
	})
	return y, nil
}

// Packed is a weight packed for one instruction set, for benchmarks.
type Packed struct {
	p          *C.sl_packed
	rows, cols int
}

// Pack packs w.
func Pack(isa string, w Matrix) (*Packed, error) {
	var mem cMemory
	defer mem.free()
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	fits(w.I8, w.Rows*w.Cols)
	fits(w.Scale, w.Rows)
	cm := mem.matrix(w)
	p := C.sl_pack(name, &cm)
	if p == nil {
		return nil, ErrMemory
	}
	return &Packed{p, w.Rows, w.Cols}, nil
}

// Close frees the weight.
func (p *Packed) Close() { C.sl_packed_free(p.p) }

// Run multiplies m rows of x repeat times over.
func (p *Packed) Run(m, repeat int, x []float32) {
	var mem cMemory
	defer mem.free()
	fits(x, m*p.cols)
	C.sl_matmul_packed(p.p, C.int(m), mem.floats(x), mem.floats(make([]float32, m*p.rows)), C.int(repeat))
}

// PeakInt8 and PeakFP32 run a register-resident loop and return the operations done.
func PeakInt8(isa string, iters int) float64 {
	s := C.CString(isa)
	defer C.free(unsafe.Pointer(s))
	return float64(C.sl_peak_int8(s, C.long(iters)))
}

// PeakFP32: see PeakInt8.
func PeakFP32(isa string, iters int) float64 {
	s := C.CString(isa)
	defer C.free(unsafe.Pointer(s))
	return float64(C.sl_peak_fp32(s, C.long(iters)))
}

// PeakBF16: see PeakInt8; 0 where no hardware multiplies bfloat16.
func PeakBF16(iters int) float64 { return float64(C.sl_peak_bf16(C.long(iters))) }

// ReadAll sums b, to measure what memory can deliver; it returns the bytes read.
func ReadAll(b []byte) float64 {
	return float64(C.sl_read_bytes(unsafe.Pointer(unsafe.SliceData(b)), C.long(len(b))))
}
