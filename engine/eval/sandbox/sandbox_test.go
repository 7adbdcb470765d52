//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// confined skips where the kernel has no bounds to set: that is no tool that could be brought.
// Any other failure is one.
func confined(t *testing.T) {
	t.Helper()
	if err := Check(t.Context()); err != nil {
		if !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// sh runs a script of the shell in dir.
func sh(t *testing.T, dir string, l Limits, script string, args ...string) Result {
	t.Helper()
	r, err := Run(t.Context(), dir, l, append([]string{"/bin/sh", "-c", script, "sh"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A program does what it may: it runs, reads and writes its folder, and its exit code and
// what it says come back.
func TestRuns(t *testing.T) {
	confined(t)
	dir := t.TempDir()
	if r := sh(t, dir, Limits{}, "echo hello; echo text > file && mkdir d && cat file"); !r.Passed || r.TimedOut || r.Output != "hello\ntext\n" {
		t.Errorf("%+v", r)
	}
	if r := sh(t, dir, Limits{}, "exit 7"); r.Passed || r.TimedOut {
		t.Errorf("exit code 7: %+v", r)
	}
}

// A program reads its input, and what it writes goes where it is wanted, apart from its errors
// and bounded: an input that nobody reads holds up nothing.
func TestInputAndOutput(t *testing.T) {
	confined(t)
	run := func(script, input string) (string, Result) {
		t.Helper()
		out, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		r, err := Program{Dir: t.TempDir(), Argv: []string{"/bin/sh", "-c", script}, Input: input, Output: out}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b), r
	}
	if out, r := run("cat; echo wrong >&2", "hello"); out != "hello" || !r.Passed || r.Output != "wrong\n" {
		t.Errorf("%q, %+v", out, r)
	}
	if out, r := run("true", strings.Repeat("x", 1<<20)); out != "" || !r.Passed {
		t.Errorf("%q, %+v", out, r)
	}
	if out, r := run("head -c 3000000 /dev/zero", ""); r.Passed || len(out) > int(Defaults.FileSize) {
		t.Errorf("%d bytes written, %+v", len(out), r)
	}
}

// A program does not do what it may not. Each line is something that a model's program
// might do to the person who measures it.
func TestConfines(t *testing.T) {
	confined(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for name, script := range map[string]string{
		"reads a file elsewhere":       `cat "$1"`,
		"writes a file elsewhere":      `echo x > "$1"`,
		"removes a file elsewhere":     `rm -f "$1" && ! test -e "$1"`,
		"makes a file in /tmp":         `echo x > /tmp/seedling-escape`,
		"reads the home folder":        `ls ` + os.Getenv("HOME"),
		"sees other processes":         fmt.Sprintf(`kill -0 %d`, os.Getpid()),
		"reads what processes have":    fmt.Sprintf(`cat /proc/%d/environ`, os.Getpid()),
		"goes through a link":          `ln -s "$1" link && cat link`,
		"reaches the network":          `exec 3<>/dev/tcp/127.0.0.1/` + port, // bash's; sh fails anyway
		"writes a file without end":    `head -c 3000000 /dev/zero > big`,
		"opens the terminal or a disk": `cat /dev/tty || cat /dev/sda`,
	} {
		shell := "/bin/sh"
		if _, err := os.Stat("/bin/bash"); err == nil {
			shell = "/bin/bash"
		}
		r, err := Run(t.Context(), t.TempDir(), Limits{}, shell, "-c", script, "sh", outside)
		if err != nil {
			t.Fatal(err)
		}
		if r.Passed {
			t.Errorf("a program %s: %q", name, r.Output)
		}
		if strings.Contains(r.Output, "secret") {
			t.Errorf("a program that %s got it", name)
		}
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != "secret" {
		t.Errorf("the file elsewhere: %q, %v", b, err)
	}
	if _, err := os.Stat("/tmp/seedling-escape"); err == nil {
		t.Error("a file was made in /tmp")
	}
}

// Time and memory end: a program that waits, one that computes, one that starts others and
// leaves, one that takes all memory.
func TestBounds(t *testing.T) {
	confined(t)
	start := time.Now()
	for name, script := range map[string]string{
		"waits":    "sleep 60",
		"computes": "while :; do :; done",
		"leaves":   "(trap '' TERM HUP; sleep 60) & sleep 60",
	} {
		if r := sh(t, t.TempDir(), Limits{Time: 300 * time.Millisecond}, script); r.Passed || !r.TimedOut {
			t.Errorf("a program that %s: %+v", name, r)
		}
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("three runs of 0.3 s took %s: something was waited for", d)
	}
	// A child that outlives the program must not hold up the run or go on.
	dir := t.TempDir()
	if r := sh(t, dir, Limits{Time: 5 * time.Second}, "(sleep 1; echo late > late) >/dev/null 2>&1 & exit 0"); !r.Passed {
		t.Errorf("%+v", r)
	}
	time.Sleep(1500 * time.Millisecond)
	if _, err := os.Stat(filepath.Join(dir, "late")); err == nil {
		t.Error("a child went on after the program had ended")
	}
	if r := sh(t, t.TempDir(), Limits{Memory: 64 << 20}, `x=a; while :; do x=$x$x$x$x; done`); r.Passed || r.TimedOut {
		t.Errorf("a program that takes all memory: %+v", r)
	}
}

// Cancelling ends a run; what can not be a program is said.
func TestRunRefuses(t *testing.T) {
	confined(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, t.TempDir(), Limits{}, "/bin/sh", "-c", "sleep 60"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Run(t.Context(), t.TempDir(), Limits{}, "sh"); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("a relative path: %v", err)
	}
	if _, err := Run(t.Context(), t.TempDir(), Limits{}, "/no/such/program"); err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("no program: %v", err)
	}
}
