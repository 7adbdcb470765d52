package kernels

/*
#include <stdlib.h>
static void *take(size_t n) { return calloc(1, n ? n : 1); }
#include "kernels.h"
*/
import "C"

import "unsafe"

// cMemory copies slices into C's memory until it is freed. cgo's own malloc ends the
// program when there is no memory; this one remembers that it failed.
type cMemory struct {
	blocks []unsafe.Pointer
	failed bool
}

func (m *cMemory) take(bytes int) unsafe.Pointer {
	p := C.take(C.size_t(bytes))
	if p == nil {
		m.failed = true
		return nil
	}
	m.blocks = append(m.blocks, p)
	return p
}

// put copies s; the memory has room for one value even if s is empty.
func put[T int8 | int32 | float32](m *cMemory, s []T) unsafe.Pointer {
	var zero T
	p := m.take((len(s) + 1) * int(unsafe.Sizeof(zero)))
	if p != nil {
		copy(unsafe.Slice((*T)(p), len(s)), s)
	}
	return p
}

func (m *cMemory) floats(s []float32) *C.float { return (*C.float)(put(m, s)) }

func (m *cMemory) matrix(w Matrix) C.sl_matrix {
	return C.sl_matrix{rows: C.int(w.Rows), cols: C.int(w.Cols), w: (*C.int8_t)(put(m, w.I8)), scale: m.floats(w.Scale)}
}

func (m *cMemory) free() {
	for _, p := range m.blocks {
		C.free(p)
	}
	*m = cMemory{}
}
