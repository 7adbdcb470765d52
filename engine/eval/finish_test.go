package eval

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// shop is enough code to draw places from.
func shop() []File {
	var g, p strings.Builder
	g.WriteString("package shop\n")
	for i := range 30 {
		fmt.Fprintf(&g, "\n// price%d adds the tax.\nfunc price%d(items []int, rate float64) (sum int, err error) {\n\tfor _, it := range items {\n\t\tsum += it * %d\n\t}\n\tif sum < 0 {\n\t\treturn 0, fmt.Errorf(\"price %%d of %%v\", sum, items)\n\t}\n\treturn sum, nil\n}\n", i, i, i+2)
		fmt.Fprintf(&p, "def price%d(items, rate=1.0):\n    \"\"\"Adds the tax.\"\"\"\n    total = sum(it[\"price\"] * %d for it in items)\n    if total < 0:\n        raise ValueError(f\"price {total} of {items}\")\n    return round(total * rate, 2)\n\n\n", i, i+2)
	}
	return []File{{"shop.go", treesitter.Go, g.String()}, {"shop.py", treesitter.Python, p.String()}}
}

// TestDrawPlaces: a place is a state of typing that its truth leads out of, the draw is its
// seed's alone, and every kind comes up. Were a truth wrong by a byte, no rule could be
// seen to pay.
func TestDrawPlaces(t *testing.T) {
	files := shop()
	places, err := DrawPlaces(files, 200, 5)
	if err != nil || len(places) != 200 {
		t.Fatal(len(places), err)
	}
	again, _ := DrawPlaces(files, 200, 5)
	kinds := map[PlaceKind]int{}
	for i, p := range places {
		if p != again[i] {
			t.Fatalf("place %d differs the second time", i)
		}
		kinds[p.Kind]++
		text := files[i%2].Text
		if !strings.HasPrefix(text, p.Text[:p.At]) || !strings.HasPrefix(text[p.At:], p.Truth) {
			t.Fatalf("%+v: the truth does not go on from the cursor", p)
		}
		after, rest := p.Text[p.At:], text[p.At+len(p.Truth):]
		switch p.Kind {
		case AtBottom:
			if after != "\n" {
				t.Errorf("bottom: %q stands after the cursor", after)
			}
		case Closed:
			closers, below, _ := strings.Cut(after, "\n")
			if closers == "" || strings.Trim(closers, ")]}\"'") != "" || !strings.HasPrefix(rest, closers[:1]) || !strings.HasSuffix(rest, below) {
				t.Errorf("closed: %q after %q, which goes on with %q", closers, p.Truth, rest[:10])
			}
		default:
			if after != rest {
				t.Errorf("%s: more than the truth is gone", p.Kind)
			}
		}
	}
	for _, k := range placeShares {
		if kinds[k.kind] < 5 {
			t.Errorf("%d places of kind %s: %v", kinds[k.kind], k.kind, kinds)
		}
	}
	if _, err := DrawPlaces([]File{{"a.go", treesitter.Go, "package a\n"}}, 3, 1); err != nil && !strings.Contains(err.Error(), "no line") {
		t.Error(err)
	}
}

func TestClosedBy(t *testing.T) {
	for _, c := range []struct {
		left, rest, closers string
		inside              int
	}{
		{"f(a, ", "b)", ")", 1},
		{"f(g[", "i], x)", "])", 1},
		{"s = \"ab", "c\" + d", "\"", 1},
		{"f(\"a", "b\")", "\")", 1},
		{"f(a", ", \")\")", ")", 5},
		{"x := ", "f(a)", "", 0},
		{"if x {", " y", "", 0},
	} {
		if inside, closers := closedBy(c.left, c.rest); inside != c.inside || closers != c.closers {
			t.Errorf("%s‸%s: %d, %q; want %d, %q", c.left, c.rest, inside, closers, c.inside, c.closers)
		}
	}
}

// TestRepeats: the judge knows what people call repeated, and nothing else.
func TestRepeats(t *testing.T) {
	for _, c := range []struct {
		text, got string
		replaces  int
		want      bool
	}{
		{"f(‸, b)\n", "a, b)", 0, true},
		{"f(‸, b)\n", "a, b", 0, true}, // a part of it, but with a word
		{"f(‸, b)\n", "a", 0, false},
		{"f(‸, b)\n", "a,", 0, false},
		{"f(‸)\n", "a)", 0, true},
		{"f(g(‸)\n", "a)", 0, false},
		{"f(‸)\n", "g(a)", 0, false},
		{"f(‸)\n", "\")\"", 0, false},
		{"f(‸)\n", "a) {", 1, false},
		{"a := sub‸stance\n", "stance", 0, true},
		{"x = ‸ance\n", "substance", 0, false},
		{"‸\nreturn nil\n}\n", "return nil", 0, true},
		{"‸\nreturn nil\n}\n", "f()\nreturn nil", 0, true},
		{"‸\n\nreturn nil\n}\n", "f()\nreturn nil\n}", 0, true},
		{"  ‸\nreturn nil\n", "return nil", 0, false}, // indented more: another place
		{"‸\n}\n", "f(func() {\n}", 0, false},
		{"if x {\n‸\n}\n", "y()\n}", 0, true},
		{"s := \"‸\"\n", "(]", 0, false},
	} {
		at := strings.Index(c.text, "‸")
		text := strings.Replace(c.text, "‸", "", 1)
		s := infill.Suggestion{Text: c.got, Start: infill.ByteOffset(at), End: infill.ByteOffset(at + c.replaces)}
		if got := repeats(text, treesitter.Go, s); got != c.want {
			t.Errorf("%q in %q: %v", c.got, c.text, got)
		}
	}
}

// scripted answers by the prefix's end.
type scripted struct {
	t     *testing.T
	asked int
	says  func(r engine.Request) (string, float64)
}

func (s *scripted) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	s.asked++
	text, sure := s.says(r)
	stop := "end"
	if keep, name := r.Stop(text); name != "" {
		text, stop = text[:keep], name
	}
	return engine.Result{Text: text, Stop: stop, LineLogProb: sure}, nil
}

// TestFinish: every rule shows in its rows: with it what it is there for is mended, without
// it it is not.
func TestFinish(t *testing.T) {
	const head = "package a\n\nfunc f(x, y int) {\n"
	place := func(marked, truth string) Place {
		marked = head + marked + "\n\treturn g(x)\n}\n"
		at := strings.Index(marked, "‸")
		return Place{Kind: AtEnd, Path: "a.go", Language: treesitter.Go, Text: strings.Replace(marked, "‸", "", 1), At: at, Truth: truth}
	}
	places := []Place{
		place("\tg(‸, y)", "x"),      // overlap
		place("\tg(h(‸))", "x"),      // brackets
		place("\tg(x)\n\t‸", "h(y)"), // below
		place("\ty = ‸", "x"),        // loops
		place("\ty = x‸", " + y"),    // syntax
		place("\tx = ‸", "y"),        // unlikely
		place("\tx += ‸", "y"),       // right
	}
	answers := []string{"x, y)", "x)))", "return g(x)", strings.Repeat("a.b.", 40), " + y * )", "h", "y"}
	g := &scripted{t: t, says: func(r engine.Request) (string, float64) {
		var i int
		fmt.Sscanf(r.Document, "place %d", &i)
		if i == 5 {
			return answers[i], -9
		}
		return answers[i], -1
	}}
	seen := 0
	rep, err := Finish(t.Context(), g, "scripted", places, 1, -5, func(n int) { seen = n })
	if err != nil || seen != len(places) || g.asked != len(places) {
		t.Fatal(err, seen, g.asked)
	}
	rows := map[string]FinishRow{}
	for _, r := range append(rep.Steps, rep.Without...) {
		rows[r.Rules] = r
	}
	all := rows["+ likelihood"]
	if all.Shown.K != 4 || all.Shown.N != 7 || all.Exact.K != 4 || all.Repeats.K != 0 || all.Keeps.K != 4 || len(rep.Faulty) != 0 {
		t.Errorf("all rules: %+v, %q", all, rep.Faulty)
	}
	for row, want := range map[string][5]int{ // shown, exact, repeats, keeps, changed
		"the stop rule alone": {7, 1, 3, 5, 0}, // a comma too few before, one too many after: as sound
		"+ loops":             {6, 1, 3, 4, 1},
		"+ overlap":           {6, 2, 2, 4, 2}, // and one of three brackets too many
		"+ brackets":          {6, 3, 1, 5, 2}, // and the one that nothing is open for
		"+ below":             {5, 3, 0, 4, 1},
		"+ syntax":            {5, 4, 0, 5, 1},
		"all but loops":       {5, 4, 0, 5, 1},
		"all but below":       {5, 4, 1, 5, 1},
	} {
		r := rows[row]
		if got := [5]int{r.Shown.K, r.Exact.K, r.Repeats.K, r.Keeps.K, r.Changed}; got != want {
			t.Errorf("%s: %v, want %v", row, got, want)
		}
	}
	if s := rep.Table(); !strings.Contains(s, "all but syntax") || strings.Count(s, "\n") != len(rows)+2 {
		t.Error(s)
	}
}

// TestAnswers: what was said once is said again without asking; another request is asked.
func TestAnswers(t *testing.T) {
	g := &scripted{t: t, says: func(r engine.Request) (string, float64) { return "x" + r.Prefix, -0.5 }}
	path := filepath.Join(t.TempDir(), "answers")
	for range 2 {
		a, err := OpenAnswers(path, g, "m")
		if err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{"a", "b", "a"} {
			res, err := a.Generate(t.Context(), engine.Request{Prefix: prefix, Stop: func(s string) (int, string) { return len(s), "line" }})
			if err != nil || res.Text != "x"+prefix || res.Stop != "line" || res.LineLogProb != -0.5 {
				t.Errorf("%+v %v", res, err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if g.asked != 2 {
		t.Errorf("asked %d times", g.asked)
	}
	a, err := OpenAnswers(path, g, "another model")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.Generate(t.Context(), engine.Request{Prefix: "a", Stop: func(s string) (int, string) { return len(s), "" }})
	if g.asked != 3 {
		t.Error("another model's answer was taken")
	}
	if _, err := OpenAnswers(t.TempDir(), g, "m"); err == nil {
		t.Error("a folder is no file of answers")
	}
}
