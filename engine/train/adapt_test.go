package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/weights"
)

// TestAdapt: a model that goes on from another on a repository's own files knows its
// held-out files better, says by how much, stops when asked without losing anything, and
// ends with a model that loads. Without it a person's ten minutes might end in nothing.
func TestAdapt(t *testing.T) {
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("pkg%d/file%d.go", i%3, i)] = source("go", uint64(i+1), 1500)
	}
	// Something to go on from: a tiny model of random weights.
	s := tinySettings("tsc")
	tok, ids := vocabulary(t)
	init := filepath.Join(t.TempDir(), "init")
	if err := weightsFromNothing(s.Model(tok.Size(), ids)).Save(init); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(init, "tokenizer.json"), weights.TokenizerJSON, 0o644); err != nil {
		t.Fatal(err)
	}
	a := tinySettings("adapt")
	a.Steps, a.Warmup, a.Decay, a.EvalEvery = 24, 2, 8, 24
	a.MuonLR, a.AdamLR = 0.02, 0.01
	out := filepath.Join(t.TempDir(), "out")
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	job := Job{Stage: "adapt", Config: configFile(t, a), Data: lay(t, files), Init: init, Out: out, Tokenizer: weights.TokenizerJSON, Threads: 2,
		Log: writerFunc(func(b []byte) (int, error) {
			if strings.HasPrefix(string(b), "step 1/") {
				cancel()
			}
			return log.Write(b)
		})}
	if err := job.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if _, err := model.LoadDir(filepath.Join(out, "model")); err != nil {
		t.Fatalf("stopped in the first step it left no model: %v", err)
	}
	before, err := os.ReadFile(beforePath(out))
	if err != nil {
		t.Fatal(err)
	}
	job.Resume, job.Init, job.Config, job.Log = true, "", "", &log
	if err := job.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if again, _ := os.ReadFile(beforePath(out)); !bytes.Equal(before, again) {
		t.Error("resuming measured the start anew, on a model that is none")
	}
	var g Gain
	b, err := os.ReadFile(filepath.Join(out, "gain.json"))
	if err != nil || json.Unmarshal(b, &g) != nil {
		t.Fatal(err, string(b))
	}
	if g.Files < 3 || g.CI95[0] <= 0 || g.Less < g.CI95[0] || g.Less > g.CI95[1] || g.After >= g.Before {
		t.Errorf("%+v", g)
	}
	for _, want := range []string{"stopped at step 1 of 24", "95 % interval", "--model " + filepath.Join(out, "model")} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if err := (Job{Stage: "adapt", Data: job.Data, Out: t.TempDir(), Tokenizer: weights.TokenizerJSON, Log: &log}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--init builtin") {
		t.Errorf("from nothing: %v", err)
	}
}

// TestAdaptBuiltin: the embedded model is one to start from, its int8 weights and all.
func TestAdaptBuiltin(t *testing.T) {
	w, vocab, err := Job{Init: "builtin", Models: map[string]fs.FS{"builtin": weights.Files()}}.initial(nil)
	if err != nil || w.Config.VocabSize != 8192 || !bytes.Equal(vocab, weights.TokenizerJSON) {
		t.Fatal(err)
	}
	s := DefaultSettings("adapt").fitted(sourceCorpus("train", 3, 1, 3000))
	if err := s.Validate(); err != nil || s.Steps != adaptLeast || s.Decay >= s.Steps {
		t.Errorf("%v, %d steps", err, s.Steps)
	}
}

// TestGain: the interval holds the mean, no gain is not called one, and files that are not
// the same are not compared.
func TestGain(t *testing.T) {
	var before, same, less []FileLoss
	for i := range 10 {
		f := FileLoss{Path: fmt.Sprint(i), Tokens: 100, Bytes: 300 + i, Nats: 300}
		before = append(before, f)
		f.Nats = 300 + float64(i%2*2-1)
		same = append(same, f)
		f.Nats, f.Hits = 200-float64(i), 50
		less = append(less, f)
	}
	if g, err := GainOf(before, less); err != nil || g.CI95[0] <= 0.4 || g.CI95[1] >= 0.6 || g.AccuracyAfter != 0.5 || strings.Contains(g.String(), "not certainly") {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err := GainOf(before, same); err != nil || g.CI95[0] >= 0 || g.CI95[1] <= 0 || !strings.Contains(g.String(), "not certainly a gain") {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err := GainOf(before[:2], less[:2]); err != nil || g.CI95 != [2]float64{} || !strings.Contains(g.String(), "too few") {
		t.Errorf("%+v, %v", g, err)
	}
	if _, err := GainOf(before, less[1:]); err == nil {
		t.Error("another number of files")
	}
	less[3].Bytes++
	if _, err := GainOf(before, less); err == nil {
		t.Error("another file")
	}
}

// weightsFromNothing are random weights of a configuration.
func weightsFromNothing(c model.Config) *model.Weights {
	p := NewParams(c)
	p.Init(1)
	return p.Weights()
}
