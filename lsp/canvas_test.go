package lsp

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// TestCanvas: who watches gets each answer's steps, as they were, and who does not pays
// nothing for it.
func TestCanvas(t *testing.T) {
	var looked []bool
	cells := []engine.Cell{{Masked: true}, {Masked: true}}
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		looked = append(looked, r.Watch != nil)
		if r.Watch != nil {
			r.Watch(engine.Step{Phase: denoise.PhasePrefill})
			cells[0] = engine.Cell{Text: "x", Changed: true, Prob: 0.5}
			r.Watch(engine.Step{Forward: 1, Phase: denoise.PhaseDenoise, Cells: cells})
			cells[1] = engine.Cell{Text: " := 1", Changed: true} // the engine's own memory
			r.Watch(engine.Step{Forward: 2, Phase: denoise.PhaseDenoise, Cells: cells})
		}
		return says("x := 1").Generate(ctx, r)
	}), Options{Model: "m"})
	w.hello("utf-16", nil)
	w.open(oneFunc)
	w.wait(w.inline(3, 1))
	w.call("seedling/watchCanvas", map[string]any{"watch": true})
	w.wait(w.inline(3, 1))
	var c Canvas
	if err := json.Unmarshal(w.hears("seedling/canvas", "").Params, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Steps) != 3 || c.Steps[0].Phase != "prefill" || !c.Steps[1].Cells[1].Masked || c.Steps[2].Cells[1].Text != " := 1" || c.Text != "x := 1" || c.Position.Line != 3 {
		t.Errorf("the canvas: %+v", c)
	}
	w.call("seedling/watchCanvas", map[string]any{"watch": false})
	w.wait(w.inline(3, 1))
	if got, _ := json.Marshal(looked); string(got) != "[false,true,false]" {
		t.Errorf("watched: %s", got)
	}
	if m := w.call("seedling/watchCanvas", []int{1}); m.Error == nil {
		t.Error("parameters that make no sense were taken")
	}
	w.bye()
}
