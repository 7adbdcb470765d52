package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/weights"
	"github.com/seedling-lsp/seedling/engine/weights/large"
)

// largeFrom is from how many 8-bit operations a second on the large model is the built-in one.
// By count: it takes 231 million a token, and if it comes to half of the peak, a window of 1,000
// tokens that was never seen costs a second, and eight rows of a canvas 8 ms.
const largeFrom = 500e9

// peak is what the machine's arithmetic was found to do at most, once: a second look might choose
// another model than the first.
var peak struct {
	once sync.Once
	int8 float64
}

// int8Peak is what the threads that are asked for can do at most, in operations a second.
func (c *Commands) int8Peak() float64 {
	peak.once.Do(func() { peak.int8 = cpu.Int8Peak(os.Getenv("SEEDLING_ISA"), c.threads()) })
	return peak.int8
}

// fits is the model for a machine of that many 8-bit operations a second.
func fits(peak float64) string {
	if peak >= largeFrom {
		return weights.Large
	}
	return weights.Small
}

// either says whether a name stands for whichever model of the binary fits.
func either(name string) bool { return name == "" || name == weights.Builtin }

// inBinary says whether a name stands for a model of the binary.
func inBinary(name string) bool {
	return either(name) || name == weights.Small || name == weights.Large
}

// files are the model that --model names, by the name that answers have: of the two models in
// the binary the one that the machine is fast enough for, unless one is named.
func (c *Commands) files() (string, fs.FS) {
	name := c.Model
	if !inBinary(name) {
		return name, os.DirFS(name)
	}
	if either(name) {
		name = fits(c.int8Peak())
	}
	if name == weights.Large {
		return name, large.Files()
	}
	return name, weights.Files()
}

// anywhere makes --model hold in every folder.
func (c *Commands) anywhere() error {
	if inBinary(c.Model) {
		return nil
	}
	dir, err := filepath.Abs(c.Model)
	if err != nil {
		return err
	}
	c.Model = dir
	return nil
}
