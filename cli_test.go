package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run the command itself. What they expect is of the small model, on
// machines that are fast enough for the large one, too.
func TestMain(m *testing.M) {
	os.Setenv("SEEDLING_MODEL", "small")
	testscript.Main(m, map[string]func(){"seedling": main})
}

// TestCLI runs the scripts that stand in testdata of engine/weights' users: each begins
// with the reason it exists.
func TestCLI(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: ".testscripts",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CI", os.Getenv("CI"))
			e.Setenv("SEEDLING_MODEL", "small")
			return nil
		},
	})
}
