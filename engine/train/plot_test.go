package train

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestPlot: a run's curve becomes a picture, also when cells are empty.
func TestPlot(t *testing.T) {
	dir := t.TempDir()
	curve, to := filepath.Join(dir, "curve.csv"), filepath.Join(dir, "curve.png")
	if err := os.WriteFile(curve, []byte("step,tokens,ar,mask,heldout_ar\n10,4000,6.5,,\n20,8000,6.1,7.2,6.2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Plot(to, curve); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(to); err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if err := Plot(to, filepath.Join(dir, "none.csv")); err == nil {
		t.Error("a curve that is not there was plotted")
	}
}
