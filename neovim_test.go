package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNeovim drives the plugin in every Neovim that SEEDLING_NVIM names (a list of programs,
// as PATH is one of folders), or in the one on PATH: typed, seen, taken, by word and by line,
// cycled, undone, a whole function, edits, settings, a server that is killed, and none.
func TestNeovim(t *testing.T) {
	editors := filepath.SplitList(os.Getenv("SEEDLING_NVIM"))
	if len(editors) == 0 {
		if p, err := exec.LookPath("nvim"); err == nil {
			editors = []string{p}
		} else if os.Getenv("CI") == "true" {
			t.Fatal("no Neovim: .ci/neovim brings it, SEEDLING_NVIM names it")
		} else {
			t.Skip("no nvim on PATH")
		}
	}
	program := filepath.Join(t.TempDir(), "seedling")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, nvim := range editors {
		out, err := exec.Command(nvim, "--version").Output()
		version, _, _ := strings.Cut(string(out), "\n")
		if err != nil {
			t.Fatalf("%s: %v", nvim, err)
		}
		t.Run(version, func(t *testing.T) {
			cmd := exec.Command(nvim, "--clean", "--headless", "-l", "editors/neovim/test/run.lua")
			cmd.Env = append(os.Environ(), "SEEDLING="+program)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
