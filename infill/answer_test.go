package infill

import (
	"errors"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Each candidate is finished as if it were the only one; what is empty then, or the same as
// a likelier one but for white space, is not shown, and the engine knows that while it
// looks for them. One suggestion alone asks for nothing more.
func TestAnswers(t *testing.T) {
	text := "package a\n\nfunc f() {\n\tg(x)\n}\n"
	at := len("package a\n\nfunc f() {\n\tg(x")
	plan := NewPlan(Document{Path: "a.go", Language: treesitter.Go, Text: text}, ByteOffset(at), Options{Priority: engine.Invoked, Mode: Line})
	said := []string{", y)", ",  y", "", "[0])", "\n", ")", ".z)", ".w)"}
	var asked engine.Request
	generate := func(r engine.Request) (engine.Result, error) {
		asked = r
		res := engine.Result{Text: said[0], Stop: "line"}
		if r.Candidates > 1 {
			for _, s := range said[1:] {
				res.Alternatives = append(res.Alternatives, engine.Result{Text: s, Stop: "line"})
			}
		}
		return res, nil
	}
	texts := func(n int) (out []string) {
		all, _, err := plan.Answers(n, generate)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			out = append(out, s.Text)
		}
		return out
	}
	if got, want := texts(8), []string{", y", "[0]", ".z", ".w"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if asked.Candidates != 8 || asked.Show == nil {
		t.Fatalf("asked for %d, to be shown: %t", asked.Candidates, asked.Show != nil)
	}
	show := func(text string) string { return asked.Show(engine.Result{Text: text, Stop: "line"}) }
	if show(", y)") != show(",  y") || show(")") != "" || show("[0]") == show("[1]") {
		t.Errorf("shown as %q, %q, %q, %q", show(", y)"), show(",  y"), show(")"), show("[0]"))
	}
	if got, want := texts(2), []string{", y", "[0]"}; !slices.Equal(got, want) {
		t.Errorf("of at most two: %q", got)
	}
	for _, n := range []int{0, 1} {
		if got := texts(n); !slices.Equal(got, []string{", y"}) || asked.Candidates != 0 || asked.Show != nil {
			t.Errorf("of %d: %q, asked for %d", n, got, asked.Candidates)
		}
	}
	said = []string{")", ".z)"}
	if got := texts(4); !slices.Equal(got, []string{".z"}) {
		t.Errorf("with nothing in the likeliest: %q", got)
	}
	lost := errors.New("lost")
	if _, _, err := plan.Answers(4, func(engine.Request) (engine.Result, error) { return engine.Result{}, lost }); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
}
