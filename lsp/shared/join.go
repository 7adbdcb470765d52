package shared

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// Errors that callers look for.
var (
	ErrTaken = errors.New("another seedling serves there already")
	ErrNone  = errors.New("no server listens there: start one with `seedling serve --socket`")
)

// startTime is how long a server may take until it listens. It listens before it loads its
// model.
const startTime = 20 * time.Second

// Join connects to the server at a socket. When there is none and start is not nil, a copy
// of start is run to become one; several who do so at once get the same server.
func Join(ctx context.Context, path string, start *exec.Cmd) (net.Conn, error) {
	c, err := dial(ctx, path)
	if start == nil || !errors.Is(err, ErrNone) {
		return c, err
	}
	cmd := exec.Command(start.Path, start.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = start.Dir, start.Env, detached()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the shared server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	over := ended
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the shared server does not listen: %w; run `seedling serve --socket` to see why", ctx.Err())
		case failed := <-over:
			// It may have found another that was faster, which will listen.
			over = nil
			if c, err := dial(ctx, path); !errors.Is(err, ErrNone) {
				return c, err
			}
			var exit *exec.ExitError
			if !errors.As(failed, &exit) || exit.ExitCode() != TakenCode {
				return nil, fmt.Errorf("the shared server did not start: %v; run `seedling serve --socket` to see why", failed)
			}
		case <-tick.C:
			if c, err := dial(ctx, path); !errors.Is(err, ErrNone) {
				return c, err
			}
		}
	}
}

// TakenCode is the exit code of a server that found [ErrTaken].
const TakenCode = 3

// Command is a command of this program, on its own.
func Command(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting the shared server: %w", err)
	}
	c := exec.Command(self, args...)
	c.Dir = os.TempDir() // it keeps no folder of the person's busy
	return c, nil
}
