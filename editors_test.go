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

// TestEmacs drives Emacs' own client, which knows completion lists and code actions only.
func TestEmacs(t *testing.T) {
	emacs := editor(t, "SEEDLING_EMACS", "emacs")
	if err := exec.Command(emacs, "-Q", "--batch", "--eval", "(unless (>= emacs-major-version 29) (kill-emacs 1))").Run(); err != nil && os.Getenv("CI") != "true" {
		t.Skip("this Emacs has no eglot: 29 is the first that has")
	}
	drive(t, built(t), exec.Command(emacs, "-Q", "--batch", "-l", "editors/emacs/test.el"))
}

// TestLSPMode drives Emacs' other client, which draws ghost text. SEEDLING_LSP_MODE lists the
// folders of it and of what it needs, by colons.
func TestLSPMode(t *testing.T) {
	path := os.Getenv("SEEDLING_LSP_MODE")
	if path == "" && os.Getenv("CI") == "true" {
		t.Fatal("no lsp-mode: .ci/editors brings it, SEEDLING_LSP_MODE names it")
	} else if path == "" {
		t.Skip("SEEDLING_LSP_MODE is not set")
	}
	args := []string{"-Q", "--batch"}
	for _, dir := range filepath.SplitList(path) {
		args = append(args, "-L", dir)
	}
	drive(t, built(t), exec.Command(editor(t, "SEEDLING_EMACS", "emacs"), append(args, "-l", "editors/emacs/lsp-mode-test.el")...))
}

// TestKate drives Kate on a screen that nobody sees.
func TestKate(t *testing.T) {
	for _, name := range []string{"kate", "xvfb-run", "dbus-run-session", "xdotool"} {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") == "true" {
			t.Fatal(err)
		} else if err != nil {
			t.Skip(err)
		}
	}
	drive(t, built(t), exec.Command("editors/kate/test.sh"))
}

// TestHelix drives Helix in a terminal, which Neovim is for it.
func TestHelix(t *testing.T) {
	helix := editor(t, "SEEDLING_HELIX", "hx")
	nvim := neovims(t)[0]
	drive(t, built(t), exec.Command(nvim, "--clean", "--headless", "-l", "editors/helix/test.lua"), "HELIX="+helix)
}
