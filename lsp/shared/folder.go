//go:build unix

package shared

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxPath is how long a socket's path may be, on the systems with the least room.
const maxPath = 100

// Path is where a server of one kind is looked for: what (the model, the version, whatever
// else makes a server another one) names it. It is $XDG_RUNTIME_DIR/seedling, or a folder
// of this user's in the system's one for temporary files.
func Path(what ...string) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", what)))
	name := hex.EncodeToString(sum[:6]) + ".sock"
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		return filepath.Join(d, "seedling", name)
	}
	return filepath.Join(os.TempDir(), "seedling-"+strconv.Itoa(os.Getuid()), name)
}

// folder makes the folder of a socket, or finds that it is this user's alone.
func folder(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("%s is too long for a socket, %d bytes of %d: name a shorter one", path, len(path), maxPath)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the folder of the socket: %w; name another socket", err)
	}
	return private(dir)
}

// private says what is wrong with a folder that is not this user's alone.
func private(dir string) error {
	i, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("the folder of the socket: %w", err)
	}
	s, ok := i.Sys().(*syscall.Stat_t)
	switch {
	case !i.IsDir(): // a link, too: who owns it can turn it
		return fmt.Errorf("%s is no folder: name another socket", dir)
	case !ok || int(s.Uid) != os.Getuid():
		return fmt.Errorf("%s belongs to another user: name another socket", dir)
	case i.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users (mode %#o): chmod 700 it, or name another socket", dir, i.Mode().Perm())
	}
	return nil
}

// remove removes a socket that a dead server left; what is no socket stays, with an error.
func remove(path string) error {
	i, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case i.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is no socket: name another one", path)
	}
	return os.Remove(path)
}
