package benchmarks

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// excess is what ExcessCode is made of.
type excess struct {
	Missing []int `json:"missing"` // lines that the tests did not run
	Changed int   `json:"changed"` // length of the line difference
}

// score is the ExcessCode of one program, as the benchmark's script has it: lines not run over
// the lines of the difference from the program before.
func (e excess) score() float64 { return float64(len(e.Missing)) / float64(max(e.Changed, 1)) }

// startTests is where a program ends and its tests begin.
const startTests = "### START TESTS ###\n"

// measureProgram runs a program and counts; see there.
//
//go:embed excess.py
var measureProgram string

// measureExcess runs a program that passes once more, watched. nil: watched it does not pass
// (it takes too long, say); the benchmark leaves such a program out of the metric, too.
func measureExcess(ctx context.Context, py, before, program string) (e *excess, err error) {
	after, _, _ := strings.Cut(program, startTests)
	input, err := json.Marshal(map[string]string{"before": before, "after": after, "program": program})
	if err != nil {
		return nil, fmt.Errorf("measuring a program: %w", err)
	}
	err = folder(func(dir string) error {
		if err := write(dir, "measure.py", measureProgram); err != nil {
			return err
		}
		_, res, err := feed(ctx, dir, string(input), covering, py, "-I", "-B", "measure.py")
		if err != nil || !res.Passed {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, "measured.json"))
		if err != nil {
			return nil // the program ended the process before it was counted
		}
		e = new(excess)
		if json.Unmarshal(b, e) != nil {
			e = nil
		}
		return nil
	})
	return e, err
}
