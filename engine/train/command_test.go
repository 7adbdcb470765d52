package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/weights"
)

// configFile writes settings for --config.
func configFile(t *testing.T, s Settings) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestJob goes the way of `seedling train`: a stage from sources, a refused second start
// that leaves the folder as it was, a resume without --config and without --data, and the
// next stage from the first one's folder. Without it the parts would be right and the
// command lose a run.
func TestJob(t *testing.T) {
	files := map[string]string{"sources.tsv": "made\tgo\tMIT\ttrain\n"}
	for i, name := range []string{"train/go/made/a.go", "train/go/made/b.go", "train/go/made/c.go", "heldout/go/kept/h.go"} {
		files[name] = source("go", uint64(i+1), 2500)
	}
	s := tinySettings("ar")
	s.StepTokens = 128
	out := filepath.Join(t.TempDir(), "run")
	var log bytes.Buffer
	first := Job{Stage: "ar", Config: configFile(t, s), Data: lay(t, files), Out: out, Tokenizer: weights.TokenizerJSON, Threads: 1, Log: &log}
	ctx, cancel := context.WithCancel(t.Context())
	first.Log = writerFunc(func(b []byte) (int, error) {
		if strings.HasPrefix(string(b), "step 1/") {
			cancel() // a person presses Ctrl-C in the first step
		}
		return log.Write(b)
	})
	if err := first.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, want := range []string{"corpus: 3 files", "stopped at step 1 of 6", "--resume --out " + out} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if b, _ := os.ReadFile(filepath.Join(out, "sources.tsv")); !strings.Contains(string(b), "made\tgo\tMIT\t3\t") {
		t.Errorf("licences %q", b)
	}
	before, err := os.ReadFile(filepath.Join(out, "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	other := first
	s.Seed = 99
	other.Config, other.Log = configFile(t, s), io.Discard
	if err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "add --resume") {
		t.Errorf("a second start: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(out, "settings.json")); !bytes.Equal(before, after) {
		t.Error("a refused start wrote its settings over those of the run")
	}
	on := Job{Stage: "ar", Out: out, Resume: true, Tokenizer: []byte("not used: the run has its own"), Threads: 1, Log: io.Discard}
	if err := on.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A run that was killed has no model yet, and is its tokenizer's all the same.
	if err := os.RemoveAll(filepath.Join(out, "model")); err != nil {
		t.Fatal(err)
	}
	if _, vocab, err := (Job{Init: out}).initial([]byte("another")); err != nil || !bytes.Equal(vocab, weights.TokenizerJSON) {
		t.Errorf("the tokenizer of a killed run: %d bytes, %v", len(vocab), err)
	}
	if err := os.Rename(filepath.Join(out, "tokenizer.json"), filepath.Join(out, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := Pack(out, t.TempDir(), 0, []byte("another")); err == nil || !strings.Contains(err.Error(), "tokenizer") {
		t.Errorf("packed with a tokenizer that is not the run's: %v", err)
	}
	if err := os.Rename(filepath.Join(out, "gone"), filepath.Join(out, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	st, err := readState(out)
	if err != nil || st.Step != 6 || st.Settings.Seed != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	on.Stage = "tsc"
	if err := on.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "holds a run of stage ar") {
		t.Errorf("another stage: %v", err)
	}
	s2 := tinySettings("tsc")
	s2.StepTokens = 128
	next := Job{Stage: "tsc", Config: configFile(t, s2), Data: first.Data, Init: out, Out: filepath.Join(t.TempDir(), "tsc"), Tokenizer: weights.TokenizerJSON, Threads: 1, Log: io.Discard}
	if err := next.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	st2, err := readState(next.Out)
	if err != nil || st2.Before != 6 || st2.Step != 6 || st2.Tokens <= st.Tokens {
		t.Errorf("after %+v the next stage stands at %+v, %v", st, st2, err)
	}
	w, err := model.LoadDir(filepath.Join(next.Out, "model"))
	if err != nil || !w.Config.Seedling.Revises {
		t.Errorf("the exported model: %v", err)
	}
	if _, err := os.Stat(filepath.Join(next.Out, "curve.png")); err != nil {
		t.Error(err)
	}
	if err := (Job{Stage: "ar", Out: t.TempDir(), Tokenizer: weights.TokenizerJSON, Log: io.Discard}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("without sources: %v", err)
	}
}

// writerFunc is a writer that is a function.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
