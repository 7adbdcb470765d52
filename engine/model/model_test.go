package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// tinyConfig is a small valid config: heads·headDim differs from d.
func tinyConfig() Config {
	eos := 1
	return Config{
		Architectures: []string{"Qwen3ForCausalLM"}, ModelType: "qwen3",
		HiddenSize: 8, IntermediateSize: 12, NumLayers: 2, NumHeads: 2, NumKVHeads: 1, HeadDim: 8,
		VocabSize: 11, MaxPositions: 16, RMSNormEps: 1e-6, RopeTheta: 10000,
		TieWordEmbeddings: true, HiddenAct: "silu", TorchDType: "float32", EOSTokenID: &eos,
		Seedling: Scheme{
			Version: 1, ContextAttention: "causal", Commit: "reread", CanvasMark: true, BlockSize: 8, Revises: true,
			Tokens: SpecialTokens{0, 1, 2, 3, 4, 5, 6, 7, 8},
		},
	}
}

// randomWeights fills the network of c with values from draw.
func randomWeights(c Config, draw func() float32) *Weights {
	w := &Weights{Config: c, Layers: make([]Layer, c.NumLayers)}
	for _, s := range w.slots() {
		v := make([]float32, max(1, s.rows)*s.cols)
		for i := range v {
			v[i] = draw()
		}
		if s.vec != nil {
			*s.vec = v
		} else {
			*s.mat = Matrix{Rows: s.rows, Cols: s.cols, F32: v}
		}
	}
	return w
}

func tinyWeights() *Weights {
	r := rand.New(rand.NewPCG(1, 2))
	return randomWeights(tinyConfig(), func() float32 { return float32(r.NormFloat64()) })
}

// files is w saved as t, as bytes.
func files(t testing.TB, w *Weights, dt DType) (config, weights []byte) {
	t.Helper()
	tensors, config, err := w.encode(dt)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writeTensors(&b, tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	return config, b.Bytes()
}

func dirOf(config, weights []byte) fs.FS {
	return fstest.MapFS{ConfigFile: {Data: config}, WeightsFile: {Data: weights}}
}

// withHeader is a file of the header given, as it is, before data.
func withHeader(header string, data []byte) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), data...)
}

// split takes a file apart.
func split(file []byte) (header string, data []byte) {
	n := binary.LittleEndian.Uint64(file)
	return string(file[8 : 8+n]), file[8+n:]
}

const golden = "testdata/golden"

func readGolden(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(golden, name))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
