package model

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// writeFile replaces the file at path by what write writes, or leaves it as it was: the
// bytes go to a temporary file beside it, which takes its name once they are on the disk.
func writeFile(path string, write func(io.Writer) error) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+name+".*.tmp")
	if err != nil {
		return saveError(path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := fill(f, write); err != nil {
		return saveError(path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return saveError(path, err)
	}
	// The new name is durable once its directory is. Windows has no such call.
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return saveError(path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return saveError(path, err)
	}
	return nil
}

// fill writes f, brings it to the disk and closes it, whatever happens.
func fill(f *os.File, write func(io.Writer) error) error {
	err := write(f)
	if err == nil {
		err = f.Chmod(0o644) // a temporary file is private, a model is not
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// saveError says what was to be written and, for a full disk, what to do.
func saveError(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("save %s: %w: free some space and save again; nothing was replaced", path, err)
	}
	return fmt.Errorf("save %s: %w", path, err)
}
