package cli

import (
	"io/fs"
	"testing"

	"github.com/seedling-lsp/seedling/engine/weights"
)

// TestBuiltinFits: builtin is one of the two models, by the machine; a name is taken at its word
// on any machine, and anything else is a directory.
func TestBuiltinFits(t *testing.T) {
	if small, large := fits(largeFrom-1), fits(largeFrom); small != weights.Small || large != weights.Large {
		t.Errorf("%s below and %s from the bound on", small, large)
	}
	size := map[string]int64{}
	for _, name := range []string{weights.Small, weights.Large} {
		got, dir := (&Commands{Model: name, Threads: 1}).files()
		i, err := fs.Stat(dir, "model.safetensors")
		if err != nil || got != name {
			t.Fatal(got, err)
		}
		size[name] = i.Size()
	}
	if size[weights.Large] <= size[weights.Small] || size[weights.Large] >= 80e6 {
		t.Errorf("sizes %v, and the large model is to stay under 80 MB", size)
	}
	name, dir := (&Commands{Model: weights.Builtin, Threads: 1}).files()
	if i, err := fs.Stat(dir, "model.safetensors"); err != nil || size[name] != i.Size() {
		t.Errorf("builtin is %s, %v", name, err)
	}
	if name, dir := (&Commands{Model: "a/model"}).files(); name != "a/model" || dir == nil {
		t.Errorf("a directory is %s", name)
	}
}
