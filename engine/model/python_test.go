package model

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWriteForTransformers writes the golden model in each type and reads it back. With
// SEEDLING_SAVE_GOLDEN the directories stay, for testdata/check_transformers.py: Python
// is not part of the test suite.
func TestWriteForTransformers(t *testing.T) {
	dir := os.Getenv("SEEDLING_SAVE_GOLDEN")
	if dir == "" {
		dir = t.TempDir()
	}
	w, err := LoadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	for name, dt := range map[string]DType{"f32": F32, "bf16": BF16, "i8": I8} {
		if err := w.SaveAs(filepath.Join(dir, name), dt); err != nil {
			t.Error(err)
			continue
		}
		got, err := LoadDir(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got.DType() != dt || got.Parameters() != w.Parameters() {
			t.Errorf("%s came back as %v with %d weights of %d", name, got.DType(), got.Parameters(), w.Parameters())
		}
	}
}
