package train

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
	"github.com/seedling-lsp/seedling/engine/weights"
)

// repeated is a corpus of one function over and over.
func repeated() *Corpus {
	c := &Corpus{Split: "train"}
	for range 20 {
		c.text = append(c.text, "func add(a, b int) (int, error) {\n\tif a < 0 {\n\t\treturn 0, errNegative\n\t}\n\treturn a + b, nil\n}\n\n"...)
	}
	c.Files = []File{{Source: "made", Language: "go", Path: "add.go", Length: len(c.text)}}
	c.finish(nil)
	return c
}

// TestGradientsReachAll: after one micro-batch of the second stage every parameter has a
// finite gradient that is not zero. A tensor left out would stay at its random start and
// the loss would still fall.
func TestGradientsReachAll(t *testing.T) {
	for _, stage := range []string{"ar", "tsc"} {
		tr := start(t, tinySettings(stage), tinyOptions(t, t.TempDir()))
		tr.net.P.ZeroGrad()
		tr.net.Pass(tr.data.Micro(0, 4), true, nil)
		for _, p := range tr.net.P.All {
			zero := 0
			for _, g := range p.G {
				if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
					t.Fatalf("%s: the gradient of %s is not finite", stage, p.Name)
				}
				if g == 0 {
					zero++
				}
			}
			if zero*10 > len(p.G) {
				t.Errorf("%s: %d of %d gradients of %s are zero", stage, zero, len(p.G), p.Name)
			}
		}
	}
}

// TestLearns: a short run on one repeated function lowers every loss of its stage far
// below a guess over the vocabulary, held-out reports see it, and what Pack writes is a
// model that the server's own loader and backend take and that foretells the text. Without
// it every part might be right and the whole learn nothing, or lose it on the way out.
func TestLearns(t *testing.T) {
	s := tinySettings("ar")
	s.Steps, s.Warmup, s.Decay, s.StepTokens, s.EvalEvery = 60, 5, 20, 128, 60
	s.MuonLR, s.AdamLR = 0.03, 0.02
	opt := tinyOptions(t, t.TempDir())
	opt.Train, opt.HeldOut = repeated(), repeated()
	first := start(t, s, opt)
	losses := lossesOf(t, first, -1)
	fell(t, "ar", losses, LossAR, 3)

	t.Run("adamw", func(t *testing.T) {
		a := s
		a.Optimizer, a.AdamLR = "adamw", 0.01
		alone := opt
		alone.Out = t.TempDir()
		tr := start(t, a, alone)
		if n := len(tr.muon.State()); n != 0 {
			t.Errorf("Muon has %d matrices", n)
		}
		fell(t, "ar by AdamW", lossesOf(t, tr, -1), LossAR, 3)
	})

	for _, shift := range []bool{false, true} {
		t.Run(fmt.Sprintf("shift %t", shift), func(t *testing.T) {
			s2 := tinySettings("tsc")
			s2.Steps, s2.Warmup, s2.Decay, s2.StepTokens, s2.EvalEvery = 60, 5, 20, 128, 60
			s2.MuonLR, s2.AdamLR, s2.MaskRamp, s2.EditFrom = 0.03, 0.02, 5, 0.3
			s2.Shift = shift
			opt2 := opt
			opt2.Out = t.TempDir()
			w, _, err := Job{Init: opt.Out}.initial(weights.TokenizerJSON)
			if err != nil {
				t.Fatal(err)
			}
			w.Config.MaxPositions *= 4 // as an imported checkpoint has more than a run teaches
			opt2.Init = w
			second := start(t, s2, opt2)
			var report *Report
			var all []Losses
			second.opt.Progress = func(p Progress) {
				all = append(all, p.Loss)
				if p.Report != nil {
					report = p.Report
				}
			}
			if err := second.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			fell(t, "tsc", all, LossMask, 4.5)
			fell(t, "tsc", all, LossEdit, 4.5)
			if a, b := all[0].Mean(LossAR), losses[len(losses)-1].Mean(LossAR); a > b+2 {
				t.Errorf("the second stage began at an AR loss of %.2f where the first ended at %.2f: --init lost something", a, b)
			}
			if report == nil || report.AR <= 0 || report.AR > 3.5 || report.ELBO <= 0 || report.ELBO > 6 || report.AllMask <= 0 || report.EditNats <= 0 || report.ARHits < 0.3 {
				t.Fatalf("report %+v", report)
			}
			if want := report.AR / math.Ln2 * float64(report.Tokens) / float64(report.Bytes); math.Abs(report.ARBits-want) > 0.05*want {
				t.Errorf("%.3f bits a byte for %.3f nats a token of %d tokens in %d bytes", report.ARBits, report.AR, report.Tokens, report.Bytes)
			}
			packed(t, opt2, second)
		})
	}
}

// fell checks the last steps' mean loss against a bound in nats. A shifted canvas begins
// with what the first stage learned, and may be below it from the start.
func fell(t *testing.T, stage string, l []Losses, k LossKind, bound float64) {
	t.Helper()
	var early, late Losses
	for i, x := range l {
		if i < 2 || k == LossEdit && early.Count[k] == 0 {
			early.Add(x)
		}
		if i >= len(l)-10 {
			late.Add(x)
		}
	}
	a, b := early.Mean(k), late.Mean(k)
	if math.IsNaN(b) || late.Count[k] == 0 || b > bound || a > bound && b > 0.75*a {
		t.Errorf("%s: loss %s went from %.2f to %.2f, want below %.2f", stage, k, a, b, bound)
	}
	t.Logf("%s: loss %s went from %.2f to %.2f", stage, k, a, b)
}

func packed(t *testing.T, opt Options, tr *Trainer) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := Pack(opt.Out, dir, 0, weights.TokenizerJSON); err != nil {
		t.Fatal(err)
	}
	w, err := model.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if w.Embed.I8 == nil || !w.Config.Seedling.Revises || w.Config.Seedling.Tokens != opt.Tokens {
		t.Errorf("packed as %+v, int8 %t", w.Config.Seedling, w.Embed.I8 != nil)
	}
	if w.Config.MaxPositions != tr.s.Positions {
		t.Errorf("packed for %d positions, it learned in %d", w.Config.MaxPositions, tr.s.Positions)
	}
	vocab, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil || !bytes.Equal(vocab, weights.TokenizerJSON) {
		t.Errorf("the tokenizer was not packed with it: %v", err)
	}
	b, err := cpu.New(w, cpu.Options{Threads: 1, Sequences: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	seq, err := b.Fork(backend.Root)
	if err != nil {
		t.Fatal(err)
	}
	text := string(opt.Train.Text(0)[:200])
	ids := append([]backend.TokenID{opt.Tokens.Prefix}, tokenizer.Encode[backend.TokenID](opt.Tokenizer, nil, text)...)
	var rows []backend.Row
	m := &Micro{Clean: len(ids)}
	for i, x := range ids {
		row := backend.Row{Seq: seq, Token: x, Pos: int32(i)}
		m.row(int32(x), false, int32(i), 0, 0, 0)
		if i+1 < len(ids) {
			row.Want, row.Target = backend.WantTarget, ids[i+1]
			m.Asked = append(m.Asked, Asked{Row: int32(i), Target: int32(ids[i+1]), Weight: 1, Kind: LossAR})
		}
		rows = append(rows, row)
	}
	m.Docs = append(m.Docs, kernels.Doc{NClean: len(ids)})
	tops, err := b.Forward(t.Context(), backend.Batch{Rows: rows, Forbid: []backend.TokenID{opt.Tokens.Mask}})
	if err != nil {
		t.Fatal(err)
	}
	served := 0.0
	for _, x := range tops {
		served -= float64(x.TargetLog) / float64(len(tops))
	}
	losses := tr.net.Pass(m, false, nil)
	trained := losses.Mean(LossAR)
	if math.Abs(served-trained) > 0.1+0.05*trained {
		t.Errorf("served at %.3f nats a token, trained to %.3f", served, trained)
	}
	// A model directory packs, too; what is neither is refused by name.
	if err := Pack(dir, t.TempDir(), 0, nil); err != nil {
		t.Errorf("packing a model directory: %v", err)
	}
	if err := Pack(t.TempDir(), t.TempDir(), 0, nil); err == nil || !strings.Contains(err.Error(), "--init") {
		t.Errorf("packing an empty folder: %v", err)
	}
}
