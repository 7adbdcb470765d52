package model

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawConfig is any small config that Validate accepts.
func drawConfig(t *rapid.T) Config {
	c := tinyConfig()
	in := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	c.HiddenSize, c.HeadDim = 8*in("d/8", 1, 3), 8*in("head/8", 1, 2)
	c.IntermediateSize, c.NumLayers = in("ff", 1, 20), in("layers", 1, 11)
	c.NumKVHeads = in("kv", 1, 3)
	c.NumHeads = c.NumKVHeads * in("group", 1, 3)
	c.VocabSize, c.MaxPositions = in("vocab", 9, 40), in("positions", 8, 100)
	c.TieWordEmbeddings = rapid.Bool().Draw(t, "tied")
	c.RopeTheta = rapid.Float64Range(1, 1e7).Draw(t, "theta")
	c.RMSNormEps = rapid.Float64Range(1e-12, 0.1).Draw(t, "eps")
	c.Seedling.Shift, c.Seedling.CanvasMark = rapid.Bool().Draw(t, "shift"), rapid.Bool().Draw(t, "mark")
	return c
}

// What is saved loads as it was: F32 exactly, BF16 rounded once, I8 as Quantize has it;
// and saving what was loaded changes nothing any more. Without this a checkpoint would
// drift each time a run is resumed.
func TestSaveLoad(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		// Any finite value, subnormals and the largest included.
		value := rapid.Float32Range(-3e38, 3e38)
		pool := rapid.SliceOfN(value, 1, 40).Draw(t, "values")
		k := 0
		w := randomWeights(c, func() float32 { k++; return pool[(k*k+k)%len(pool)] })
		dt := rapid.SampledFrom([]DType{F32, BF16, I8}).Draw(t, "type")

		want := w
		switch dt {
		case BF16:
			k, c.TorchDType = 0, "bfloat16"
			want = randomWeights(c, func() float32 { k++; return bf16ToF32(f32ToBF16(pool[(k*k+k)%len(pool)])) })
		case I8:
			want = w.Quantize()
		}
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(dir, "new") // Save makes it
		if err := w.SaveAs(dir, dt); err != nil {
			t.Fatal(err)
		}
		got, err := LoadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s: %s", dt, d)
		}
		if got.DType() != dt {
			t.Fatalf("saved as %s, would be saved again as %s", dt, got.DType())
		}
		first := snapshot(t, dir)
		if err := got.Save(dir); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(first, snapshot(t, dir)); d != "" {
			t.Fatalf("a second save differs: %s", d)
		}
	})
}

// snapshot is every file of dir; a temporary file left behind would show too.
func snapshot(t interface{ Fatal(...any) }, dir string) map[string]string {
	out := map[string]string{}
	names, err := os.ReadDir(dir)
	for _, e := range names {
		var data []byte
		if data, err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			break
		}
		out[e.Name()] = string(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An int8 model can be given to other tools as floats: the values are those that int8
// stands for.
func TestSaveExpands(t *testing.T) {
	q := tinyWeights().Quantize()
	dir := t.TempDir()
	if err := q.SaveAs(dir, F32); err != nil {
		t.Fatal(err)
	}
	w, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, g := &q.Layers[1].Gate, &w.Layers[1].Gate
	for i := range g.F32 {
		if want := m.Scale[i/m.Cols] * float32(m.I8[i]); g.F32[i] != want {
			t.Fatalf("value %d: %v, want %v", i, g.F32[i], want)
		}
	}
}

// A diverged run must not overwrite a good checkpoint with one that can not be loaded.
func TestSaveRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := tinyWeights().Save(dir); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	nan := float32(math.NaN())
	for _, c := range []struct {
		name, want string
		dtype      DType
		spoil      func(w *Weights)
	}{
		{"NaN in a matrix", gate, F32, func(w *Weights) { w.Layers[1].Gate.F32[3] = nan }},
		{"NaN before int8", gate, I8, func(w *Weights) { w.Layers[1].Gate.F32[3] = nan }},
		{"infinite norm", "model.norm.weight", F32, func(w *Weights) { w.Norm[0] = float32(math.Inf(1)) }},
		{"too large for BF16", "BF16", BF16, func(w *Weights) { w.Norm[0] = math.MaxFloat32 }},
		{"short vector", "model.norm.weight", F32, func(w *Weights) { w.Norm = w.Norm[1:] }},
		{"short matrix", gate, F32, func(w *Weights) { w.Layers[1].Gate.F32 = w.Layers[1].Gate.F32[1:] }},
		{"wrong shape", gate, F32, func(w *Weights) { w.Layers[1].Gate.Rows, w.Layers[1].Gate.Cols = 8, 12 }},
		{"nothing in a matrix", gate, F32, func(w *Weights) { w.Layers[1].Gate.F32 = nil }},
		{"a layer less", "num_hidden_layers", F32, func(w *Weights) { w.Layers = w.Layers[:1] }},
		{"head though tied", "lm_head", F32, func(w *Weights) { w.Head = w.Embed }},
		{"bad config", "head_dim", F32, func(w *Weights) { w.Config.HeadDim = 7 }},
		{"F16", "F16", F16, func(*Weights) {}},
		{"no type", "DType(0)", 0, func(*Weights) {}},
		{"int8 with -128", "-128", I8, func(w *Weights) { *w = *w.Quantize(); w.Embed.I8[0] = -128 }},
		{"int8 with a NaN scale", "scale of row 1", I8, func(w *Weights) { *w = *w.Quantize(); w.Embed.Scale[1] = nan }},
		{"int8 too large to expand", "too large", F32, func(w *Weights) { *w = *w.Quantize(); w.Embed.Scale[1] = 3e38 }},
	} {
		w := tinyWeights()
		c.spoil(w)
		if err := w.SaveAs(dir, c.dtype); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
		if d := cmp.Diff(before, snapshot(t, dir)); d != "" {
			t.Fatalf("%s: files changed: %s", c.name, d)
		}
	}
}

// transformers must not take an int8 directory for a Qwen3 model: it would leave the
// scales out and run on the integers (testdata/check_transformers.py tries it).
func TestSaveInt8Marked(t *testing.T) {
	dir := t.TempDir()
	if err := tinyWeights().SaveAs(dir, I8); err != nil {
		t.Fatal(err)
	}
	if c := snapshot(t, dir)[ConfigFile]; !strings.Contains(c, `"model_type": "seedling_int8"`) {
		t.Error(c)
	}
	w, err := LoadDir(dir)
	if err != nil || w.Config.ModelType != "qwen3" {
		t.Errorf("loads as %v, %v", w, err)
	}
}

// A full disk in the middle of a save keeps the old file, leaves no litter, and says
// what to do.
func TestSaveFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, WeightsFile)
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := writeFile(path, func(w io.Writer) error {
		if _, err := w.Write([]byte("half")); err != nil {
			return err
		}
		return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff(map[string]string{WeightsFile: "old"}, snapshot(t, dir)); d != "" {
		t.Error(d)
	}
	// The same from a real device that is always full.
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs /dev/full")
		}
		t.Skip("no /dev/full here")
	}
	tensors, _, err := tinyWeights().encode(F32)
	if err != nil {
		t.Fatal(err)
	}
	err = fill(full, func(w io.Writer) error { return writeTensors(w, tensors, nil) })
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v from a full device", err)
	}
}

// A directory that can not be written says so, with the path.
func TestSaveNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := tinyWeights().Save(filepath.Join(file, "model")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
}
