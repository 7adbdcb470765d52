package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The golden directory was written by Python's safetensors: what it calls a model, and
// every number in it, must arrive. golden.json's logits rest on exactly these values.
func TestLoadPython(t *testing.T) {
	w, err := LoadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	tensors, meta, err := ReadTensors(filepath.Join(golden, WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	if meta["format"] != "pt" {
		t.Errorf("metadata %v", meta)
	}
	n := 0
	byName := map[string]Tensor{}
	for _, x := range tensors {
		byName[x.Name] = x
		n += len(x.F32)
	}
	if n != w.Parameters() || n != 61744 {
		t.Errorf("%d values in the file, Parameters() = %d, want 61744", n, w.Parameters())
	}
	for _, s := range w.slots() {
		got := s.vec
		if s.mat != nil {
			got = &s.mat.F32
			if s.mat.Rows != s.rows || s.mat.Cols != s.cols {
				t.Errorf("%s: shape [%d %d]", s.name, s.mat.Rows, s.mat.Cols)
			}
		}
		if d := cmp.Diff(byName[s.name].F32, *got); d != "" {
			t.Errorf("%s: %s", s.name, d)
		}
	}
	// Written by our writer in F32 the data is the same, byte for byte.
	theirs, err := os.ReadFile(filepath.Join(golden, WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	_, ours := files(t, w, F32)
	if _, a := split(theirs); !bytes.Equal(a, second(split(ours))) {
		t.Error("our F32 file has other bytes than the one we read")
	}
}

func second(_ string, b []byte) []byte { return b }

// The gradients of the golden training step are read by the trainer's test through
// ReadTensors; shapes that do not fit the model would show there as a puzzle.
func TestReadGoldenStep(t *testing.T) {
	grads, _, err := ReadTensors("../train/testdata/golden_step/grads.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	w, err := LoadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]int64{}
	for _, s := range w.slots() {
		shapes[s.name] = s.dims()
	}
	for _, g := range grads {
		if got := fmt.Sprint(g.Shape); got != fmt.Sprint(shapes[g.Name]) {
			t.Errorf("%s: shape %s, parameter %v", g.Name, got, shapes[g.Name])
		}
		if notFinite(g.F32) >= 0 {
			t.Errorf("%s: not finite", g.Name)
		}
		delete(shapes, g.Name)
	}
	if len(shapes) > 0 {
		t.Errorf("no gradient for %v", shapes)
	}
}

// bad is a way to spoil a tiny model of some type.
type bad struct {
	name  string
	dtype DType
	spoil func(config, weights []byte) ([]byte, []byte)
	want  []string // all in the error
}

// header replaces old by new in the weights' header, everywhere.
func header(old, new string) func(c, w []byte) ([]byte, []byte) {
	return func(c, w []byte) ([]byte, []byte) {
		h, data := split(w)
		if !strings.Contains(h, old) {
			panic("no " + old + " in " + h)
		}
		return c, withHeader(strings.ReplaceAll(h, old, new), data)
	}
}

// config replaces old by new in config.json.
func config(old, new string) func(c, w []byte) ([]byte, []byte) {
	return func(c, w []byte) ([]byte, []byte) {
		if !bytes.Contains(c, []byte(old)) {
			panic("no " + old + " in " + string(c))
		}
		return bytes.Replace(c, []byte(old), []byte(new), 1), w
	}
}

// put overwrites bytes of the named tensor from its element i on.
func put(name string, i int, b ...byte) func(c, w []byte) ([]byte, []byte) {
	return func(c, w []byte) ([]byte, []byte) {
		h, data := split(w)
		es, _, err := parseHeader([]byte(h), int64(len(data)))
		if err != nil {
			panic(err)
		}
		for _, e := range es {
			if string(e.name) == name {
				copy(data[int(e.begin)+i*e.dtype.Size():], b)
				return c, w
			}
		}
		panic("no " + name)
	}
}

func f32bytes(f float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)) }

const gate = "model.layers.1.mlp.gate_proj.weight"

// Each of these files would, unchecked, crash the engine or make it complete rubbish.
// The error must name the file, the tensor and what to do.
func TestLoadRefuses(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []bad{
		{"cut at the end", F32, func(c, w []byte) ([]byte, []byte) { return c, w[:len(w)-1] }, []string{WeightsFile, "leave the file", "again"}},
		{"cut in the middle", F32, func(c, w []byte) ([]byte, []byte) { return c, w[:1500] }, []string{WeightsFile, "1492 follow", "again"}},
		{"cut to less than a model", F32, func(c, w []byte) ([]byte, []byte) { return c, w[:700] }, []string{WeightsFile, "1504 parameters", "again"}},
		{"empty file", F32, func(c, w []byte) ([]byte, []byte) { return c, nil }, []string{WeightsFile, "0 bytes"}},
		{"one byte more", F32, func(c, w []byte) ([]byte, []byte) { return c, append(w, 0) }, []string{WeightsFile, "last 1 bytes", "again"}},
		{"a page, not a model", F32, func(c, w []byte) ([]byte, []byte) {
			return c, bytes.Repeat([]byte("<html>404</html>"), 1000)
		}, []string{WeightsFile, "announced", "again"}},
		{"unknown tensor", F32, header(gate, "model.layers.1.mlp.gate_proj.bias"), []string{WeightsFile, "gate_proj.bias", "unknown", "copy both"}},
		{"layer beyond", F32, header(gate, "model.layers.2.mlp.gate_proj.weight"), []string{"layers.2", "unknown"}},
		{"duplicate", F32, header(gate, "model.layers.1.mlp.up_proj.weight"), []string{"layers.1.mlp.up_proj", "twice"}},
		{"duplicate scale", I8, header(gate+"_scale", "model.layers.1.mlp.up_proj.weight_scale"), []string{"layers.1.mlp.up_proj.weight_scale", "twice"}},
		{"header of padding", F32, func(c, w []byte) ([]byte, []byte) {
			h, data := split(w)
			return c, withHeader(h+strings.Repeat(" ", 1<<20), data)
		}, []string{"announced", "at most"}},
		{"transposed", F32, header(`"shape":[12,8]`, `"shape":[8,12]`), []string{"gate_proj", "[8 12]", "[12 8]", "copy both"}},
		{"flat", F32, header(`"shape":[12,8]`, `"shape":[96]`), []string{"gate_proj", "[96]", "[12 8]"}},
		{"another vocabulary", F32, config(`"vocab_size": 11`, `"vocab_size": 12`), []string{WeightsFile, "embed_tokens", "[12 8]", "copy both"}},
		{"a layer more in the config", F32, config(`"num_hidden_layers": 2`, `"num_hidden_layers": 3`), []string{"layers.2", "missing", "copy both"}},
		{"head missing", F32, config(`"tie_word_embeddings": true`, `"tie_word_embeddings": false`), []string{"lm_head.weight", "missing", "copy both"}},
		{"norm as I8", F32, func(c, w []byte) ([]byte, []byte) {
			h, data := split(w)
			e := `"model.norm.weight":{"dtype":"F32","shape":[8],"data_offsets":[`
			i := strings.Index(h, e) + len(e)
			end := i + strings.Index(h[i:], "]")
			h = h[:i] + "0,8" + h[end:]
			return c, withHeader(strings.Replace(h, e, strings.Replace(e, "F32", "I8", 1), 1), data)
		}, []string{"model.norm.weight", "I8"}},
		{"NaN in F32", F32, put(gate, 95, f32bytes(float32(math.NaN()))...), []string{WeightsFile, gate, "value 95 is NaN", "again"}},
		{"infinity in F32", F32, put("model.norm.weight", 3, f32bytes(-inf)...), []string{"model.norm.weight", "value 3 is -Inf"}},
		{"NaN in BF16", BF16, put(gate, 5, 0xc1, 0x7f), []string{gate, "value 5 is NaN"}},
		{"infinity in BF16", BF16, put(gate, 5, 0x80, 0xff), []string{gate, "value 5 is -Inf"}},
		{"NaN in F16", BF16, func(c, w []byte) ([]byte, []byte) {
			c, w = put(gate, 5, 0x01, 0x7c)(c, w)
			return header("BF16", "F16")(c, w)
		}, []string{" is NaN"}},
		{"NaN scale", I8, put(gate+"_scale", 11, f32bytes(float32(math.NaN()))...), []string{gate + "_scale", "value 11 is NaN"}},
		{"infinite scale", I8, put(gate+"_scale", 0, f32bytes(inf)...), []string{gate + "_scale", "value 0 is +Inf"}},
		{"negative scale", I8, put(gate+"_scale", 2, f32bytes(-1)...), []string{gate + "_scale", "row 2", "-1"}},
		{"-128", I8, put(gate, 7, 0x80), []string{gate, "value 7 is -128"}},
		{"scale renamed", I8, header(gate+"_scale", gate+"_scales"), []string{gate + "_scales", "unknown"}},
		{"scales of no matrix", F32, header("model.layers.0.self_attn.k_norm.weight", "model.norm.weight_scale"), []string{"model.norm.weight_scale", "unknown"}},
		{"scale too short", I8, header(`gate_proj.weight_scale":{"dtype":"F32","shape":[12]`, `gate_proj.weight_scale":{"dtype":"F32","shape":[1,12]`), []string{"gate_proj.weight_scale", "[1 12]", "[12]"}},
		{"scale as BF16", I8, header(`gate_proj.weight_scale":{"dtype":"F32","shape":[12]`, `gate_proj.weight_scale":{"dtype":"BF16","shape":[24]`), []string{"gate_proj.weight_scale"}},
		{"config is no JSON", F32, config("{", "["), []string{ConfigFile}},
		{"config empty", F32, func(c, w []byte) ([]byte, []byte) { return nil, w }, []string{ConfigFile}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, weights := files(t, tinyWeights(), c.dtype)
			_, err := LoadFS(dirOf(c.spoil(cfg, weights)))
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

// A matrix that says I8 without scales, and scales beside a float matrix: both would be
// read as weights of a wildly wrong size.
func TestLoadScalesPair(t *testing.T) {
	w := tinyWeights()
	for _, drop := range []bool{true, false} {
		tensors, cfg, err := w.encode(I8)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range tensors {
			if drop && x.Name == gate+"_scale" {
				tensors = append(tensors[:i], tensors[i+1:]...)
				break
			}
			if !drop && x.Name == gate {
				tensors[i] = Tensor{Name: gate, DType: F32, Shape: x.Shape, F32: w.Layers[1].Gate.F32}
			}
		}
		var b bytes.Buffer
		if err := writeTensors(&b, tensors, nil); err != nil {
			t.Fatal(err)
		}
		_, err = LoadFS(dirOf(cfg, b.Bytes()))
		if err == nil || !strings.Contains(err.Error(), gate+"_scale") || !strings.Contains(err.Error(), "save the model again") {
			t.Errorf("dropped %v: error %v", drop, err)
		}
	}
}

// A file that is cut anywhere is refused, wherever the cut falls.
func TestLoadCutAnywhere(t *testing.T) {
	for _, dt := range []DType{F32, BF16, I8} {
		cfg, weights := files(t, tinyWeights(), dt)
		h, _ := split(weights)
		for n := 0; n < len(weights); n++ {
			if n > 8+len(h) && n < len(weights)-16 {
				n += 12 // inside the data one place is like the next
			}
			if _, err := LoadFS(dirOf(cfg, weights[:n])); err == nil {
				t.Fatalf("%s: the first %d of %d bytes load", dt, n, len(weights))
			}
		}
	}
}

// A trainer that writes in place of replacing would show as a file that grows.
func TestLoadGrowing(t *testing.T) {
	_, weights := files(t, tinyWeights(), F32)
	_, err := readWeights(bytes.NewReader(append(weights, 0)), int64(len(weights)), tinyConfig())
	if err == nil || !strings.Contains(err.Error(), "grew") {
		t.Errorf("error %v", err)
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := LoadDir(t.TempDir())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), ConfigFile) {
		t.Errorf("error %v, want one that names %s", err, ConfigFile)
	}
	dir := t.TempDir()
	if err := tinyWeights().Save(dir); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, WeightsFile))
	if _, err = LoadDir(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), WeightsFile) {
		t.Errorf("error %v, want one that names %s", err, WeightsFile)
	}
	if err := os.Mkdir(filepath.Join(dir, WeightsFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err = LoadDir(dir); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("error %v for a directory in the file's place", err)
	}
}

// allocated is how many bytes f allocates, whether or not they are freed.
func allocated(f func()) int {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return int(b.TotalAlloc - a.TotalAlloc)
}

// No header and no config makes us allocate more than the file's size and a constant.
// Without this a 100-byte download could take the editor's machine down.
func TestLoadAllocates(t *testing.T) {
	const constant = 512 << 10
	cfg, good := files(t, tinyWeights(), F32)
	swap := func(pairs ...string) []byte { return []byte(strings.NewReplacer(pairs...).Replace(string(cfg))) }
	length := func(n uint64, size int) []byte {
		f := make([]byte, size)
		binary.LittleEndian.PutUint64(f, n)
		return f
	}
	big := swap(`"num_hidden_layers": 2`, `"num_hidden_layers": 512`, `"vocab_size": 11`, `"vocab_size": 1048576`,
		`"hidden_size": 8`, `"hidden_size": 65536`, `"intermediate_size": 12`, `"intermediate_size": 262144`)
	var many strings.Builder // a million bytes of tiny tensors
	for i := 0; many.Len() < 1<<20; i++ {
		fmt.Fprintf(&many, `"%x":{"dtype":"I8","shape":[1],"data_offsets":[%d,%d]},`, i, i, i+1)
	}
	manyFile := withHeader("{"+strings.TrimSuffix(many.String(), ",")+"}", make([]byte, 1<<20))
	h, data := split(good)
	for _, c := range []struct {
		name            string
		config, weights []byte
	}{
		{"header of 2^63 bytes", cfg, length(1<<63, 8<<10)},
		{"header of 2^40 bytes", cfg, length(1<<40, 8<<10)},
		{"header as long as the file", cfg, length(1<<20-8, 1<<20)},
		{"huge config, small file", big, good},
		{"huge config, empty file", big, nil},
		{"many tensors", cfg, manyFile},
		{"huge shape", cfg, withHeader(strings.Replace(h, "[11,8]", "[4294967296,1073741824]", 1), data)},
		{"huge offsets", cfg, withHeader(strings.Replace(h, "data_offsets\":[0,", "data_offsets\":[9223372036854775000,", 1), data)},
		{"large config file", append(bytes.Repeat([]byte(" "), 8<<20), cfg...), good},
		{"deep config", bytes.Repeat([]byte(`{"a":`), 12000), good},
		{"wide config", []byte("{" + strings.TrimSuffix(wide(), ",") + "}"), good},
	} {
		fsys := dirOf(c.config, c.weights)
		var err error
		got := allocated(func() { _, err = LoadFS(fsys) })
		if err == nil {
			t.Errorf("%s: loaded", c.name)
		}
		if most := len(c.weights) + len(c.config) + constant; got > most && c.name != "wide config" {
			t.Errorf("%s: %d bytes allocated for a file of %d", c.name, got, len(c.weights))
		} else if got > 8<<20 {
			t.Errorf("%s: %d bytes allocated", c.name, got)
		}
	}
}

// wide is many keys for a config.json.
func wide() string {
	var b strings.Builder
	for i := 0; b.Len() < maxConfig-100; i++ {
		fmt.Fprintf(&b, `"%x":0,`, i)
	}
	return b.String()
}

// Loading takes the decoded size and no copy besides.
func TestLoadAllocatesOnce(t *testing.T) {
	for dt, factor := range map[DType]int{F32: 1, BF16: 2, I8: 1} {
		c := tinyConfig()
		c.VocabSize, c.HiddenSize = 1<<14, 64
		w := randomWeights(c, func() float32 { return 0.5 })
		cfg, weights := files(t, w, dt)
		fsys := dirOf(cfg, weights)
		got := allocated(func() {
			if _, err := LoadFS(fsys); err != nil {
				t.Fatal(err)
			}
		})
		if most := factor*len(weights) + 256<<10; got > most {
			t.Errorf("%s: %d bytes allocated for a file of %d", dt, got, len(weights))
		}
	}
}

// ReadTensors bounds its tables by the header, not by what the header says.
func TestReadTensorsAllocates(t *testing.T) {
	var many strings.Builder
	n := 0
	for ; many.Len() < 1<<20; n++ {
		fmt.Fprintf(&many, `"%x":{"dtype":"I8","shape":[1],"data_offsets":[%d,%d]},`, n, n, n+1)
	}
	// One byte too many at the end: the tables are built, the tensors are not.
	file := withHeader("{"+strings.TrimSuffix(many.String(), ",")+"}", make([]byte, n+1))
	got := allocated(func() {
		if _, _, err := readTensors(bytes.NewReader(file), int64(len(file))); err == nil {
			t.Error("a gap was read over")
		}
	})
	if got > 3*many.Len() {
		t.Errorf("%d bytes allocated for a header of %d", got, many.Len())
	}
}

// FuzzLoad: whatever stands in the two files, loading answers, and what it loads is
// sound: it can be saved and has the values that were in the file.
func FuzzLoad(f *testing.F) {
	c := tinyConfig() // as small as can be: large seeds are slow to mutate and to minimize
	c.NumLayers, c.IntermediateSize, c.VocabSize, c.NumHeads = 1, 1, 9, 1
	for _, dt := range []DType{F32, BF16, I8} {
		cfg, weights := files(f, randomWeights(c, func() float32 { return 1 }), dt)
		f.Add(cfg, weights)
	}
	f.Fuzz(func(t *testing.T, cfg, weights []byte) {
		w, err := LoadFS(dirOf(cfg, weights))
		if err != nil {
			return
		}
		if err := w.check(); err != nil {
			t.Fatalf("loaded, but inconsistent: %v", err)
		}
		tensors, again, err := w.encode(w.DType())
		if err != nil {
			t.Fatalf("loaded, but can not be saved: %v", err)
		}
		var b bytes.Buffer
		if err := writeTensors(&b, tensors, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadFS(dirOf(again, b.Bytes())); err != nil {
			t.Fatalf("saved, but does not load: %v", err)
		}
	})
}
