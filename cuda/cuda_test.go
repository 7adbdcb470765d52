package cuda

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/model"
)

// dims are what a random network varies in.
type dims struct {
	d, ff, layers, heads, kv, hd, vocab int
	llama, mark                         bool
}

// random makes a float network whose values are bf16 already, so that only the kernels'
// own rounding is between the backends.
func random(s dims) *model.Weights { return randomSeed(s, uint64(s.ff)) }

func randomSeed(s dims, seed uint64) *model.Weights {
	c := model.Config{Architectures: []string{"Qwen3ForCausalLM"}, ModelType: "qwen3", HiddenSize: s.d, IntermediateSize: s.ff, NumLayers: s.layers,
		NumHeads: s.heads, NumKVHeads: s.kv, HeadDim: s.hd, VocabSize: s.vocab, MaxPositions: 256, RMSNormEps: 1e-6, RopeTheta: 10000,
		TieWordEmbeddings: true, HiddenAct: "silu",
		Seedling: model.Scheme{Version: 1, ContextAttention: "causal", Commit: "reread", CanvasMark: s.mark, BlockSize: 8,
			Tokens: model.SpecialTokens{Mask: 0, End: 1, Suffix: 2, Prefix: 3, Draft: 4, Path: 5, Repo: 6, Delete: 7, Insert: 8}}}
	if s.llama {
		c.Architectures, c.ModelType = []string{"LlamaForCausalLM"}, "llama"
	}
	r := rand.New(rand.NewPCG(uint64(s.d), seed))
	round := func(f float64) float32 { return widen(bf16(float32(f))) }
	mat := func(rows, cols int) model.Matrix {
		m := model.Matrix{Rows: rows, Cols: cols, F32: make([]float32, rows*cols)}
		for i := range m.F32 {
			m.F32[i] = round(r.NormFloat64() / math.Sqrt(float64(cols)))
		}
		return m
	}
	vec := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = []float32{0.5, 1, 2}[r.IntN(3)] // folds into bf16 without rounding
		}
		return v
	}
	w := &model.Weights{Config: c, Embed: mat(s.vocab, s.d), Norm: vec(s.d)}
	for i := range w.Embed.F32 {
		w.Embed.F32[i] = round(r.NormFloat64() * 1.5 / math.Sqrt(float64(s.d)))
	}
	q, kv := s.heads*s.hd, s.kv*s.hd
	for range s.layers {
		l := model.Layer{InputNorm: vec(s.d), PostNorm: vec(s.d), Q: mat(q, s.d), K: mat(kv, s.d), V: mat(kv, s.d), O: mat(s.d, q),
			Gate: mat(s.ff, s.d), Up: mat(s.ff, s.d), Down: mat(s.d, s.ff)}
		if !s.llama {
			l.QNorm, l.KNorm = vec(s.hd), vec(s.hd)
		}
		w.Layers = append(w.Layers, l)
	}
	return w
}

// shapes are odd on purpose: widths that are no multiple of a tile, heads of every width,
// shared and own keys, one and several parts of k.
var shapes = []struct {
	dims
	splits, parts int
}{
	{dims{40, 72, 2, 2, 1, 24, 2200, false, true}, 1, 2},
	{dims{136, 100, 2, 4, 2, 16, 333, false, true}, 3, 3},
	{dims{64, 96, 2, 6, 3, 8, 320, true, false}, 0, 0},
	{dims{200, 264, 1, 2, 1, 128, 257, false, false}, 2, 2},
	{dims{72, 33, 2, 3, 1, 64, 65, true, true}, 2, 0},
	{dims{128, 128, 1, 2, 2, 72, 200, false, true}, 1, 1},
}

// deviation and deviation8 bound the root of the mean square of all answers' deviations from
// the CPU's, which rounds nothing, in nats and in probability. bf16 is off by 2^-8/sqrt(12) of a
// value in the root of the mean square, e4m3 by 16 times that; so is a product, relative to its
// own, since its terms are off independently. Into the head go its own rounding and those of
// four products a layer, of the stream's size at most: in two layers 2^-8/sqrt(12)·sqrt(1+4·2)
// = 0.0034 of a logit and 0.054 in e4m3. Logits deviate by 2 to 3.5 here.
//
// That the kernels round as they should and do nothing else is not held by this but by the
// checker, kernel by kernel, whose tolerances come from the order of sums. What is left to hold
// end to end are layouts, caches and batches.
const (
	deviation  = 0.0034 * 3.5
	deviation8 = 0.054 * 3.5
)

// tails is how many times its deviation a single answer may be off: the rows of the narrowest
// network whose own token stands out have logits of 11.
const tails = 12

// tolerance is what is allowed where a network has one layer. Seeded faults move answers by
// more, see TestFaults.
const tolerance = 0.1

// compare holds answers to the reference's, and says how far off they are. A best token may differ only where the
// reference itself has it within the tolerance of its own.
func compare(got, want []backend.Top, tolerance float64) (off []float64, err error) {
	if len(got) != len(want) {
		return nil, fmt.Errorf("%d answers for %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.Row != w.Row {
			return nil, fmt.Errorf("answer %d is of row %d, want %d", i, g.Row, w.Row)
		}
		if math.IsInf(float64(w.TargetLog), -1) != math.IsInf(float64(g.TargetLog), -1) {
			return nil, fmt.Errorf("row %d: target %g, want %g", g.Row, g.TargetLog, w.TargetLog)
		}
		diffs := []float64{float64(g.LogZ - w.LogZ), float64(g.Prob - w.Prob), float64(g.SecondProb - w.SecondProb)}
		if !math.IsInf(float64(w.TargetLog), -1) {
			diffs = append(diffs, float64(g.TargetLog-w.TargetLog))
		}
		if g.Best != w.Best && float64(w.Prob-w.SecondProb) > tolerance*float64(w.Prob) {
			return nil, fmt.Errorf("row %d: best %d, want %d (%g before %g)", g.Row, g.Best, w.Best, w.Prob, w.SecondProb)
		}
		for _, d := range diffs {
			if !(math.Abs(d) <= tolerance) {
				return nil, fmt.Errorf("row %d: %+v, want %+v", g.Row, g, w)
			}
		}
		off = append(off, diffs...)
	}
	return off, nil
}

// rounded8 makes a network whose weights e4m3 holds exactly, and whose norms change
// nothing: so what is compared is the kernels' arithmetic, not the rounding of weights.
func rounded8(s dims) *model.Weights {
	w := random(s)
	round := func(m *model.Matrix) {
		for r := range m.Rows {
			row := m.F32[r*m.Cols : (r+1)*m.Cols]
			most := float32(0)
			for _, v := range row {
				most = max(most, v, -v)
			}
			for i, v := range row {
				row[i] = e4m3Value(e4m3(v/(most/e4m3Max))) * (most / e4m3Max)
			}
		}
	}
	ones := func(v []float32) {
		for i := range v {
			v[i] = 1
		}
	}
	round(&w.Embed) // in bf16 where it is a table: a deviation of 2^-9 more
	ones(w.Norm)
	for i := range w.Layers {
		l := &w.Layers[i]
		for _, m := range []*model.Matrix{&l.Q, &l.K, &l.V, &l.O, &l.Gate, &l.Up, &l.Down} {
			round(m)
		}
		ones(l.InputNorm)
		ones(l.PostNorm)
	}
	return w
}

// image90 is the text of the image for sm_90a: what the interpreter runs of it.
func image90(t *testing.T) string {
	b, err := os.ReadFile("kernels/image/seedling.sm_90a.ptx")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// interpreter is the device of these tests, an A100 of two multiprocessors.
func interpreter(opt ptx.Options) *driver.Interpreter {
	return driver.NewInterpreter(driver.Device{Name: "interpreter", Major: 8, SMs: 2, Free: 1 << 30, Total: 1 << 30}, opt)
}

// hopper is one that says it is an H20, and runs the text that the cubin is made of.
func hopper(t *testing.T, opt ptx.Options) altered {
	d := driver.NewInterpreter(driver.Device{Name: "H20", Major: 9, Version: 12040, SMs: 2, Free: 1 << 30, Total: 1 << 30}, opt)
	return altered{d, image90(t)}
}

// TestFP8 is TestConformance in e4m3.
func TestFP8(t *testing.T) {
	for _, s := range shapes {
		t.Run(fmt.Sprintf("d%d_hd%d_splits%d", s.d, s.hd, s.splits), func(t *testing.T) {
			t.Parallel()
			dev := hopper(t, ptx.Options{})
			conform(t, rounded8(s.dims), dev, dev.Machine, Options{Splits: s.splits, Parts: s.parts, Rows: 96, FP8: true}, deviation8)
		})
	}
}

// TestConformance runs the embedded PTX: batches of several sequences, context and canvas,
// forks, truncations, forbidden tokens and targets, each held to the CPU's reference. No
// kernel is right before this says so.
func TestConformance(t *testing.T) {
	for i, s := range shapes {
		t.Run(fmt.Sprintf("d%d_hd%d_splits%d", s.d, s.hd, s.splits), func(t *testing.T) {
			t.Parallel()
			dev := interpreter(ptx.Options{})
			conform(t, random(s.dims), dev, dev.Machine, Options{Splits: s.splits, Parts: s.parts, Rows: 96}, deviation)
		})
		if i%2 > 0 {
			continue
		}
		t.Run(fmt.Sprintf("sm_90a_d%d_hd%d_splits%d", s.d, s.hd, s.splits), func(t *testing.T) {
			t.Parallel()
			dev := hopper(t, ptx.Options{})
			conform(t, random(s.dims), dev, dev.Machine, Options{Splits: s.splits, Parts: s.parts, Rows: 96}, deviation)
		})
	}
}

func conform(t *testing.T, w *model.Weights, d driver.Driver, m *ptx.Machine, opt Options, allowed float64) {
	ref, err := cpu.New(w, cpu.Options{ISA: cpu.Reference})
	if err != nil {
		t.Fatal(err)
	}
	each := check(d)
	be, err := New(w, each, opt)
	if err != nil {
		t.Fatal(err)
	}
	each.s = &be.shape
	var off []float64
	r := rand.New(rand.NewPCG(7, uint64(w.Config.HiddenSize)))
	tok := func() backend.TokenID { return backend.TokenID(r.IntN(w.Config.VocabSize)) }
	seqs := []backend.Sequence{backend.Root}
	rounds := 7
	for round := range rounds {
		switch n := len(seqs); {
		case n < 4:
			from := seqs[r.IntN(n)]
			a, err := ref.Fork(from)
			if err != nil {
				t.Fatal(err)
			}
			b, err := be.Fork(from)
			if err != nil || a != b {
				t.Fatalf("fork is %d, want %d: %v", b, a, err)
			}
			seqs = append(seqs, a)
		default:
			q := seqs[1+r.IntN(n-1)]
			to := r.IntN(ref.Len(q) + 1)
			if err := ref.Truncate(q, to); err != nil {
				t.Fatal(err)
			}
			if err := be.Truncate(q, to); err != nil {
				t.Fatal(err)
			}
		}
		var b backend.Batch
		left := []int{3, 16, 30, 64, 96, 9, 40}[round]
		for _, q := range seqs {
			n := 0
			if q != backend.Root {
				n = min(left, r.IntN(40))
			}
			m := min(left-n, r.IntN(12))
			left -= n + m
			at := ref.Len(q)
			for i := range n + m {
				row := backend.Row{Seq: q, Token: tok(), Pos: int32(at + i), Want: backend.Want(r.IntN(4)), Target: tok()}
				if i >= n {
					row.Kind = backend.Canvas
					row.Pos += int32(i-n) * int32(r.IntN(2)+1) // canvases may have gaps
					if i > n && row.Pos <= b.Rows[len(b.Rows)-1].Pos {
						row.Pos = b.Rows[len(b.Rows)-1].Pos + 1
					}
					row.Token = []backend.TokenID{0, row.Token}[r.IntN(2)]
				}
				b.Rows = append(b.Rows, row)
			}
		}
		for range r.IntN(60) {
			b.Forbid = append(b.Forbid, tok())
		}
		want, err := ref.Forward(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := be.Forward(context.Background(), b)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		e, err := compare(got, want, tails*allowed)
		if err != nil {
			t.Fatalf("round %d (%d rows): %v", round, len(b.Rows), err)
		}
		off = append(off, e...)
		for _, q := range seqs {
			if ref.Len(q) != be.Len(q) {
				t.Fatalf("sequence %d holds %d, want %d", q, be.Len(q), ref.Len(q))
			}
		}
		if round == 3 { // the same again gives the same bits
			only := slices.DeleteFunc(slices.Clone(b.Rows), func(r backend.Row) bool { return r.Kind == backend.Context || r.Seq != backend.Root })
			x, err := be.Forward(context.Background(), backend.Batch{Rows: only})
			if err != nil {
				t.Fatal(err)
			}
			if y, _ := be.Forward(context.Background(), backend.Batch{Rows: only}); !slices.Equal(x, y) {
				t.Fatal("the same batch gives other bits")
			}
		}
	}
	n := int64(0)
	for _, c := range m.Counters() {
		n += c.Total()
	}
	worst, square := 0.0, 0.0
	for _, d := range off {
		worst, square = max(worst, math.Abs(d)), square+d*d/float64(len(off))
	}
	if math.Sqrt(square) > allowed {
		t.Errorf("answers are off by %.4f in the root of the mean square, %.4f is allowed", math.Sqrt(square), allowed)
	}
	t.Logf("off by %.4f, root of the mean square %.4f, of %.4f; %d instructions; %v", worst, math.Sqrt(square), allowed, n, each)
	if err := be.Close(); err != nil {
		t.Error(err)
	}
}
