package demo

import (
	"context"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp"
)

type fixed struct{}

func (fixed) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	if r.Priority != engine.Typed { // the demo types: nobody asks by hand
		return engine.Result{}, nil
	}
	r.Watch(engine.Step{Forward: 1, Cells: []engine.Cell{{Masked: true}, {Text: "x", Changed: true, Prob: 1}}})
	return engine.Result{Text: " ghost", Stop: "end", Tokens: 1, Forwards: 1}, nil
}

// TestRun: the demo plays every scene through a real server and prints what the server
// answered, the steps and the timings; it ends by itself.
func TestRun(t *testing.T) {
	var out strings.Builder
	if err := Run(context.Background(), Options{Server: lsp.Options{Generator: fixed{}}, Out: &out}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"store.go", "sum.go", "account.py", "│", "ghost", "⟨x⟩", "ms each"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
