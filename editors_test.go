package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// editor finds a program by its variable or on PATH. Where there is none the test is skipped,
// but not under CI=true.
func editor(t *testing.T, variable, name string) string {
	t.Helper()
	if p := os.Getenv(variable); p != "" {
		return p
	}
	p, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("no %s: .ci/editors brings it, %s names it", name, variable)
	} else if err != nil {
		t.Skipf("no %s on PATH", name)
	}
	return p
}

// built is the program, as a person has it.
func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "seedling")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// drive runs an editor over a script of its own kind.
func drive(t *testing.T, program string, cmd *exec.Cmd, env ...string) {
	t.Helper()
	cmd.Env = append(append(os.Environ(), "SEEDLING="+program), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestEmacs drives eglot, which knows completion lists and code actions only.
func TestEmacs(t *testing.T) {
	emacs := editor(t, "SEEDLING_EMACS", "emacs")
	if err := exec.Command(emacs, "-Q", "--batch", "--eval", "(unless (>= emacs-major-version 29) (kill-emacs 1))").Run(); err != nil && os.Getenv("CI") != "true" {
		t.Skip("this Emacs has no eglot: 29 is the first that has")
	}
	drive(t, built(t), exec.Command(emacs, "-Q", "--batch", "-l", "editors/emacs/test.el"))
}

// TestHelix drives Helix in a terminal, which Neovim is for it.
func TestHelix(t *testing.T) {
	helix := editor(t, "SEEDLING_HELIX", "hx")
	nvim := neovims(t)[0]
	drive(t, built(t), exec.Command(nvim, "--clean", "--headless", "-l", "editors/helix/test.lua"), "HELIX="+helix)
}
