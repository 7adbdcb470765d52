package cpu

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels/emulated"
	"github.com/seedling-lsp/seedling/engine/model"
)

const goldenDir = "../model/testdata/golden"

func golden(t testing.TB) *model.Weights {
	t.Helper()
	w, err := model.LoadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func floats(t testing.TB, name string) []float32 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// expect is the answer that golden logits (raw, mask column included) give.
func expect(logits []float32, target, mask int32) kernels.Top {
	return answer(slices.Clone(logits), target, []int32{mask})
}

// TestGolden holds whole passes to PyTorch's logits: the reference within 1e-3 on float
// weights, the int8 sets within what quantization costs this tiny model (measured, alike
// on all: log-partition 0.10, log-probability 0.29, probability 0.033, the same best token
// in 66 of 69 rows). Without it a wrong norm, angle or mask could hide behind tests that
// compare us with ourselves.
func TestGolden(t *testing.T) {
	var g struct {
		Vocab, Mask int32
		Tokens      []backend.TokenID
		Logits      string
		Canvas      []struct {
			Name, File string
			Context    int
			Tokens     []backend.TokenID
		}
	}
	b, err := os.ReadFile(filepath.Join(goldenDir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	w := golden(t)
	ctx := context.Background()
	for _, isa := range allSets() {
		tolZ, tolTarget, tolProb := 1e-3, 1e-3, 1e-3
		if isa != Reference {
			tolZ, tolTarget, tolProb = 0.15, 0.35, 0.05
		}
		agree, asked := 0, 0
		be, err := New(w, Options{ISA: isa, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		check := func(name string, tops []backend.Top, logits []float32, targets []backend.TokenID) {
			t.Helper()
			V := int(g.Vocab)
			if len(tops) != len(logits)/V {
				t.Fatalf("%s %s: %d answers for %d rows", isa, name, len(tops), len(logits)/V)
			}
			for i, top := range tops {
				e := expect(logits[i*V:(i+1)*V], int32(targets[i]), g.Mask)
				if d := math.Abs(float64(top.LogZ - e.LogZ)); d > tolZ {
					t.Errorf("%s %s row %d: log-partition off by %.4f", isa, name, i, d)
				}
				if d := math.Abs(float64(top.TargetLog - e.TargetLog)); d > tolTarget {
					t.Errorf("%s %s row %d: target off by %.4f", isa, name, i, d)
				}
				if d := math.Abs(float64(top.Prob - e.Prob)); d > tolProb {
					t.Errorf("%s %s row %d: best probability off by %.4f", isa, name, i, d)
				}
				asked++
				if top.Best == backend.TokenID(e.Best) {
					agree++
				}
				if isa == Reference && (top.Best != backend.TokenID(e.Best) || top.Second != backend.TokenID(e.Second)) {
					t.Errorf("%s %s row %d: best %d, %d; PyTorch %d, %d", isa, name, i, top.Best, top.Second, e.Best, e.Second)
				}
			}
		}
		seq, _ := be.Fork(backend.Root)
		var rows []backend.Row
		targets := make([]backend.TokenID, len(g.Tokens))
		for i, tok := range g.Tokens {
			targets[i] = backend.TokenID(1 + i%300)
			rows = append(rows, backend.Row{Seq: seq, Token: tok, Pos: int32(i), Want: backend.WantTop | backend.WantTarget, Target: targets[i]})
		}
		tops, err := be.Forward(ctx, backend.Batch{Rows: rows, Forbid: []backend.TokenID{backend.TokenID(g.Mask)}})
		if err != nil {
			t.Fatal(err)
		}
		check("causal", tops, floats(t, g.Logits), targets)
		for _, c := range g.Canvas {
			if err := be.Truncate(seq, c.Context); err != nil {
				t.Fatal(err)
			}
			rows = rows[:0]
			for i, tok := range c.Tokens {
				rows = append(rows, backend.Row{Seq: seq, Token: tok, Pos: int32(c.Context + i), Kind: backend.Canvas, Want: backend.WantTop | backend.WantTarget, Target: targets[i]})
			}
			tops, err := be.Forward(ctx, backend.Batch{Rows: rows, Forbid: []backend.TokenID{backend.TokenID(g.Mask)}})
			if err != nil {
				t.Fatal(err)
			}
			check(c.Name, tops, floats(t, c.File), targets)
			// Truncated tokens are read again, so that the next case has its context.
			rows = rows[:0]
			for i := c.Context; i < len(g.Tokens); i++ {
				rows = append(rows, backend.Row{Seq: seq, Token: g.Tokens[i], Pos: int32(i)})
			}
			if _, err := be.Forward(ctx, backend.Batch{Rows: rows}); err != nil {
				t.Fatal(err)
			}
		}
		if agree*10 < asked*9 {
			t.Errorf("%s: PyTorch's best token in %d of %d rows only", isa, agree, asked)
		}
		be.Close()
	}
}

func same(a, b backend.Top, tol float64) bool {
	near := func(x, y float32) bool { return math.Abs(float64(x-y)) <= tol }
	return near(a.LogZ, b.LogZ) && near(a.Prob, b.Prob) && near(a.TargetLog, b.TargetLog) && near(a.SecondProb, b.SecondProb)
}

// nativeSets are the C kernels that can run here, best first, and behind them those that
// the machine lacks, emulated.
func nativeSets() []string {
	emulated.Register()
	d := Detect()
	return append(d[:len(d)-1], emulated.Sets...)
}

// allSets are nativeSets and the plain-Go reference.
func allSets() []string { return append(nativeSets(), Reference) }

// TestChunkedPrefill: a context read in any pieces, with canvases denoised in between,
// gives the answers of one read at once. It breaks when canvas rows leave a trace in a
// cache, when a length moves wrongly, or when results depend on the batch's shape.
func TestChunkedPrefill(t *testing.T) {
	w := golden(t)
	ctx := context.Background()
	for _, isa := range allSets() {
		be, err := New(w, Options{ISA: isa, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			tokens := rapid.SliceOfN(rapid.Int32Range(9, 319), 2, 40).Draw(t, "tokens")
			row := func(seq backend.Sequence, i int, kind backend.Kind, tok int32) backend.Row {
				return backend.Row{Seq: seq, Token: backend.TokenID(tok), Pos: int32(i), Kind: kind, Want: backend.WantTop | backend.WantTarget, Target: 17}
			}
			whole, _ := be.Fork(backend.Root)
			parts, _ := be.Fork(backend.Root)
			defer func() { be.Release(whole); be.Release(parts) }()
			var rows []backend.Row
			for i, tok := range tokens {
				rows = append(rows, row(whole, i, backend.Context, tok))
			}
			want, err := be.Forward(ctx, backend.Batch{Rows: rows, Forbid: []backend.TokenID{0}})
			if err != nil {
				t.Fatal(err)
			}
			var got []backend.Top
			for at := 0; at < len(tokens); {
				n := rapid.IntRange(1, len(tokens)-at).Draw(t, "piece")
				var rows []backend.Row
				for i := at; i < at+n; i++ {
					rows = append(rows, row(parts, i, backend.Context, tokens[i]))
				}
				canvas := rapid.IntRange(0, 9).Draw(t, "canvas")
				for i := range canvas {
					rows = append(rows, row(parts, at+n+i, backend.Canvas, int32(i%3)*20))
				}
				tops, err := be.Forward(ctx, backend.Batch{Rows: rows, Forbid: []backend.TokenID{0}})
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, tops[:n]...)
				at += n
				if rapid.Bool().Draw(t, "fork") {
					next, err := be.Fork(parts)
					if err != nil {
						t.Fatal(err)
					}
					be.Release(parts)
					parts = next
				}
				if back := rapid.IntRange(0, min(2, at-1)).Draw(t, "back"); back > 0 {
					at -= back
					got = got[:at]
					if err := be.Truncate(parts, at); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range want {
				want[i].Row = got[i].Row
				if want[i] != got[i] { // to the last bit
					t.Fatalf("%s: row %d: %+v, in pieces %+v", isa, i, want[i], got[i])
				}
			}
		})
		be.Close()
	}
}

// TestSetsAgree holds every instruction set to the reference on the same int8 weights,
// over mixed batches of several sequences. Activations are quantized in the kernels and
// not in the reference, hence the tolerance; between the sets it is float rounding, which
// in some rows (measured: 78 of 6,769; 2 before cached keys and values were bfloat16) tips an
// activation over to the next integer, or a cached value to its neighbour, worth up to 0.03
// in this tiny network.
func TestSetsAgree(t *testing.T) {
	w := golden(t).Quantize()
	ctx := context.Background()
	var all []*Backend
	for _, isa := range allSets() {
		for _, threads := range []int{1, 3} {
			be, err := New(w, Options{ISA: isa, Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			defer be.Close()
			all = append(all, be)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	compared, apart := 0, 0
	for round := range 20 {
		var rows []backend.Row
		for s := range 3 {
			n := 1 + r.IntN(20)
			for i := range n {
				rows = append(rows, backend.Row{Seq: backend.Sequence(s + 1), Token: 9 + backend.TokenID(r.Int32N(300)), Pos: int32(i), Want: backend.WantTop})
			}
			for i := range r.IntN(12) {
				rows = append(rows, backend.Row{Seq: backend.Sequence(s + 1), Token: backend.TokenID(r.Int32N(2) * 30), Pos: int32(n + i), Kind: backend.Canvas, Want: backend.WantTop | backend.WantTarget, Target: 40})
			}
		}
		var first, ref []backend.Top
		for _, be := range all {
			var seqs []backend.Sequence
			for range 3 {
				s, err := be.Fork(backend.Root)
				if err != nil {
					t.Fatal(err)
				}
				seqs = append(seqs, s)
			}
			mine := slices.Clone(rows)
			for i := range mine {
				mine[i].Seq = seqs[mine[i].Seq-1]
			}
			tops, err := be.Forward(ctx, backend.Batch{Rows: mine, Forbid: []backend.TokenID{0, 5}})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range seqs {
				be.Release(s)
			}
			native := be.Info().Kernels != Reference
			switch {
			case native && first == nil:
				first = tops
			case native:
				for i := range tops {
					compared++
					if !same(first[i], tops[i], 2e-3) {
						apart++
					}
					if !same(first[i], tops[i], 0.1) {
						t.Fatalf("round %d, %s with %d threads, row %d: %+v, the first set %+v", round, be.Info().Kernels, be.Info().Threads, i, tops[i], first[i])
					}
				}
			default:
				ref = tops
			}
		}
		for i := range ref {
			if !same(first[i], ref[i], 0.25) {
				t.Fatalf("round %d row %d: kernels %+v, reference %+v", round, i, first[i], ref[i])
			}
		}
	}
	if apart*50 > compared {
		t.Errorf("%d of %d rows differ between sets by more than rounding", apart, compared)
	}
}

// TestRules: a batch that breaks a rule of the seam is refused with the right error and
// changes nothing.
func TestRules(t *testing.T) {
	be, err := New(golden(t), Options{Threads: 1, Sequences: 2, Positions: 32})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	s, _ := be.Fork(backend.Root)
	ctx := context.Background()
	ok := backend.Batch{Rows: []backend.Row{{Seq: s, Token: 9, Pos: 0}, {Seq: s, Token: 10, Pos: 1}}}
	if _, err := be.Forward(ctx, ok); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rows []backend.Row
		want error
	}{
		"unknown sequence":     {[]backend.Row{{Seq: 7, Token: 9}}, backend.ErrSequence},
		"gap":                  {[]backend.Row{{Seq: s, Token: 9, Pos: 3}}, backend.ErrBatch},
		"rewrite":              {[]backend.Row{{Seq: s, Token: 9, Pos: 1}}, backend.ErrBatch},
		"token":                {[]backend.Row{{Seq: s, Token: 320, Pos: 2}}, backend.ErrBatch},
		"negative token":       {[]backend.Row{{Seq: s, Token: -1, Pos: 2}}, backend.ErrBatch},
		"target":               {[]backend.Row{{Seq: s, Token: 9, Pos: 2, Want: backend.WantTarget, Target: 999}}, backend.ErrBatch},
		"context after canvas": {[]backend.Row{{Seq: s, Token: 9, Pos: 2, Kind: backend.Canvas}, {Seq: s, Token: 9, Pos: 3}}, backend.ErrBatch},
		"canvas twice":         {[]backend.Row{{Seq: s, Token: 9, Pos: 2, Kind: backend.Canvas}, {Seq: s, Token: 9, Pos: 2, Kind: backend.Canvas}}, backend.ErrBatch},
		"canvas in the past":   {[]backend.Row{{Seq: s, Token: 9, Pos: 1, Kind: backend.Canvas}}, backend.ErrBatch},
		"too far":              {[]backend.Row{{Seq: s, Token: 9, Pos: 32, Kind: backend.Canvas}}, backend.ErrFull},
		"root context":         {[]backend.Row{{Seq: backend.Root, Token: 9}}, backend.ErrBatch},
		"kind":                 {[]backend.Row{{Seq: s, Token: 9, Pos: 2, Kind: 9}}, backend.ErrBatch},
	} {
		if _, err := be.Forward(ctx, backend.Batch{Rows: c.rows}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if be.Len(s) != 2 {
			t.Fatalf("%s moved the sequence to %d", name, be.Len(s))
		}
	}
	if _, err := be.Fork(s); err != nil {
		t.Error(err)
	}
	if _, err := be.Fork(s); !errors.Is(err, backend.ErrFull) {
		t.Errorf("a third sequence of two: %v", err)
	}
	if err := be.Truncate(s, 3); !errors.Is(err, backend.ErrBatch) {
		t.Errorf("truncate beyond the end: %v", err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := be.Forward(done, backend.Batch{Rows: []backend.Row{{Seq: s, Token: 9, Pos: 2}}}); !errors.Is(err, context.Canceled) || be.Len(s) != 2 {
		t.Errorf("cancelled pass: %v, length %d", err, be.Len(s))
	}
}

// TestCancelInside: a flag raised while a pass runs stops it and the cache stays as it was.
func TestCancelInside(t *testing.T) {
	be, err := New(golden(t), Options{ISA: nativeSets()[0], Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	n := be.dev.(*native)
	s, _ := be.Fork(backend.Root)
	batch := backend.Batch{Rows: []backend.Row{{Seq: s, Token: 9, Pos: 0}}}
	groups, of, err := be.held.Check(batch)
	if err != nil || groups[0].After != 1 {
		t.Fatal(groups, err)
	}
	be.translate(batch, groups, of)
	n.flag.Raise()
	if _, err := n.net.Forward(n.pool, &n.work, be.rows, []*kernels.Cache{n.cache(s)}, nil, n.flag, nil); !errors.Is(err, kernels.ErrCancelled) {
		t.Errorf("a raised flag gave %v", err)
	}
	if be.Len(s) != 0 {
		t.Error("the cancelled pass moved the sequence")
	}
}

func ExampleDetect() {
	fmt.Println(slices.Contains(Detect(), Reference))
	// Output: true
}
