package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run the command itself.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"seedling": main})
}

// TestCLI runs the scripts that stand in testdata of engine/weights' users: each begins
// with the reason it exists.
func TestCLI(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: ".testscripts",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CI", os.Getenv("CI"))
			return nil
		},
	})
}
