package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
	"github.com/seedling-lsp/seedling/engine/train/kernels/emulated"
)

// TestGoldenLlama holds loss and gradients of a network without QK-norm to PyTorch's, on
// every instruction set. Without it training from an imported checkpoint would spoil it by
// a wrong gradient of q and k, and only look slow to learn.
func TestGoldenLlama(t *testing.T) {
	dir := filepath.Join("..", "model", "testdata", "golden_llama")
	w, _, err := model.LoadGGUF(filepath.Join(dir, "model.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Tokens []int32
		Loss   float64
	}
	b, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := tensors(t, filepath.Join(dir, "grads.safetensors"))
	m := &Micro{Clean: len(g.Tokens), Docs: []kernels.Doc{{NClean: len(g.Tokens), Noised: len(g.Tokens)}}}
	for i, tok := range g.Tokens {
		m.row(tok, false, int32(i), 0, 0, 0)
		if i+1 < len(g.Tokens) {
			m.Asked = append(m.Asked, Asked{Row: int32(i), Target: g.Tokens[i+1], Weight: 1 / float32(len(g.Tokens)-1)})
		}
	}
	var tables []*kernels.Ops
	for _, name := range kernels.Names() {
		ops, err := kernels.Pick(name)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, ops)
	}
	for _, ops := range append(tables, emulated.Tables()...) {
		tol := map[string]struct{ loss, grad float64 }{"fp32": {1e-4, 2e-4}, "bf16": {2e-2, 4e-2}}[ops.PeakKind()]
		p := NewParams(w.Config)
		p.Load(w)
		if len(p.All) != len(want) {
			t.Fatalf("%d tensors, PyTorch has %d", len(p.All), len(want))
		}
		n, err := NewNetwork(p, ops, 2, 64)
		if err != nil {
			t.Fatal(err)
		}
		if l := n.Pass(m, true, nil); math.Abs(l.Total-g.Loss) > tol.loss {
			t.Errorf("%s: loss %.6f, PyTorch %.6f", ops.Name(), l.Total, g.Loss)
		}
		for _, q := range p.All {
			ref, worst, scale := want[q.Name], 0.0, 1e-6
			if len(ref) != len(q.G) {
				t.Fatalf("%s: %d gradients, PyTorch has %d", q.Name, len(q.G), len(ref))
			}
			for i := range ref {
				worst = max(worst, math.Abs(float64(ref[i]-q.G[i])))
				scale = max(scale, math.Abs(float64(ref[i])))
			}
			if worst > tol.grad*scale {
				t.Errorf("%s: gradient of %s is off by %.2e of its largest %.2e", ops.Name(), q.Name, worst, scale)
			}
		}
		n.Close()
		if v := p.Weights(); v.Layers[0].QNorm != nil {
			t.Error("the network leaves norms of queries that it does not have")
		}
	}
}
