package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seedling-lsp/seedling/lsp/shared"
)

// TestPositions: what a person types counts characters from 1:1, what a program reads counts
// UTF-16 units from 0:0. Without it one of the two would be right for ASCII only.
func TestPositions(t *testing.T) {
	const text = "a\n𝄞é b\r\n\nend"
	for _, c := range []struct {
		at   string
		off  int
		want position
	}{
		{"1:1", 0, position{0, 0}},
		{"1:9", 1, position{0, 1}}, // past the line's end
		{"2:1", 2, position{1, 0}},
		{"2:2", 6, position{1, 2}}, // one character, two units
		{"2:3", 8, position{1, 3}},
		{"2:99", 10, position{1, 5}}, // before \r\n
		{"3:1", 12, position{2, 0}},
		{"4:4", 16, position{3, 3}},
	} {
		off, err := offsetAt(text, c.at)
		if got := positionOf(text, off); err != nil || off != c.off || got != c.want {
			t.Errorf("%s is byte %d, %+v (%v), want %d, %+v", c.at, off, got, err, c.off, c.want)
		}
	}
	for _, at := range []string{"", "1", "1:", ":1", "0:1", "1:0", "-1:1", "5:1", "1:1:1", "a:b"} {
		if off, err := offsetAt(text, at); err == nil {
			t.Errorf("%q is byte %d", at, off)
		}
	}
}

// TestExitCode: programs tell by it what to do next.
func TestExitCode(t *testing.T) {
	for code, err := range map[int]error{1: errors.New("broken"), 2: fmt.Errorf("eval: %w", usageError{errors.New("no")}), 3: fmt.Errorf("serving: %w", shared.ErrTaken)} {
		if got := ExitCode(err); got != code {
			t.Errorf("%v ends with %d, want %d", err, got, code)
		}
	}
}
