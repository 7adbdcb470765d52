package train

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lossesOf runs a trainer until the stage ends or after steps, and returns each step's
// losses.
func lossesOf(t *testing.T, tr *Trainer, steps int) []Losses {
	t.Helper()
	var out []Losses
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tr.opt.Progress = func(p Progress) {
		out = append(out, p.Loss)
		if len(out) == steps {
			cancel()
		}
	}
	if err := tr.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return out
}

// weightsOf copies all that a checkpoint keeps: weights and optimizer state.
func weightsOf(tr *Trainer) [][]float32 {
	var out [][]float32
	for _, w := range tr.tensors() {
		out = append(out, slices.Clone(w))
	}
	return out
}

// sameRun compares two runs bit by bit.
func sameRun(t *testing.T, got, want []Losses, a, b [][]float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d steps, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d: losses %+v, straight %+v", i, got[i], want[i])
		}
	}
	for i := range b {
		if !slices.Equal(a[i], b[i]) {
			t.Errorf("tensor %d of %d differs from the straight run's", i, len(b))
		}
	}
}

// curveOf reads a run's curve without the columns that time decides.
func curveOf(t *testing.T, dir string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "curve.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		for i, c := range curveColumns {
			if c == "seconds" || c == "tokens_per_s" || c == "peak_share" {
				r[i] = ""
			}
		}
	}
	return rows
}

// TestResumeIsExact: a run that was stopped, or killed between two checkpoints, goes on
// as if it had not been: bit-equal losses, weights, optimizer state and curve. Without it
// a run that takes days could not be repeated, nor a loss spike be looked into.
func TestResumeIsExact(t *testing.T) {
	for _, stage := range []string{"ar", "ar adamw", "tsc", "order", "onpolicy"} {
		stage, optimizer, _ := strings.Cut(stage, " ")
		s := tinySettings(stage)
		if optimizer != "" {
			s.WeightBits = 5 // what is rounded is no part of a checkpoint
		}
		s.Optimizer = cmp.Or(optimizer, s.Optimizer)
		straight := start(t, s, tinyOptions(t, t.TempDir()))
		want := lossesOf(t, straight, -1)
		final := weightsOf(straight)
		if len(want) != s.Steps || want[0] == want[1] {
			t.Fatalf("%s: %d steps, %+v", stage, len(want), want)
		}
		if n := straight.State().Micro; n != uint64(s.Steps*s.StepTokens/s.MicroTokens) {
			t.Fatalf("%d micro-batches drawn: some twice, or some left out", n)
		}
		if stage == "tsc" && (want[0].Count[LossMask] == 0 || want[s.Steps-1].Count[LossEdit] == 0) {
			t.Fatalf("the run saw no masks or no edits: %+v", want)
		}
		for _, how := range []string{"stopped", "killed"} {
			t.Run(stage+" "+s.Optimizer+" "+how, func(t *testing.T) {
				opt := tinyOptions(t, t.TempDir())
				first := start(t, s, opt)
				got := lossesOf(t, first, 2) // saves when stopped
				if how == "killed" {
					for range 2 { // steps that no checkpoint keeps, but the curve does
						p, err := first.step()
						if err != nil {
							t.Fatal(err)
						}
						p.Report = &Report{AR: 99}
						if err := first.curve.Append(first.st, p); err != nil {
							t.Fatal(err)
						}
					}
					// What a kill in the middle of saving leaves beside the checkpoint.
					if err := os.WriteFile(filepath.Join(opt.Out, ".checkpoint-123"), []byte(checkpointMagic), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				opt.Resume = true
				second := start(t, s, opt)
				if st := second.State(); st.Step != 2 || st.Tokens == 0 {
					t.Fatalf("goes on from %+v", st)
				}
				got = append(got, lossesOf(t, second, -1)...)
				sameRun(t, got, want, weightsOf(second), final)
				if st, other := second.State(), straight.State(); st.Tokens != other.Tokens || st.Rows != other.Rows || st.Micro != other.Micro {
					t.Errorf("counts %+v, straight %+v", st, other)
				}
				a, b := curveOf(t, opt.Out), curveOf(t, straight.opt.Out)
				if !slices.EqualFunc(a, b, slices.Equal) || len(a) != 3 {
					t.Errorf("curve\n%v\nstraight\n%v", a, b)
				}
				if left, _ := filepath.Glob(filepath.Join(opt.Out, ".checkpoint-*")); len(left) != 0 {
					t.Errorf("%v is left over: a run that is often killed would fill the disk", left)
				}
			})
		}
	}
}

// TestResumeRefuses: what would make a resumed run another run is refused, with a hint;
// a changed corpus may be accepted by name. The folder stays as it was.
func TestResumeRefuses(t *testing.T) {
	dir := t.TempDir()
	s := tinySettings("ar")
	opt := tinyOptions(t, dir)
	lossesOf(t, start(t, s, opt), 1)
	before, err := os.ReadFile(checkpointPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	resume := opt
	resume.Resume = true
	for _, c := range []struct {
		name   string
		change func(*Settings, *Options)
		want   []string
	}{
		{"no --resume", func(_ *Settings, o *Options) { o.Resume = false }, []string{"holds a checkpoint already", "--resume", "another --out"}},
		{"tokenizer", func(_ *Settings, o *Options) { o.VocabHash = "another" }, []string{"resuming: the tokenizer is not the one"}},
		{"corpus", func(_ *Settings, o *Options) { o.Train = sourceCorpus("train", 3, 2, 3000) }, []string{"resuming: the corpus is not the one", "--new-corpus"}},
		{"stage", func(s *Settings, _ *Options) { *s = tinySettings("tsc") }, []string{"holds a run of stage ar", "--stage tsc", "--init"}},
		{"optimizer", func(s *Settings, _ *Options) { s.Optimizer = "adamw" }, []string{"resuming: the setting optimizer is adamw, this run began with muon", "--init"}},
		{"no checkpoint", func(_ *Settings, o *Options) { o.Out = t.TempDir() }, []string{"resuming: no checkpoint in"}},
	} {
		s, o := s, resume
		c.change(&s, &o)
		_, err := New(s, o)
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v lacks %q", c.name, err, w)
			}
		}
	}
	own := tinyOptions(t, t.TempDir())
	tsc := tinySettings("tsc")
	lossesOf(t, start(t, tsc, own), 1)
	own.Resume, tsc.Shift = true, !tsc.Shift
	if _, err := New(tsc, own); err == nil || !strings.Contains(err.Error(), "the setting shift is") {
		t.Errorf("a canvas that changes what it foretells under way: %v", err)
	}
	if after, err := os.ReadFile(checkpointPath(dir)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a refused run changed the checkpoint (%v)", err)
	}
	resume.Train, resume.NewCorpus = sourceCorpus("train", 3, 2, 3000), true
	tr := start(t, s, resume)
	if err := tr.Save(); err != nil {
		t.Fatal(err)
	}
	if st, err := readState(dir); err != nil || st.Corpus != resume.Train.Hash || st.Step != 1 {
		t.Errorf("with --new-corpus: %+v, %v", st, err)
	}
	// From here on the new corpus is the run's own.
	resume.NewCorpus = false
	start(t, s, resume)
}

// TestNewRefuses: settings and weights that do not belong together end before a step.
func TestNewRefuses(t *testing.T) {
	s := tinySettings("ar")
	opt := tinyOptions(t, t.TempDir())
	given := NewParams(s.Model(opt.Tokenizer.Size(), opt.Tokens)).Weights()
	for name, c := range map[string]struct {
		change func(*Settings, *Options)
		want   string
	}{
		"positions": {func(s *Settings, _ *Options) { s.Positions *= 2; s.MicroTokens, s.StepTokens = 256, 256 }, "positions"},
		"vocabulary": {func(_ *Settings, o *Options) {
			w := *given
			w.Config.VocabSize = 300
			o.Init = &w
		}, "do not belong together"},
		"kernels": {func(_ *Settings, o *Options) { o.ISA = "abacus" }, "abacus"},
		"folder":  {func(_ *Settings, o *Options) { o.Out = filepath.Join(o.Out, "file", "run") }, "the run's folder"},
	} {
		t.Run(name, func(t *testing.T) {
			s, o := s, opt
			o.Out, o.Init = t.TempDir(), given
			if err := os.WriteFile(filepath.Join(o.Out, "file"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			c.change(&s, &o)
			if tr, err := New(s, o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v lacks %q", err, c.want)
				if err == nil {
					tr.Close()
				}
			}
		})
	}
}
