package model

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWriteForTransformers writes the golden model in each type for
// testdata/check_transformers.py, when asked to: Python is not part of the test suite.
func TestWriteForTransformers(t *testing.T) {
	dir := os.Getenv("SEEDLING_SAVE_GOLDEN")
	if dir == "" {
		t.Skip("SEEDLING_SAVE_GOLDEN names no directory; see testdata/check_transformers.py")
	}
	w, err := LoadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	for name, dt := range map[string]DType{"f32": F32, "bf16": BF16, "i8": I8} {
		if err := w.SaveAs(filepath.Join(dir, name), dt); err != nil {
			t.Error(err)
		}
	}
}
