//go:build simde

package emulated

// #cgo CFLAGS: -DSEEDLING_SIMDE
import "C"
