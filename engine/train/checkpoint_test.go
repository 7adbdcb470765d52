package train

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wholeCheckpoint writes a small run's checkpoint and returns its bytes.
func wholeCheckpoint(t *testing.T, dir string) (State, [][]float32, []byte) {
	t.Helper()
	s := tinySettings("tsc")
	_, ids := vocabulary(t)
	st := State{Settings: s, Config: s.Model(8192, ids), Step: 3, Micro: 6, Tokens: 700, Corpus: "c", Vocab: "v"}
	tensors := [][]float32{{1, -2, float32(math.Inf(1)), 4}, {}, make([]float32, 300)}
	for i := range tensors[2] {
		tensors[2][i] = float32(i) / 7
	}
	if err := saveCheckpoint(dir, st, tensors); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(checkpointPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	return st, tensors, b
}

// read loads into tensors of the given sizes.
func read(dir string, sizes ...int) (State, [][]float32, error) {
	var out [][]float32
	for _, n := range sizes {
		out = append(out, make([]float32, n))
	}
	st, err := loadCheckpoint(dir, out)
	return st, out, err
}

// TestCheckpointRoundTrip: what was saved comes back, bit by bit.
func TestCheckpointRoundTrip(t *testing.T) {
	dir := t.TempDir()
	st, tensors, _ := wholeCheckpoint(t, dir)
	got, out, err := read(dir, 4, 0, 300)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tensors {
		if !slices.Equal(out[i], tensors[i]) {
			t.Errorf("tensor %d differs", i)
		}
	}
	if got.Step != st.Step || got.Micro != st.Micro || got.Tokens != st.Tokens || got.Floats != 304 || got.Settings.Stage != "tsc" || got.Config.HiddenSize != 32 {
		t.Errorf("state %+v", got)
	}
}

// TestCheckpointDamage: a checkpoint cut anywhere, with any byte flipped, of another
// model or of no kind at all gives one error that names the file, and neither panics nor
// asks for memory beyond the file's. Without it a bad disk would be trained on, or a
// damaged head would decide how much is allocated.
func TestCheckpointDamage(t *testing.T) {
	dir := t.TempDir()
	_, _, whole := wholeCheckpoint(t, dir)
	try := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(checkpointPath(dir), b, 0o644); err != nil {
			t.Fatal(err)
		}
		// readState is what New, settings and --init trust before they allocate.
		_, err := readState(dir)
		if err == nil || strings.Count(err.Error(), checkpointPath(dir)) != 1 || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%s: %v", name, err)
		}
		if _, _, err := read(dir, 4, 0, 300); err == nil {
			t.Fatalf("%s was loaded", name)
		}
	}
	for at := 0; at < len(whole); at += 1 + at/10 {
		try("cut", whole[:at])
	}
	for at := 0; at < len(whole); at += 3 + max(0, at-1500)/20 {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		try("a flipped bit", b)
	}
	try("one byte more", append(bytes.Clone(whole), 0))
	try("of version 2", bytes.Replace(whole, []byte("checkpoint 1"), []byte("checkpoint 2"), 1))
	try("text", []byte(strings.Repeat("package main\n", 100)))
	huge := bytes.Clone(whole)
	copy(huge[len(checkpointMagic):], []byte{0xff, 0xff, 0xff, 0xff})
	try("a head of 4 GB", huge)

	if err := os.WriteFile(checkpointPath(dir), whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(dir, 4, 0, 299); err == nil || !strings.Contains(err.Error(), "of another model") {
		t.Errorf("another model: %v", err)
	}
	if _, _, err := read(t.TempDir(), 4); !errors.Is(err, errNoCheckpoint) {
		t.Errorf("none there: %v", err)
	}
}

// TestResumeFromDamage: a trainer over a damaged checkpoint is one error, whatever byte
// of its head is wrong: the head says how large the network is and how it divides.
func TestResumeFromDamage(t *testing.T) {
	dir := t.TempDir()
	opt := tinyOptions(t, dir)
	s := tinySettings("ar")
	lossesOf(t, start(t, s, opt), 1)
	whole, err := os.ReadFile(checkpointPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	opt.Resume = true
	for _, c := range [][2]string{{`"num_key_value_heads":1`, `"num_key_value_heads":0`}, {`"num_hidden_layers":2`, `"num_hidden_layers":9`},
		{`"vocab_size":8192`, `"vocab_size":9192`}, {`"stage":"ar"`, `"stage":"xr"`}} {
		b := bytes.Replace(whole, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(b, whole) {
			t.Fatalf("no %s in the head", c[0])
		}
		if err := os.WriteFile(checkpointPath(dir), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := New(s, opt); err == nil || !strings.Contains(err.Error(), checkpointPath(dir)) {
			t.Errorf("%s: %v", c[1], err)
		}
		if err := Pack(dir, t.TempDir(), 0, nil); err == nil || !strings.Contains(err.Error(), checkpointPath(dir)) {
			t.Errorf("packing with %s: %v", c[1], err)
		}
	}
}

// TestFailedSaveKeepsCheckpoint: a save that cannot be put in place (here the target is a
// folder; on a read-only disk the same) is one error, and what stood there stands.
func TestFailedSaveKeepsCheckpoint(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(checkpointPath(dir), "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := saveCheckpoint(dir, State{}, [][]float32{{1}})
	if err == nil || !strings.Contains(err.Error(), "the one before it is as it was") {
		t.Errorf("%v", err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := saveCheckpoint(filepath.Join(dir, "nowhere"), State{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is gone: %v", err)
	}
	if os.Getuid() == 0 {
		return // root writes to read-only folders
	}
	dir = t.TempDir()
	_, _, whole := wholeCheckpoint(t, dir)
	os.Chmod(dir, 0o555)
	defer os.Chmod(dir, 0o755)
	if err := saveCheckpoint(dir, State{}, [][]float32{{1}}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v", err)
	}
	keptWhole(t, dir, whole)
}

func keptWhole(t *testing.T, dir string, whole []byte) {
	t.Helper()
	if b, err := os.ReadFile(checkpointPath(dir)); err != nil || !bytes.Equal(b, whole) {
		t.Errorf("the checkpoint before has changed (%v)", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
