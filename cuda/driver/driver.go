package driver

import (
	"errors"
	"fmt"
	"strings"
)

// Ptr is an address in device memory; 0 is none.
type Ptr uint64

// Module and Function are handles of a loaded image and of one of its kernels.
type (
	Module   uint64
	Function uint64
)

// Device describes an opened device.
type Device struct {
	Name         string
	Major, Minor int // compute capability
	SMs          int
	Total, Free  uint64 // memory in bytes
	Version      int    // of the driver, as CUDA counts: 12040 is 12.4; 0 where there is none
}

// Driver is an opened device. It is not safe for concurrent use.
type Driver interface {
	Device() Device
	// Load loads an image: PTX as text, or a cubin.
	Load(image []byte) (Module, error)
	Unload(Module) error
	Function(m Module, name string) (Function, error)
	// Alloc returns n bytes, aligned to 256, of unknown content.
	Alloc(n uint64) (Ptr, error)
	Free(Ptr) error
	Write(to Ptr, b []byte) error
	Read(from Ptr, b []byte) error
	Copy(to, from Ptr, n uint64) error
	// Fill sets n 32-bit words.
	Fill(to Ptr, v uint32, n uint64) error
	// Launch starts a kernel that takes one struct by value, params.
	Launch(f Function, grid, block [3]int, params []byte) error
	Sync() error
	// Close ends the device; what is still allocated goes with it.
	Close() error
}

// Error is a failed call of the driver.
type Error struct {
	Call string // cuMemAlloc_v2
	Code int
	Name string // CUDA_ERROR_OUT_OF_MEMORY
	Text string // the driver's own words
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (%d): %s", e.Call, e.Name, e.Code, e.Text)
}

// Lost says whether the device is gone for this process: reset, fallen off the bus, an
// uncorrectable memory error, or a fault that leaves its context unusable.
func (e *Error) Lost() bool {
	switch e.Code { // codes of cuda.h
	case 4, 46, 101, 201, 214, 219, 226, 700, 702, 709, 714, 715, 716, 717, 718, 719, 802, 999:
		return true
	}
	return false
}

// ErrNone is wrapped by Open's error where there is no driver or no device at all.
var ErrNone = errors.New("no CUDA device")

// Any lets Open choose the device.
const Any = -1

// minMajor is the oldest card that our PTX is for.
const minMajor = 8

// choose picks a device: the one asked for, or of those our kernels run on the newest, and
// of these the one with the most memory. Its error says what there is, and why not.
func choose(all []Device, ordinal int) (int, error) {
	if len(all) == 0 {
		return 0, fmt.Errorf("%w: the driver sees none (CUDA_VISIBLE_DEVICES hides some, if it is set)", ErrNone)
	}
	best := -1
	var unfit []string
	for i, d := range all {
		if d.Major < minMajor {
			unfit = append(unfit, fmt.Sprintf("%d is %s of compute capability %d.%d", i, d.Name, d.Major, d.Minor))
			continue
		}
		newer := func(a, b Device) bool {
			if x, y := a.Major*100+a.Minor, b.Major*100+b.Minor; x != y {
				return x > y
			}
			return a.Total > b.Total
		}
		if best < 0 || newer(d, all[best]) {
			best = i
		}
	}
	const need = "8.0 (A100) or later is needed"
	switch {
	case ordinal != Any && (ordinal < 0 || ordinal >= len(all)):
		return 0, fmt.Errorf("%w: there is no device %d, they are 0 to %d", ErrNone, ordinal, len(all)-1)
	case ordinal != Any && all[ordinal].Major < minMajor:
		d := all[ordinal]
		return 0, fmt.Errorf("%w: device %d, %s, has compute capability %d.%d, %s", ErrNone, ordinal, d.Name, d.Major, d.Minor, need)
	case ordinal != Any:
		return ordinal, nil
	case best < 0:
		return 0, fmt.Errorf("%w: %s; %s", ErrNone, strings.Join(unfit, ", "), need)
	}
	return best, nil
}
