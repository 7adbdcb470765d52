package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// childName is argv[0] of a process that is to become a program (Child).
const childName = "seedling-sandbox"

// order is what such a process is told, in its second argument.
type order struct {
	Limits Limits
	Dir    string   // the folder that it may write to
	Read   []string // files and folders that it may read and execute
	Argv   []string // the program's, the first an absolute path
}

// Check says whether programs can be confined here: it confines one, which finds out
// whether it can leave.
func Check(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "seedling-sandbox-")
	if err != nil {
		return fmt.Errorf("a folder to run programs in: %w", err)
	}
	defer os.RemoveAll(dir)
	outside, err := os.CreateTemp("", "seedling-outside-")
	if err != nil {
		return fmt.Errorf("a folder to run programs in: %w", err)
	}
	outside.Close()
	defer os.Remove(outside.Name())
	r, err := Run(ctx, dir, Limits{}, "/bin/sh", "-c", `echo inside > here || exit 3; if echo outside > "$1"; then exit 4; fi 2>/dev/null; exit 0`, "sh", outside.Name())
	switch {
	case err != nil:
		return err
	case !r.Passed:
		return fmt.Errorf("%w: the trial came out of it: %s", ErrUnavailable, strings.TrimSpace(r.Output))
	}
	return nil
}

// Run runs it. The error is nil however the program ended, but ErrUnavailable where it was
// not run.
func (p Program) Run(ctx context.Context) (Result, error) {
	if len(p.Argv) == 0 || !filepath.IsAbs(p.Argv[0]) {
		return Result{}, errors.New("sandbox: the program must be an absolute path")
	}
	l := p.Limits.or(Defaults)
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return Result{}, fmt.Errorf("sandbox: %w", err)
	}
	said, err := json.Marshal(order{l, dir, readable(p.Argv[0]), p.Argv})
	if err != nil {
		return Result{}, fmt.Errorf("sandbox: %w", err)
	}
	until, cancel := context.WithTimeout(ctx, l.Time)
	defer cancel()
	var out tail
	cmd := exec.CommandContext(until, "/proc/self/exe")
	cmd.Args = []string{childName, string(said)}
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if p.Input != "" {
		cmd.Stdin = strings.NewReader(p.Input)
	}
	if p.Output != nil {
		cmd.Stdout = p.Output
	}
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"}
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// The process is number one of its own process ids: when it ends, so does all that it
		// started. (As such it ignores the signals that it could end itself by, and that of too
		// much processor time: the clock ends it.)
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if strings.HasPrefix(out.String(), childName) { // it never was the program
		switch cmd.ProcessState.ExitCode() {
		case unconfined:
			return Result{}, fmt.Errorf("%w: %s", ErrUnavailable, out.String())
		case noProgram:
			return Result{}, errors.New(out.String())
		}
	}
	return Result{Passed: err == nil, TimedOut: until.Err() != nil, Output: out.String()}, nil
}

func (l Limits) or(d Limits) Limits {
	if l.Time <= 0 {
		l.Time = d.Time
	}
	if l.Memory <= 0 {
		l.Memory = d.Memory
	}
	if l.FileSize <= 0 {
		l.FileSize = d.FileSize
	}
	return l
}

// readable is what a program needs to read: the system's programs and libraries, and where
// it is itself installed elsewhere, that place (PREFIX of PREFIX/bin/program).
func readable(program string) []string {
	read := []string{"/bin", "/lib", "/lib32", "/lib64", "/usr", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"}
	if java, err := filepath.Glob("/etc/java-*"); err == nil { // a JVM's own settings, on Debian
		read = append(read, java...)
	}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		if prefix := filepath.Dir(filepath.Dir(real)); filepath.Base(filepath.Dir(real)) == "bin" && prefix != "/" {
			read = append(read, prefix)
		}
	}
	return read
}

// tail keeps the last kilobytes written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4096
	if t.b = append(t.b, p...); len(t.b) > 2*most {
		t.b = append(t.b[:0], t.b[len(t.b)-most:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
