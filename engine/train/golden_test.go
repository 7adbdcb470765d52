package train

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
	"github.com/seedling-lsp/seedling/engine/train/kernels/emulated"
)

// tensors reads an F32 safetensors file that the golden script wrote.
func tensors(t testing.TB, path string) map[string][]float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	var head map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for name, raw := range head {
		var e struct {
			Offsets [2]int `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		data := b[8+int(n)+e.Offsets[0] : 8+int(n)+e.Offsets[1]]
		v := make([]float32, len(data)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		out[name] = v
	}
	return out
}

type goldenStep struct {
	Forbid []int32
	Clean  []int32
	Blocks []struct{ Start, Size int }
	Noised []struct {
		Block  int
		Pos    int32
		Input  int32
		Target int32
		Weight float32
	}
	Loss     struct{ Total, AR, Mask float64 }
	ArCE     []float64 `json:"ar_ce"`
	NoisedCE []float64 `json:"noised_ce"`
	GradNorm float64   `json:"grad_norm"`
}

func loadGolden(t testing.TB) (*Params, goldenStep, *Micro) {
	t.Helper()
	dir := filepath.Join("..", "model", "testdata", "golden")
	var c model.Config
	for path, v := range map[string]any{filepath.Join(dir, "config.json"): &c} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatal(err)
		}
	}
	p := NewParams(c)
	w := tensors(t, filepath.Join(dir, "model.safetensors"))
	for _, q := range p.All {
		if copy(q.W, w[q.Name]) != len(q.W) || len(w[q.Name]) != len(q.W) {
			t.Fatalf("%s: %d weights for %d", q.Name, len(w[q.Name]), len(q.W))
		}
	}
	var g goldenStep
	b, err := os.ReadFile("testdata/golden_step/step.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	m := &Micro{Clean: len(g.Clean), Noised: len(g.Noised)}
	m.Docs = []kernels.Doc{{Clean: 0, NClean: m.Clean, Noised: m.Clean, NNoised: m.Noised}}
	for i, tok := range g.Clean {
		m.Token = append(m.Token, tok)
		m.Mark = append(m.Mark, false)
		m.Pos = append(m.Pos, int32(i))
		m.Lim, m.From, m.To = append(m.Lim, 0), append(m.From, 0), append(m.To, 0)
		if i+1 < len(g.Clean) {
			m.Asked = append(m.Asked, Asked{Row: int32(i), Target: g.Clean[i+1], Weight: 1 / float32(len(g.Clean)-1), Kind: LossAR})
		}
	}
	first := map[int]int{}
	for i, r := range g.Noised {
		if _, ok := first[r.Block]; !ok {
			first[r.Block] = i
		}
		m.Token = append(m.Token, r.Input)
		m.Mark = append(m.Mark, r.Input != 0)
		m.Pos = append(m.Pos, r.Pos)
		m.Lim = append(m.Lim, int32(g.Blocks[r.Block].Start))
		m.From = append(m.From, int32(first[r.Block]))
		m.To = append(m.To, int32(first[r.Block]+g.Blocks[r.Block].Size))
		m.Asked = append(m.Asked, Asked{Row: int32(m.Clean + i), Target: r.Target, Weight: r.Weight / float32(len(g.Noised)), Kind: LossMask})
	}
	return p, g, m
}

// TestGoldenStep holds the whole training step to PyTorch's: the loss of every row and
// the gradient of every parameter, on every instruction set the machine has, on those it
// has not (package emulated) and on one and two threads. Without it each operator may be
// right and the step wrong.
func TestGoldenStep(t *testing.T) {
	want := tensors(t, "testdata/golden_step/grads.safetensors")
	var tables []*kernels.Ops
	for _, name := range kernels.Names() {
		ops, err := kernels.Pick(name)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, ops)
	}
	for _, ops := range append(tables, emulated.Tables()...) {
		isa := ops.Name()
		// How far a row's loss and their mean may be off, in nats, and a gradient, of its
		// largest value. With bf16 that is its rounding: the reference has fp32, losses
		// of up to 11 nats, and norms of heads that see the rounding of two products.
		tol := map[string]struct{ row, mean, grad float64 }{"fp32": {1e-4, 1e-4, 2e-4}, "bf16": {6e-2, 1e-2, 4e-2}}[ops.PeakKind()]
		for _, threads := range []int{1, 2} {
			p, g, m := loadGolden(t)
			n, err := NewNetwork(p, ops, threads, 64)
			if err != nil {
				t.Fatal(err)
			}
			ce := append(append([]float64{}, g.ArCE...), g.NoisedCE...)
			l := n.Pass(m, true, func(i int, nats float64) {
				if math.Abs(nats-ce[i]) > tol.row {
					t.Errorf("%s: row %d: loss %.6f, PyTorch %.6f", isa, i, nats, ce[i])
				}
			})
			if math.Abs(l.Total-g.Loss.Total) > tol.mean {
				t.Errorf("%s: loss %.6f, PyTorch %.6f", isa, l.Total, g.Loss.Total)
			}
			for _, q := range p.All {
				ref, worst, scale := want[q.Name], 0.0, 1e-6
				for i := range ref {
					worst = max(worst, math.Abs(float64(ref[i]-q.G[i])))
					scale = max(scale, math.Abs(float64(ref[i])))
				}
				if worst > tol.grad*scale {
					t.Errorf("%s, %d threads: gradient of %s is off by %.2e of its largest %.2e", isa, threads, q.Name, worst, scale)
				}
			}
			n.Close()
		}
	}
}
