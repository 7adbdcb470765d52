package stats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// Folder is where this user's state is kept: $XDG_STATE_HOME/seedling, by default
// ~/.local/state/seedling; on Windows %LOCALAPPDATA%\seedling.
func Folder() (string, error) {
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) { // a relative one is to be ignored
		return filepath.Join(d, "seedling"), nil
	}
	if runtime.GOOS == "windows" {
		if d := os.Getenv("LOCALAPPDATA"); d != "" {
			return filepath.Join(d, "seedling"), nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no folder for statistics: %w; set XDG_STATE_HOME", err)
	}
	return filepath.Join(home, ".local", "state", "seedling"), nil
}

// Store is the file in a folder, which is made when something is written.
type Store struct{ Dir string }

const (
	fileName = "stats.json"
	lockName = "stats.lock"
	maxFile  = 8 << 20 // bytes; what the bounds allow is far less
)

// patience with another server that writes.
const patience = 3 * time.Second

// Path of the file.
func (s Store) Path() string { return filepath.Join(s.Dir, fileName) }

// Read gives what is kept; an empty File when nothing is yet. A file that cannot be
// understood is an error that names it.
func (s Store) Read() (File, error) {
	var f File
	in, err := os.Open(s.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("statistics: %w", err)
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return f, fmt.Errorf("statistics: %w", err)
	}
	if len(b) > maxFile {
		return File{}, fmt.Errorf("statistics: %s: %w: run `seedling stats --reset`", s.Path(), errTooLarge)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return File{}, fmt.Errorf("statistics: %s: %w (%w): run `seedling stats --reset`", s.Path(), errUnreadable, err)
	}
	if f.Version > version {
		return File{}, fmt.Errorf("statistics: %s is of a newer seedling (version %d, this one knows %d): update seedling", s.Path(), f.Version, version)
	}
	f.trim()
	return f, nil
}

var (
	errUnreadable = errors.New("it cannot be understood")
	errTooLarge   = errors.New("it is too large")
)

// Reset forgets everything. Servers that run go on counting from nothing.
func (s Store) Reset() error {
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.locked(func() error {
		if err := os.Remove(s.Path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("statistics: %w", err)
		}
		return nil
	})
}

// update changes the file: read, changed and replaced under the lock.
func (s Store) update(change func(*File)) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	return s.locked(func() error {
		f, err := s.Read()
		if errors.Is(err, errUnreadable) || errors.Is(err, errTooLarge) {
			// Kept for whoever wants to look, and out of the way.
			err = os.Rename(s.Path(), s.Path()+".broken")
		}
		if err != nil {
			return err
		}
		change(&f)
		return s.replace(f)
	})
}

func (s Store) locked(do func() error) (err error) {
	l := flock.New(filepath.Join(s.Dir, lockName), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if ok, err := l.TryLockContext(ctx, 10*time.Millisecond); err != nil || !ok {
		return fmt.Errorf("statistics: %s is held by another seedling: %w", l.Path(), errors.Join(err, ctx.Err()))
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return do()
}

// replace writes the file beside and puts it in place: a reader sees the old one or the
// new one, also when the machine stops in between.
func (s Store) replace(f File) (err error) {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	tmp, err := os.CreateTemp(s.Dir, fileName+".*") // of mode 0600
	if err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("statistics: %w", err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), s.Path())
}
