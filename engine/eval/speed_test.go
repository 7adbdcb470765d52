package eval

import (
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// bolder is a model that is right the less often the bolder it is asked, and needs fewer
// forwards for it.
type bolder struct {
	cases []Case
	names map[string]int
	asked int
}

func (b *bolder) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	b.names[r.Document]++
	i := b.asked % len(b.cases)
	b.asked++
	forwards, wrong := 12, 4 // of how many answers one is wrong
	switch {
	case r.Decode == denoise.Verify && r.Settings.DraftThreshold == 0.15:
		forwards = 3
	case r.Decode == denoise.Diffusion && r.Settings.Threshold == 0.9 && r.BlockSize == 0:
		forwards = 6
	case r.Decode == denoise.Diffusion && r.Settings.Threshold == 0.3:
		forwards, wrong = 2, 2
	}
	for _, c := range b.cases {
		if strings.HasSuffix(c.Text[:c.Start], last(r.Prefix, 40)) && strings.HasPrefix(c.Text[c.End:], r.Suffix[:min(len(r.Suffix), 40)]) {
			text := c.Truth()
			if i%wrong == 0 {
				text = "wrong"
			}
			return engine.Result{Text: text, Stop: "end", Tokens: 12, Forwards: forwards, LineLogProb: -1}, nil
		}
	}
	return engine.Result{Stop: "none", Forwards: forwards}, nil
}

// TestSpeed: each boldness reaches the generator as it is named, under document names of
// its own (else an answer of one would be recalled for the next, and all would look alike);
// the speed without loss is that of the boldest point that is as often right as the careful
// one, not of the boldest.
func TestSpeed(t *testing.T) {
	cases, err := Draw(files(t), 20, 3)
	if err != nil {
		t.Fatal(err)
	}
	var lines []Case
	for _, c := range cases {
		if c.Kind == SingleLine {
			lines = append(lines, c)
		}
	}
	b := &bolder{cases: lines, names: map[string]int{}}
	points := Boldnesses([]int{16})
	done := 0
	rep, err := Speed(t.Context(), b, "fake", lines, Setup{}, points, 3, func(n int) { done = n })
	if err != nil {
		t.Fatal(err)
	}
	if done != len(lines)*len(points) || len(rep.Points) != len(points) {
		t.Errorf("%d of %d answers told, %d points", done, len(lines)*len(points), len(rep.Points))
	}
	for name, n := range b.names {
		if n > 1 {
			t.Fatalf("document %q was asked about %d times", name, n)
		}
	}
	d, v := rep.WithoutLoss["diffusion"][SingleLine], rep.WithoutLoss["verify"][SingleLine]
	if d.At.Threshold != 0.9 || d.At.BlockSize != 0 || d.TokensPerForward != 2 || d.FewerForwards != 2 || d.CarefulForward != 1 {
		t.Errorf("diffusion without loss: %+v", d)
	}
	if v.At.Threshold != 0.15 || v.TokensPerForward != 4 || v.FewerForwards != 4 || v.Exact != v.Reference {
		t.Errorf("verify without loss: %+v", v)
	}
	table := rep.Table()
	for _, want := range []string{"diffusion, one a forward", "verify, from 0.15", "blocks of 16", "4.0 times fewer forwards"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	to := filepath.Join(t.TempDir(), "speed.png")
	if err := rep.Plot(to); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Errorf("the plot: %v", err)
	}
	if err := rep.Plot(filepath.Join(t.TempDir(), "speed.nothing")); err == nil || !strings.Contains(err.Error(), "writing the plot") {
		t.Errorf("a format that is none: %v", err)
	}
}
