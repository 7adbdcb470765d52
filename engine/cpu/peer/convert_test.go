package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/weights"
)

// TestHalf: every 16-bit float survives the way there and back, and what lies between two
// goes to the nearer one, ties to the even one. Else all scales would be off.
func TestHalf(t *testing.T) {
	for h := range uint16(0x7c00) {
		if got := half(unhalf(h)); got != h {
			t.Fatalf("%#04x comes back as %#04x", h, got)
		}
		if got := half(-unhalf(h)); got != h|0x8000 {
			t.Fatalf("-%#04x comes back as %#04x", h, got)
		}
	}
	for f, want := range map[float32]uint16{1: 0x3c00, -2: 0xc000, 65504: 0x7bff, 65520: 0x7c00, 1e-8: 0, 0.1: 0x2e66, 0x1p-24: 1, 0x1p-14: 0x0400} {
		if got := half(f); got != want {
			t.Errorf("half(%g) = %#04x, want %#04x", f, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float32Range(-60000, 60000).Draw(t, "f")
		h := half(f)
		here := math.Abs(float64(unhalf(h)) - float64(f))
		for _, n := range []uint16{h - 1, h + 1} {
			if n&0x7fff >= 0x7c00 || h&0x7fff == 0 {
				continue
			}
			if there := math.Abs(float64(unhalf(n)) - float64(f)); there < here || there == here && h&1 == 1 {
				t.Fatalf("%g went to %g, %g is nearer", f, unhalf(h), unhalf(n))
			}
		}
	})
}

// unpack reads what pack wrote, as ggml's dequantize_row_q8_0 and …_q4_0 do.
func unpack(b []byte, t Type) (out []float32) {
	switch t {
	case F32:
		for ; len(b) > 0; b = b[4:] {
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	case Q8_0:
		for ; len(b) > 0; b = b[34:] {
			for _, q := range b[2:34] {
				out = append(out, float32(int8(q))*unhalf(binary.LittleEndian.Uint16(b)))
			}
		}
	case Q4_0:
		for ; len(b) > 0; b = b[18:] {
			d, w := unhalf(binary.LittleEndian.Uint16(b)), make([]float32, 32)
			for i, q := range b[2:18] {
				w[i], w[i+16] = float32(int(q&15)-8)*d, float32(int(q>>4)-8)*d
			}
			out = append(out, w...)
		}
	}
	return out
}

// TestPack: a matrix comes back as near as its type allows: Q8_0 of int8 weights to the
// rounding of a scale, of float ones to half a step of 127, Q4_0 to a step of 8. A layout
// that is off by one would still load and only write worse text.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const rows, cols = 5, 96
	whole := model.Matrix{Rows: rows, Cols: cols, I8: make([]int8, rows*cols), Scale: make([]float32, rows)}
	float := model.Matrix{Rows: rows, Cols: cols, F32: make([]float32, rows*cols)}
	for i := range whole.I8 {
		whole.I8[i] = int8(r.IntN(255) - 127)
	}
	for i := range whole.Scale {
		whole.Scale[i] = 0.001 + r.Float32()*0.01
	}
	whole.Scale[3] = 0 // a row of nothing
	for i := range float.F32 {
		float.F32[i] = float32(r.NormFloat64()) * 0.05
	}
	for name, m := range map[string]model.Matrix{"int8": whole, "float": float} {
		for _, kind := range []Type{F32, Q8_0, Q4_0} {
			b, err := pack(m, kind)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) != kind.size(rows*cols) {
				t.Fatalf("%s as %d: %d bytes", name, kind, len(b))
			}
			got := unpack(b, kind)
			for i := range got {
				want, most := float32(0), float64(0) // of its block
				for j := i / block * block; j < (i/block+1)*block; j++ {
					v := float32(0)
					if m.I8 != nil {
						v = m.Scale[j/cols] * float32(m.I8[j])
					} else {
						v = m.F32[j]
					}
					if j == i {
						want = v
					}
					most = max(most, math.Abs(float64(v)))
				}
				bound := map[Type]float64{F32: 0, Q8_0: most/127*0.51 + most/2000, Q4_0: most/8*1.01 + most/2000}[kind]
				if kind == Q8_0 && m.I8 != nil {
					bound = most / 2000
				}
				if math.Abs(float64(got[i]-want)) > bound {
					t.Fatalf("%s as %d, weight %d: %g, want %g within %g", name, kind, i, got[i], want, bound)
				}
			}
		}
	}
	if _, err := pack(model.Matrix{Rows: 1, Cols: 33, F32: make([]float32, 33)}, Q4_0); err == nil {
		t.Error("a row that is no whole number of blocks was packed")
	}
}

// TestConvert: the built-in model as GGUF has the header that llama.cpp reads, every
// tensor at a multiple of 32 and as many bytes as the header says. (That llama.cpp loads
// it and writes the same text is what the command itself checks.)
func TestConvert(t *testing.T) {
	w, err := model.LoadFS(weights.Files())
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := convert(&buf, "builtin", weights.Files(), w, Q8_0); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	u32 := func() uint32 { v := binary.LittleEndian.Uint32(b); b = b[4:]; return v }
	u64 := func() int { v := binary.LittleEndian.Uint64(b); b = b[8:]; return int(v) }
	str := func() string { n := u64(); s := string(b[:n]); b = b[n:]; return s }
	if string(b[:4]) != "GGUF" {
		t.Fatalf("begins with %q", b[:4])
	}
	b = b[4:]
	if v := u32(); v != 3 {
		t.Fatalf("version %d", v)
	}
	tensors, keys := u64(), u64()
	if want := 2 + 11*w.Config.NumLayers; tensors != want {
		t.Errorf("%d tensors, want %d", tensors, want)
	}
	seen := map[string]any{}
	for range keys {
		k := str()
		switch kind := u32(); kind {
		case kindUint32, kindFloat32:
			seen[k] = u32()
		case kindBool:
			seen[k] = b[0]
			b = b[1:]
		case kindString:
			seen[k] = str()
		case kindArray:
			of, n := u32(), u64()
			seen[k] = n
			for range n {
				if of == kindString {
					str()
				} else {
					u32()
				}
			}
		default:
			t.Fatalf("key %s is of kind %d", k, kind)
		}
	}
	if seen["general.architecture"] != "qwen3" || seen["tokenizer.ggml.tokens"] != w.Config.VocabSize || seen["qwen3.block_count"] != uint32(w.Config.NumLayers) ||
		seen["qwen3.rope.freq_base"] != math.Float32bits(float32(w.Config.RopeTheta)) {
		t.Errorf("keys %v", seen)
	}
	end := 0
	for range tensors {
		name := str()
		n := 1
		for range u32() {
			n *= u64()
		}
		kind, at := Type(u32()), u64()
		if at != (end+31)&^31 {
			t.Errorf("tensor %s at %d, the one before ends at %d", name, at, end)
		}
		if want := map[bool]Type{true: F32, false: Q8_0}[strings.Contains(name, "norm")]; kind != want {
			t.Errorf("tensor %s is of type %d", name, kind)
		}
		end = at + kind.size(n)
	}
	header := (buf.Len() - len(b) + 31) &^ 31
	if want := header + (end+31)&^31; buf.Len() != want {
		t.Errorf("%d bytes, want %d", buf.Len(), want)
	}
}

// TestConvertLlama: a model without norms of q and k goes out as llama.cpp's llama and comes
// back through our own reader of such files as it was, q and k in their order again.
func TestConvertLlama(t *testing.T) {
	w, err := model.LoadFS(weights.Files())
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.Layers {
		w.Layers[i].QNorm, w.Layers[i].KNorm = nil, nil
	}
	w.Config.Architectures, w.Config.ModelType = []string{"LlamaForCausalLM"}, "llama"
	if w.Config.QKNorm() {
		t.Fatal("the model still has norms of q and k")
	}
	path := filepath.Join(t.TempDir(), "llama.gguf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(convert(f, "test", weights.Files(), w, F32), f.Close()); err != nil {
		t.Fatal(err)
	}
	got, _, err := model.LoadGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range w.Layers {
		for name, pair := range map[string][2]model.Matrix{"q": {l.Q, got.Layers[i].Q}, "k": {l.K, got.Layers[i].K}, "down": {l.Down, got.Layers[i].Down}} {
			want, have := pair[0], pair[1]
			for j := range have.F32 {
				v := float32(0)
				if want.F32 != nil {
					v = want.F32[j]
				} else {
					v = want.Scale[j/want.Cols] * float32(want.I8[j])
				}
				if v != have.F32[j] {
					t.Fatalf("layer %d, %s, weight %d: %g, want %g", i, name, j, have.F32[j], v)
				}
			}
		}
	}
}
