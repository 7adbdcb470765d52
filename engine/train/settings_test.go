package train

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSettingsValidate: settings that would divide by zero, loop or run out of the tables
// an hour later are refused by name before a run begins; the defaults are not.
func TestSettingsValidate(t *testing.T) {
	for _, stage := range []string{"ar", "tsc"} {
		if err := DefaultSettings(stage).Validate(); err != nil {
			t.Errorf("defaults of %s: %v", stage, err)
		}
		if err := tinySettings(stage).Validate(); err != nil {
			t.Errorf("%s: %v", stage, err)
		}
	}
	nan := math.NaN()
	for _, c := range []struct {
		want   string
		change func(*Settings)
	}{
		{"stage", func(s *Settings) { s.Stage = "order" }},
		{"hidden", func(s *Settings) { s.Hidden = 0 }},
		{"hidden", func(s *Settings) { s.Hidden = 36 }},
		{"layers", func(s *Settings) { s.Layers = 0 }},
		{"heads", func(s *Settings) { s.Heads = -1 }},
		{"intermediate", func(s *Settings) { s.Intermediate = 0 }},
		{"kv_heads", func(s *Settings) { s.KVHeads = 0 }},
		{"kv_heads", func(s *Settings) { s.KVHeads = 3 }},
		{"head_dim", func(s *Settings) { s.HeadDim = 12 }},
		{"positions", func(s *Settings) { s.Positions = 1 << 17 }},
		{"positions", func(s *Settings) { s.Positions = 8 }},
		{"steps", func(s *Settings) { s.Steps = 0 }},
		{"steps", func(s *Settings) { s.Decay = s.Steps + 1 }},
		{"steps", func(s *Settings) { s.Warmup = -1 }},
		{"micro_tokens", func(s *Settings) { s.MicroTokens = s.Positions - 1 }},
		{"micro_tokens", func(s *Settings) { s.StepTokens++ }},
		{"shares", func(s *Settings) { s.FIMShare = 1.1 }},
		{"shares", func(s *Settings) { s.EditShare = -0.1 }},
		{"shares", func(s *Settings) { s.AllMask = nan }},
		{"noised_share", func(s *Settings) { s.NoisedShare = 5 }},
		{"noised_share", func(s *Settings) { s.NoisedShare = 0 }},
		{"block_sizes", func(s *Settings) { s.BlockSizes = nil }},
		{"block size 0", func(s *Settings) { s.BlockSizes = []int{8, 0} }},
		{"block size 65", func(s *Settings) { s.BlockSizes = []int{65} }},
		{"min_window", func(s *Settings) { s.MinWindow = 8 }},
		{"min_window", func(s *Settings) { s.MinWindow = s.Positions + 1 }},
		{"max_middle", func(s *Settings) { s.MaxMiddle = s.Positions }},
		{"learning rates", func(s *Settings) { s.MuonLR = 0 }},
		{"learning rates", func(s *Settings) { s.AdamLR = -1 }},
		{"clip", func(s *Settings) { s.Clip = 0 }},
		{"eval_every", func(s *Settings) { s.EvalEvery = 0 }},
		{"eval_tokens", func(s *Settings) { s.EvalTokens = 0 }},
		{"muon_beta", func(s *Settings) { s.MuonBeta = 1 }},
		{"weights", func(s *Settings) { s.EndWeight = -1 }},
		{"weights", func(s *Settings) { s.FillWeight = nan }},
		{"weights", func(s *Settings) { s.ARWeight = -1 }},
		{"weight_decay", func(s *Settings) { s.WeightDecay = -1 }},
		{"weight_bits", func(s *Settings) { s.WeightBits = 3 }},
		{"weight_bits", func(s *Settings) { s.WeightBits = 8 }},
		{"hidden_lr", func(s *Settings) { s.Optimizer, s.HiddenLR = "adamw", -1 }},
		{"hidden_lr", func(s *Settings) { s.Optimizer, s.HiddenLR = "muon", 0.001 }},
	} {
		s := tinySettings("tsc")
		c.change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v lacks %q", err, c.want)
		}
	}
}

// TestReadSettings: a file changes what it names and nothing else; a misspelt key, a
// second value, another stage's file or a value out of bounds is an error. A misspelt
// rate that is silently ignored costs a night.
func TestReadSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"steps": 77, "fim_share": 0.25}`)
	s, err := ReadSettings(path, "ar")
	if want := DefaultSettings("ar"); err != nil || s.Steps != 77 || s.FIMShare != 0.25 || s.Hidden != want.Hidden || s.MuonLR != want.MuonLR {
		t.Errorf("%+v, %v", s, err)
	}
	for text, want := range map[string]string{
		`{"muon_rate": 1}`:                 "muon_rate",
		`{"steps": 5} {"steps": 6}`:        "more than one",
		`{"steps": 5} x`:                   "more than one",
		`{"stage": "tsc"}`:                 `stage "tsc", not "ar"`,
		`{"steps": "many"}`:                "steps",
		`{"hidden": 12}`:                   "hidden must",
		``:                                 "EOF",
		`{"block_sizes": [4, 8, 16, 100]}`: "block size 100",
	} {
		write(text)
		if _, err := ReadSettings(path, "ar"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v lacks %q", text, err, want)
		}
	}
	if _, err := ReadSettings(path+".none", "ar"); err == nil {
		t.Error("a file that is not there was read")
	}
}

// TestRate: the schedule rises, stays and falls to nearly nothing, never to zero before
// the end (a step at rate zero is a step wasted) and never above one.
func TestRate(t *testing.T) {
	s := Settings{Steps: 100, Warmup: 10, Decay: 20}
	for step := range s.Steps {
		r := s.rate(step)
		want := 1.0
		switch {
		case step < 10:
			want = float64(step+1) / 11
		case step > 80:
			want = float64(100-step) / 21
		}
		if math.Abs(r-want) > 1e-12 {
			t.Errorf("step %d: %g, want %g", step, r, want)
		}
	}
	for _, s := range []Settings{{Steps: 10}, {Steps: 10, Warmup: 20}, {Steps: 10, Decay: 10}, {Steps: 10, Warmup: 8, Decay: 8}} {
		for step := range s.Steps {
			if r := s.rate(step); !(r > 0 && r <= 1) {
				t.Errorf("%+v: rate %g at step %d", s, r, step)
			}
		}
	}
}

// TestCurveCut: on resume the curve loses what lies beyond the checkpoint, and a line that
// a full disk tore; what stays is byte for byte what stood there. A curve that failed to
// open is not touched. Without it plots would show steps twice.
func TestCurveCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curve.csv")
	c, err := OpenCurve(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	st := State{Settings: Settings{Stage: "tsc"}, Before: 100}
	for step := 1; step <= 60; step++ {
		st.Step = step
		p := Progress{Step: step, LR: 0.5, GradNorm: 1.25}
		if step == 35 {
			p.Report = &Report{AR: 3, ELBO: 4.5}
		}
		if err := c.Append(st, p); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	whole, _ := os.ReadFile(path)
	if n := strings.Count(string(whole), "\n"); n != 8 { // a header, six tens, a report
		t.Fatalf("%d lines:\n%s", n, whole)
	}
	torn := append(append([]byte{}, whole...), "12,tsc,40"...)
	if err := os.WriteFile(path, torn, 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err = OpenCurve(path, 135); err != nil {
		t.Fatal(err)
	}
	st.Step = 40
	if err := c.Append(st, Progress{Step: 40}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	got, _ := os.ReadFile(path)
	lines := strings.SplitAfter(string(whole), "\n")
	if want := strings.Join(lines[:5], ""); !strings.HasPrefix(string(got), want) || !strings.HasPrefix(string(got)[len(want):], "140,tsc,") {
		t.Errorf("cut to\n%s\nof\n%s", got, whole)
	}
	rows, err := csv.NewReader(strings.NewReader(string(got))).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if err := os.WriteFile(path, []byte("step\n\"1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCurve(path, 10); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "step\n\"1" {
		t.Errorf("a curve that could not be read was written over: %q", b)
	}
}
