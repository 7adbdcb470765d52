package train

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fullDisk is a folder on a file system of its own that holds size bytes.
func fullDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs a small file system to fill: %v", err)
		}
		t.Skipf("no small file system here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestFullDiskKeepsCheckpoint: when the disk fills while saving, the checkpoint before is
// whole, nothing is left beside it, and the error says what to do.
func TestFullDiskKeepsCheckpoint(t *testing.T) {
	dir := fullDisk(t, "64k")
	_, _, whole := wholeCheckpoint(t, dir)
	err := saveCheckpoint(dir, State{}, [][]float32{make([]float32, 1<<20)})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room and resume") {
		t.Errorf("%v", err)
	}
	keptWhole(t, dir, whole)
	// A corpus that does not fit leaves the one before it, too.
	c := sourceCorpus("train", 1, 1, 1000)
	if err := c.Save(filepath.Join(dir, "corpus")); err != nil {
		t.Fatal(err)
	}
	if err := sourceCorpus("train", 20, 1, 20000).Save(filepath.Join(dir, "corpus")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if again, err := OpenCorpus(filepath.Join(dir, "corpus")); err != nil || again.Hash != c.Hash {
		t.Errorf("the corpus before: %v", err)
	}
}
