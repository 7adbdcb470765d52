package model

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

const goldenLlama = "testdata/golden_llama/"

func goldenGGUF(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(goldenLlama + "model.gguf")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each block format decodes to what llama.cpp's Python decodes it to, to the last bit but
// for the order of a sum. Without this a checkpoint of users would load as noise.
func TestGGUFBlocks(t *testing.T) {
	data, err := os.ReadFile(goldenLlama + "blocks.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct{ Raw, Values string }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, f := range ggufFormats {
		g, ok := golden[f.name]
		if !ok {
			t.Errorf("%s has no golden block", f.name)
			continue
		}
		raw, err1 := hex.DecodeString(g.Raw)
		values, err2 := hex.DecodeString(g.Values)
		if err1 != nil || err2 != nil || len(values) != 4*256 || len(raw) != 256/f.values*f.bytes {
			t.Fatalf("%s: %d bytes for %d values: %v, %v", f.name, len(raw), len(values)/4, err1, err2)
		}
		got := make([]float32, 256)
		for b := range 256 / f.values {
			f.decode(raw[b*f.bytes:(b+1)*f.bytes], got[b*f.values:(b+1)*f.values])
		}
		for i, x := range got {
			want := math.Float32frombits(binary.LittleEndian.Uint32(values[4*i:]))
			if d := math.Abs(float64(x - want)); d > 1e-6*max(1, math.Abs(float64(want))) {
				t.Errorf("%s: value %d is %v, want %v", f.name, i, x, want)
				break
			}
		}
	}
}

// What the file says of itself arrives: sizes, the tied head, the vocabulary. (That the
// weights do, rows of q and k in our order, is seen by the logits: engine/cpu.)
func TestLoadGGUF(t *testing.T) {
	w, v, err := LoadGGUF(goldenLlama + "model.gguf")
	if err != nil {
		t.Fatal(err)
	}
	c := w.Config
	if c.QKNorm() || w.Layers[0].QNorm != nil || c.HiddenSize != 96 || c.IntermediateSize != 32 || c.NumLayers != 2 || c.NumHeads != 3 || c.NumKVHeads != 1 ||
		c.HeadDim != 16 || c.MaxPositions != 64 || c.RopeTheta != 10000 || math.Abs(c.RMSNormEps-1e-5) > 1e-9 || !c.TieWordEmbeddings {
		t.Errorf("config %+v", c)
	}
	if v.Model != "gpt2" || v.Pre != "smollm" || len(v.Tokens) != c.VocabSize || len(v.Types) != c.VocabSize || v.Types[0] != TokenControl || v.EOS != 0 || v.BOS != -1 || len(v.Merges) == 0 {
		t.Errorf("vocabulary %q %q, %d tokens, %d types, EOS %d, BOS %d, %d merges", v.Model, v.Pre, len(v.Tokens), len(v.Types), v.EOS, v.BOS, len(v.Merges))
	}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a checkpoint of others passes for one of ours: %v", err)
	}
	// As a directory of ours it loads again: no tensor is missed, none is too many.
	w.Config.Seedling = tinyConfig().Seedling
	for _, dt := range []DType{F32, BF16, I8} {
		dir := t.TempDir()
		if err := w.SaveAs(dir, dt); err != nil {
			t.Fatal(err)
		}
		got, err := LoadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got.Config.QKNorm() || got.Parameters() != w.Parameters() {
			t.Errorf("%v: came back with QK-norm %t and %d weights of %d", dt, got.Config.QKNorm(), got.Parameters(), w.Parameters())
		}
		if dt == F32 && !slices.Equal(got.Layers[1].K.F32, w.Layers[1].K.F32) {
			t.Error("weights changed on their way through a directory")
		}
	}
}

// ggufValue is the place of a metadata value in a file: behind its key and its type.
func ggufValue(t *testing.T, file []byte, key string) []byte {
	t.Helper()
	at := bytes.Index(file, []byte(key))
	if at < 0 {
		t.Fatalf("no %s", key)
	}
	return file[at+len(key)+4:]
}

// Files that are damaged, cut short or of another kind are refused with what is wrong.
func TestLoadGGUFRefuses(t *testing.T) {
	good := goldenGGUF(t)
	le := binary.LittleEndian
	for _, c := range []struct {
		name, want string
		spoil      func(b []byte) []byte
	}{
		{"empty", "announced", func(b []byte) []byte { return nil }},
		{"no GGUF", "no GGUF file", func(b []byte) []byte { b[0] = 'X'; return b }},
		{"big endian", "version", func(b []byte) []byte { slices.Reverse(b[4:8]); return b }},
		{"tensors without end", "room for", func(b []byte) []byte { le.PutUint64(b[8:], math.MaxUint64); return b }},
		{"pairs without end", "room for", func(b []byte) []byte { le.PutUint64(b[16:], 1<<40); return b }},
		{"a long key", "at most", func(b []byte) []byte { le.PutUint64(b[24:], 1<<16+1); return b }},
		{"another architecture", "only llama", func(b []byte) []byte { copy(ggufValue(t, b, "general.architecture")[8:], "gemma"); return b }},
		{"a real for a number", "whole number", func(b []byte) []byte {
			b[bytes.Index(b, []byte("llama.block_count"))+len("llama.block_count")] = ggufFloat32
			return b
		}},
		{"no layers", "num_hidden_layers", func(b []byte) []byte { le.PutUint32(ggufValue(t, b, "llama.block_count"), 0); return b }},
		{"too many layers", "missing", func(b []byte) []byte { le.PutUint32(ggufValue(t, b, "llama.block_count"), 3); return b }},
		{"too few layers", "unknown", func(b []byte) []byte { le.PutUint32(ggufValue(t, b, "llama.block_count"), 1); return b }},
		{"huge layers", "parameters", func(b []byte) []byte { le.PutUint32(ggufValue(t, b, "llama.feed_forward_length"), 1<<18); return b }},
		{"other width", "shape", func(b []byte) []byte { le.PutUint32(ggufValue(t, b, "llama.feed_forward_length"), 48); return b }},
		{"half a head turned", "dimension_count", func(b []byte) []byte { le.PutUint32(ggufValue(t, b, "llama.rope.dimension_count"), 8); return b }},
		{"an unknown format", "type 77", func(b []byte) []byte {
			at := bytes.Index(b, []byte("output_norm.weight")) + 18
			le.PutUint32(b[at+4+8:], 77)
			return b
		}},
		{"a rank of 3", "dimensions", func(b []byte) []byte {
			at := bytes.Index(b, []byte("output_norm.weight")) + 18
			le.PutUint32(b[at:], 3)
			return b
		}},
		{"no columns", "dimension of 0", func(b []byte) []byte {
			at := bytes.Index(b, []byte("output_norm.weight")) + 18
			le.PutUint64(b[at+4:], 0)
			return b
		}},
		{"outside the file", "the file has", func(b []byte) []byte {
			at := bytes.Index(b, []byte("output_norm.weight")) + 18
			le.PutUint64(b[at+4+8+4:], 1<<40)
			return b
		}},
		{"over another", "inside another", func(b []byte) []byte {
			at := bytes.Index(b, []byte("output_norm.weight")) + 18
			le.PutUint64(b[at+4+8+4:], 32)
			return b
		}},
		{"infinite", "tensor", func(b []byte) []byte {
			h, err := readGGUFHeader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range h.tensors {
				if x.name == "output_norm.weight" {
					le.PutUint32(b[h.data+x.offset:], math.Float32bits(float32(math.Inf(1))))
				}
			}
			return b
		}},
		{"twice a key", "stands twice", func([]byte) []byte {
			b := append([]byte("GGUF\x03\x00\x00\x00"), make([]byte, 16)...)
			b[16] = 2
			pair := append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 'k', ggufBool, 0, 0, 0}, 1)
			return append(append(b, pair...), pair...)
		}},
		{"twice a tensor", "stands twice", func(b []byte) []byte {
			return bytes.Replace(b, []byte("blk.1.attn_norm.weight"), []byte("blk.0.attn_norm.weight"), 1)
		}},
		{"cut short", "the file has", func(b []byte) []byte { return b[:len(b)-1] }},
	} {
		b := c.spoil(slices.Clone(good))
		_, _, err := readGGUF(bytes.NewReader(b), int64(len(b)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// Whatever the bytes, reading ends, without a panic and without taking much more memory
// than the file is long; what is accepted is a network that agrees with itself.
func FuzzGGUF(f *testing.F) {
	good := goldenGGUF(f)
	f.Add(good[:400])
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, _, err := readGGUF(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		w.Config.Seedling = tinyConfig().Seedling
		w.Config.Seedling.BlockSize = min(8, w.Config.MaxPositions)
		if w.Config.VocabSize >= 9 {
			if err := w.check(); err != nil {
				t.Error(err)
			}
		}
	})
}
