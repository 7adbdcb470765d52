package kernels

/*
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
static void *take(size_t n) {
  void *p = 0;
  if (posix_memalign(&p, n >= (4u << 20) ? 2u << 20 : 64, n)) return 0;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (n >= (4u << 20)) madvise(p, n, MADV_HUGEPAGE);
#endif
  memset(p, 0, n);
  return p;
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Alloc returns n zeroed values outside Go's heap, aligned to 64 bytes (large ones to
// huge pages). They live until Free.
func Alloc[T float32 | int32](n int) []T {
	if n == 0 {
		return nil
	}
	p := C.take(C.size_t(n) * 4)
	if p == nil {
		panic(fmt.Sprintf("kernels: no memory for %d MB; use a smaller batch or model", n>>18))
	}
	return unsafe.Slice((*T)(p), n)
}

// Free gives memory of Alloc back.
func Free[T float32 | int32](s []T) {
	if len(s) > 0 {
		C.free(unsafe.Pointer(&s[0]))
	}
}
