package model

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What RoundRow says it wrote is what a file's codes and factors expand to, and no value is
// further from its weight than half a step of its group and half a unit, unless it was cut
// off at the group's end, where no other value of the grid is nearer.
func TestRoundRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(MinBits, MaxBits).Draw(t, "bits")
		spread := rapid.Float64Range(-6, 6).Draw(t, "spread")
		row := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float32 {
			return float32(math.Exp(spread*rapid.Float64Range(-1, 1).Draw(t, "size")) * rapid.Float64Range(-1, 1).Draw(t, "value"))
		}), 8, 3*GroupSize).Draw(t, "row")
		cols := len(row)
		dst, codes, factor := make([]int8, cols), make([]uint8, cols), make([]uint8, rowGroups(cols))
		scale := RoundRow(dst, codes, factor, row, bits)
		packed := make([]byte, rowBytes(cols, bits))
		pack(packed, codes, bits)
		g := Groups{Bits: bits, Codes: packed, Factor: factor}
		got, err := g.expand(1, cols)
		if err != nil {
			t.Fatal(err)
		}
		most := 1<<(bits-1) - 1
		for i, x := range row {
			if got[i] != dst[i] {
				t.Fatalf("weight %d: %d was written, the file says %d", i, dst[i], got[i])
			}
			if scale == 0 {
				continue
			}
			v, step := float64(x)/float64(scale), float64(factor[i/GroupSize])/float64(most+1)
			end := math.Abs(float64(int(codes[i])-most)) == float64(most) && math.Abs(v) > math.Abs(float64(dst[i]))
			if off := math.Abs(v - float64(dst[i])); off > step/2+0.5001 && !end {
				t.Fatalf("weight %d: %.3f became %d in steps of %.3f", i, v, dst[i], step)
			}
		}
	})
}

// Of a row of ordinary weights little is lost: the share of its energy that 4, 5 and 6 bits
// take. A factor that is chosen badly shows here and nowhere else.
func TestRoundRowError(t *testing.T) {
	state := uint64(1)
	normal := func() float64 { // a sum of uniform values is near enough
		s := 0.0
		for range 12 {
			state = state*6364136223846793005 + 1442695040888963407
			s += float64(state>>11) / (1 << 53)
		}
		return s - 6
	}
	for bits, most := range map[int]float64{4: 0.102, 5: 0.0496, 6: 0.025} {
		lost, all := 0.0, 0.0
		for range 50 {
			row := make([]float32, 576)
			for i := range row {
				row[i] = float32(normal())
			}
			dst, codes, factor := make([]int8, 576), make([]uint8, 576), make([]uint8, 9)
			scale := RoundRow(dst, codes, factor, row, bits)
			for i, x := range row {
				d := float64(x) - float64(scale)*float64(dst[i])
				lost += d * d
				all += float64(x) * float64(x)
			}
		}
		if share := math.Sqrt(lost / all); share > most {
			t.Errorf("%d bits: %.4f of a row's length is lost, more than %.4f", bits, share, most)
		}
	}
}

func TestRoundRowZeros(t *testing.T) {
	for _, row := range [][]float32{make([]float32, 70), {1e-44, -1e-44, 0, 0, 0, 0, 0, 0}} {
		dst, codes, factor := make([]int8, len(row)), make([]uint8, len(row)), make([]uint8, rowGroups(len(row)))
		dst[1] = 5
		if s := RoundRow(dst, codes, factor, row, 5); s != 0 || dst[1] != 0 {
			t.Errorf("scale %v, value %d", s, dst[1])
		}
		packed := make([]byte, rowBytes(len(row), 5))
		pack(packed, codes, 5)
		g := Groups{Bits: 5, Codes: packed, Factor: factor}
		if v, err := g.expand(1, len(row)); err != nil || !bytes.Equal(bytesOf(v), make([]byte, len(row))) {
			t.Errorf("expands to %v, %v", v, err)
		}
	}
}

// A model in few bits is saved and loads as the int8 model that it is in memory; its file
// is as small as it promises; and what is loaded and saved again is plain int8.
func TestSaveLoadGroups(t *testing.T) {
	c := tinyConfig()
	c.HiddenSize, c.IntermediateSize = 136, 130 // two groups and a tail, and rows that end within a byte
	k := 0
	w := randomWeights(c, func() float32 { k++; return float32(math.Sin(float64(k * k))) })
	for bits := MinBits; bits <= MaxBits; bits++ {
		q, err := w.QuantizeTo(bits)
		if err != nil {
			t.Fatal(err)
		}
		if w.Layers[0].Q.F32 == nil || q.Embed.Groups != nil || q.Layers[1].Down.Groups == nil {
			t.Fatalf("%d bits: the source was changed, the embedding has groups, or a matrix none", bits)
		}
		cfg, file := files(t, q, q.DType())
		got, err := LoadFS(dirOf(cfg, file))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range q.slots() {
			if s.mat == nil {
				continue
			}
			r := got.slots()[i].mat
			if !bytes.Equal(bytesOf(s.mat.I8), bytesOf(r.I8)) || r.Groups != nil || r.F32 != nil || len(r.Scale) != s.rows || r.Rows != s.rows {
				t.Errorf("%d bits: %s loads as something else", bits, s.name)
			}
		}
		_, plain := files(t, w, I8)
		if got, most := float64(len(file)), float64(len(plain))*(float64(bits)+1)/8; got > most {
			t.Errorf("%d bits: %g bytes, int8 has %d", bits, got, len(plain))
		}
		_, again := files(t, got, got.DType())
		if len(again) < len(plain) {
			t.Errorf("saved again it has %d bytes, int8 %d", len(again), len(plain))
		}
	}
	for _, bits := range []int{0, 3, 7, 9, -1} {
		if _, err := w.QuantizeTo(bits); err == nil || !strings.Contains(err.Error(), "4, 5, 6 or 8") {
			t.Errorf("%d bits: error %v", bits, err)
		}
	}
	if q, err := w.QuantizeTo(8); err != nil || q.Layers[0].Q.Groups != nil || q.Layers[0].Q.I8 == nil {
		t.Errorf("8 bits are not int8: %v", err)
	}
}

// Files in few bits that would, unchecked, crash the engine or be read as rubbish.
func TestLoadRefusesGroups(t *testing.T) {
	c := tinyConfig()
	c.HiddenSize = 72
	k := 0
	q, err := randomWeights(c, func() float32 { k++; return float32(k%17) - 8 }).QuantizeTo(5)
	if err != nil {
		t.Fatal(err)
	}
	cfg, good := files(t, q, I8)
	for _, x := range []struct {
		name  string
		spoil func(config, weights []byte) ([]byte, []byte)
		want  []string
	}{
		{"factor 0", put(gate+"_factor", 3, 0), []string{gate, "factor 1 of row 1", "again"}},
		{"factor too large", put(gate+"_factor", 0, 136), []string{gate, "factor 0 of row 0 is 136", "1..135"}},
		{"code too large", put(gate, 0, 0xff), []string{gate, "code 0 of row 0 is 31", "again"}},
		{"factors missing", header(gate+"_factor", gate+"_fac"), []string{gate + "_fac", "unknown"}},
		{"factors of another", header("model.layers.1.mlp.gate_proj.weight_factor", "model.layers.1.mlp.up_proj.weight_factor"), []string{"up_proj.weight_factor", "twice"}},
		{"scales of another", header("model.layers.1.mlp.gate_proj.weight_scale", "model.layers.1.mlp.up_proj.weight_scale"), []string{"up_proj.weight_scale", "twice"}},
		{"factors as int8", header(`gate_proj.weight_factor":{"dtype":"U8"`, `gate_proj.weight_factor":{"dtype":"I8"`), []string{"gate_proj.weight_factor", "U8"}},
		{"codes as int8", header(`gate_proj.weight":{"dtype":"U8"`, `gate_proj.weight":{"dtype":"I8"`), []string{"gate_proj.weight", "[12 45]", "[12 72]"}},
		{"bits that are not stored", header(`"shape":[12,45]`, `"shape":[15,36]`), []string{"gate_proj", "[15 36]", "copy both"}},
		{"bits that nobody stores", header(`"shape":[12,45]`, `"shape":[9,60]`), []string{"[9 60]", "4 to 6 bits"}},
		{"a norm in codes", header(`norm.weight":{"dtype":"F32","shape":[72]`, `norm.weight":{"dtype":"U8","shape":[288]`), []string{"norm.weight"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := LoadFS(dirOf(x.spoil(bytes.Clone(cfg), bytes.Clone(good))))
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range x.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
	for n := 0; n < len(good); n += 1 + n/40 {
		if _, err := LoadFS(dirOf(cfg, good[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes load", n, len(good))
		}
	}
	// One tensor of three alone.
	for _, drop := range []string{"", "_factor", "_scale"} {
		tensors, cfg, err := q.encode(I8)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range tensors {
			if x.Name == gate+drop {
				tensors = append(tensors[:i], tensors[i+1:]...)
				break
			}
		}
		var b bytes.Buffer
		if err := writeTensors(&b, tensors, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadFS(dirOf(cfg, b.Bytes())); err == nil || !strings.Contains(err.Error(), gate+drop) || !strings.Contains(err.Error(), "missing") {
			t.Errorf("without %q: error %v", drop, err)
		}
	}
}
