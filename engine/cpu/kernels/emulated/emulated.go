package emulated

/*
#cgo LDFLAGS: -lm
#cgo CFLAGS: -O2 -Wno-psabi
#include "../net.h"
extern const sl_isa sl_isa_emulated_avx512vnni, sl_isa_emulated_avxvnni;
*/
import "C"

import (
	"unsafe"

	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
)

// Sets are the names of the emulated instruction sets. They run like any other once
// [Register] was called.
var Sets = []string{"avx512vnni emulated", "avxvnni emulated"}

// Register makes the emulated sets known to package kernels, so that cpu.Options.ISA may
// name them.
func Register() {
	kernels.Register(unsafe.Pointer(&C.sl_isa_emulated_avx512vnni))
	kernels.Register(unsafe.Pointer(&C.sl_isa_emulated_avxvnni))
}
