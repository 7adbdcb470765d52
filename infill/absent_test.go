package infill

import (
	"os"
	"testing"
)

// absent skips a test for want of something that a user may lack, and fails it in CI.
func absent(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what + ": CI must have it")
	}
	t.Skip(what)
}
