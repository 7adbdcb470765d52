package train

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine/weights"
)

// TestDecayedBranch: a branch that is cut from a run at a constant rate is, to the bit, the run
// that was to fall from that step on: the optimizer's state and the place in the corpus go with it.
// The run that it is cut from stays as it was.
func TestDecayedBranch(t *testing.T) {
	s := tinySettings("tsc")
	s.Steps, s.Warmup, s.Decay, s.MaskRamp, s.EditFrom = 6, 2, 0, 2, 0.5
	dir, files := t.TempDir(), map[string]string{"sources.tsv": "made\tgo\tMIT\ttrain\n"}
	for i, name := range []string{"train/go/made/a.go", "train/go/made/b.go", "train/go/made/c.go", "heldout/go/kept/h.go"} {
		files[name] = source("go", uint64(i+1), 2500)
	}
	trunk := Job{Stage: "tsc", Config: configFile(t, s), Data: lay(t, files), Out: filepath.Join(dir, "trunk"), Tokenizer: weights.TokenizerJSON, Threads: 1, Log: io.Discard}
	if err := trunk.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	branch := Job{Stage: "tsc", Data: trunk.Data, Init: trunk.Out, Decay: 4, Out: filepath.Join(dir, "branch"), Tokenizer: weights.TokenizerJSON, Threads: 1, Log: io.Discard}
	if err := branch.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Steps, s.Decay, s.EditFrom = 10, 4, 0.3
	whole := trunk
	whole.Config, whole.Out = configFile(t, s), filepath.Join(dir, "whole")
	if err := whole.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func(out string) ([]float32, State) {
		st, err := readState(out)
		if err != nil {
			t.Fatal(err)
		}
		all := make([]float32, st.Floats) // weights, then what the optimizer keeps
		if _, err := loadCheckpoint(out, [][]float32{all}); err != nil {
			t.Fatal(err)
		}
		return all, st
	}
	got, st := read(branch.Out)
	want, wholeState := read(whole.Out)
	if !slices.Equal(got, want) {
		t.Error("the branch is not the run that decays from there on")
	}
	if st.Step != 10 || st.Tokens != wholeState.Tokens || st.Settings.Seed != s.Seed {
		t.Errorf("the branch stands at %+v, the run at %+v", st, wholeState)
	}
	if trunkState, err := readState(trunk.Out); err != nil || trunkState.Step != 6 {
		t.Errorf("the run that was branched from stands at %+v, %v", trunkState, err)
	}
	for want, j := range map[string]Job{
		"cuts a branch":      {Stage: "tsc", Decay: 4, Init: t.TempDir()},
		"holds a run of":     {Stage: "ar", Decay: 4, Init: trunk.Out},
		"without --decay":    {Stage: "tsc", Decay: 4, Init: trunk.Out, Resume: true},
		"holds a checkpoint": branch,
	} {
		j.Tokenizer, j.Threads, j.Log = weights.TokenizerJSON, 1, io.Discard
		if j.Out == "" {
			j.Data, j.Out = trunk.Data, t.TempDir()
		}
		if err := j.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
