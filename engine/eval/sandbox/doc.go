// Package sandbox runs programs that a model wrote: in a process of its own that has no
// network, sees no other process, reads the system's programs and libraries alone, writes
// into one folder alone, and is bounded in time, memory and the size of its files.
//
// On Linux the bounds are namespaces (user, network, process ids, IPC), Landlock and
// resource limits. Where one of the first two is not to be had, on other systems as on
// kernels before 5.13, nothing is run at all: [Check] says so.
//
// Invariants kept here: a program is never run with less than all of its bounds. The process sets them
// before it becomes the program ([Child]); if one fails, it ends instead.
package sandbox

import (
	"context"
	"errors"
	"os"
	"time"
)

// ErrUnavailable: this system can not confine a program.
var ErrUnavailable = errors.New("generated programs are not run: this system can not confine them (it takes Linux 5.13 or newer with Landlock and user namespaces)")

// Limits of a run. Zero fields take those of Defaults.
type Limits struct {
	Time     time.Duration // by the clock; as much processor time, rounded up to seconds
	Memory   int64         // bytes of address space
	FileSize int64         // bytes of each file written
}

// Defaults are ample for a test of one function.
var Defaults = Limits{Time: 5 * time.Second, Memory: 1 << 30, FileSize: 1 << 20}

// Program is one to be run.
type Program struct {
	Dir    string // the only folder that it can write to; it starts there
	Limits Limits
	Argv   []string // the first an absolute path
	Input  string
	// Output takes what it writes to its standard output, up to the limits' FileSize; nil: the
	// result does, with what it writes to its standard error.
	Output *os.File
}

// Run runs a program (an absolute path, and its arguments) in dir, the only folder that it
// can write to. The error is nil however the program ended, but ErrUnavailable where it was
// not run.
func Run(ctx context.Context, dir string, l Limits, argv ...string) (Result, error) {
	return Program{Dir: dir, Limits: l, Argv: argv}.Run(ctx)
}

// Result of a run.
type Result struct {
	Passed   bool // it ended by itself, with exit code 0
	TimedOut bool
	Output   string // the last kilobytes of what it wrote
}
