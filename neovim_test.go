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
	editors := neovims(t)
	program := built(t)
	for _, nvim := range editors {
		out, err := exec.Command(nvim, "--version").Output()
		version, _, _ := strings.Cut(string(out), "\n")
		if err != nil {
			t.Fatalf("%s: %v", nvim, err)
		}
		t.Run(version, func(t *testing.T) {
			drive(t, program, exec.Command(nvim, "--clean", "--headless", "-l", "editors/neovim/test/run.lua"))
		})
	}
}

// neovims are the programs to drive.
func neovims(t *testing.T) []string {
	t.Helper()
	if list := filepath.SplitList(os.Getenv("SEEDLING_NVIM")); len(list) > 0 {
		return list
	}
	return []string{editor(t, "SEEDLING_NVIM", "nvim")}
}
