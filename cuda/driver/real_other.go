//go:build !linux

package driver

import (
	"fmt"
	"runtime"
)

// Open says that there is no device: only Linux is supported.
func Open(int) (Driver, error) {
	return nil, fmt.Errorf("%w: cards are used on Linux only, this is %s", ErrNone, runtime.GOOS)
}
