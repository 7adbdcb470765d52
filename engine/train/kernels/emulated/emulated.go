package emulated

/*
#cgo LDFLAGS: -lm
#cgo CFLAGS: -O2 -Wno-psabi
#include "../kernels.h"
extern const sl_ops sl_ops_emulated, sl_ops_emulated_bf16;
*/
import "C"

import (
	"unsafe"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// Tables are "avx512 emulated" and "avx512bf16 emulated".
func Tables() []*kernels.Ops {
	return []*kernels.Ops{
		kernels.FromTable(unsafe.Pointer(&C.sl_ops_emulated)),
		kernels.FromTable(unsafe.Pointer(&C.sl_ops_emulated_bf16)),
	}
}
