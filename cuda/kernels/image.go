package kernels

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
)

//go:generate go test -run TestImages -count=1 -update .

//go:embed *.cu *.cuh
var sources embed.FS

// PTX is the image for compute_80, as text.
//
//go:embed image/seedling.ptx
var PTX string

// Cubin90a is the image for sm_90a.
//
//go:embed image/seedling.sm_90a.cubin
var Cubin90a []byte

// SourceHash is the SHA-256 of the sources, in hexadecimal: names and contents in order.
func SourceHash() string {
	h := sha256.New()
	names, _ := fs.Glob(sources, "*") // the pattern is sound
	for _, n := range names {
		b, _ := sources.ReadFile(n)
		h.Write([]byte(n + "\x00"))
		h.Write(b)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}
