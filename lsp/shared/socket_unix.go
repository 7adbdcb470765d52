//go:build unix

package shared

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// Supported says whether servers can be shared on this system.
const Supported = true

// Listener is a socket that a server listens on, and the lock that makes it the only one.
type Listener struct {
	*net.UnixListener
	lock *flock.Flock
}

// Listen opens a socket. [ErrTaken] when a server has it already.
func Listen(path string) (*Listener, error) {
	if err := folder(path); err != nil {
		return nil, err
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("the lock of the socket: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, ErrTaken)
	}
	l, err := listen(path)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Listener{l, lock}, nil
}

func listen(path string) (*net.UnixListener, error) {
	if err := remove(path); err != nil {
		return nil, fmt.Errorf("the socket that is left: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("no listening on %s: %w", path, err)
	}
	// Until here the folder alone kept others out.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("the socket: %w", err), l.Close())
	}
	return l, nil
}

// Accept waits for a peer of this user; others are turned away.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if owned(c) == nil {
			return c, nil
		}
		c.Close()
	}
}

// Close removes the socket, then lets another server have it. The file of the lock stays:
// removing it would let two servers hold locks of the same name.
func (l *Listener) Close() error { return errors.Join(l.UnixListener.Close(), l.lock.Close()) }

// dial connects to a server of this user. [ErrNone] when there is none.
func dial(ctx context.Context, path string) (net.Conn, error) {
	if len(path) > maxPath {
		return nil, folder(path)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%s: %w", path, ErrNone)
	case err != nil:
		return nil, fmt.Errorf("the shared server: %w", err)
	}
	if err := owned(c.(*net.UnixConn)); err != nil { // code would go to a stranger
		return nil, errors.Join(fmt.Errorf("the shared server at %s: %w", path, err), c.Close())
	}
	return c, nil
}

// owned says what is wrong with a peer that is not this user.
func owned(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	uid, failed := -1, error(nil)
	if err := raw.Control(func(fd uintptr) { uid, failed = peer(int(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("who is there cannot be found out: %w", failed)
	}
	if uid != os.Getuid() {
		return fmt.Errorf("it belongs to another user (%d)", uid)
	}
	return nil
}

// detached makes a process that outlives its starter, and hears none of its signals.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
