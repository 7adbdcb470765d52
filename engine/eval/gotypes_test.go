package eval

import (
	"context"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

var typed = []File{
	{Path: "p/a.go", Language: treesitter.Go, Text: "package p\n\nimport (\n\t\"strings\"\n\n\t\"example.org/elsewhere\"\n)\n\nfunc up(s string) string {\n\treturn strings.ToUpper(other(s))\n}\n\nvar _ = elsewhere.Thing\n"},
	{Path: "p/b.go", Language: treesitter.Go, Text: "package p\n\nfunc other(s string) string { return s }\n"},
	{Path: "p/b_test.go", Language: treesitter.Go, Text: "package p\n\nvar onlyInTests = 1\n"},
	{Path: "p/c.go", Language: treesitter.Go, Text: "package main\n\nfunc other(s string) int { return 0 }\n"},
}

// TestGoTypes: an answer that parses and makes no sense is told from one that does, by what
// the package's other files and the standard library say; what other packages say is not at
// hand, and no mistake.
func TestGoTypes(t *testing.T) {
	g := newGoTypes(typed)
	at := strings.Index(typed[0].Text, "strings.ToUpper(other(s))")
	c := Case{Path: typed[0].Path, Language: treesitter.Go, Text: typed[0].Text, Start: at, End: at + len("strings.ToUpper(other(s))")}
	for answer, want := range map[string]bool{
		"strings.ToUpper(other(s))":      true,
		"strings.ToLower(s)":             true,
		"elsewhere.Name(s)":              true,  // who knows
		"strings.ToLoud(s)":              false, // the standard library knows
		"other(1)":                       false,
		"another(s)":                     false,
		"onlyInTests":                    false, // not seen from here
		"other(s) + 1":                   false,
		"other(s":                        false,
		"len(s)":                         false,
		"strings.Repeat(s, len(s))":      true,
		"strings.ToUpper(other(s)), nil": false,
	} {
		ok, known := g.holds(c, c.Text[:c.Start]+answer+c.Text[c.End:])
		if !known || ok != want {
			t.Errorf("%s: %t, %t, want %t", answer, ok, known, want)
		}
	}
	broken := Case{Path: "p/d.go", Language: treesitter.Go, Text: "package p\n\nfunc {"}
	if _, known := g.holds(broken, broken.Text); known {
		t.Error("a file that is no Go is judged")
	}
}

// TestInfillChecksTypes: the report has the share, of answers in Go alone.
func TestInfillChecksTypes(t *testing.T) {
	at := strings.Index(typed[0].Text, "return strings")
	end := at + strings.Index(typed[0].Text[at:], "\n")
	cases := []Case{{Path: typed[0].Path, Language: treesitter.Go, Text: typed[0].Text, Kind: SingleLine, Start: at, End: end}}
	for text, want := range map[string]float64{"return other(s)": 1, "return other(1)": 0} {
		rep, err := Infill(t.Context(), saying(text), "fake", cases, Setup{Packages: typed, Decode: []string{"causal"}}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := rep.Decode["causal"][SingleLine]
		if s.GoAnswers != 1 || s.TypeChecks != want || !strings.Contains(rep.Table(), "mistake of types") {
			t.Errorf("%s: %+v", text, s)
		}
	}
	rep, err := Infill(t.Context(), saying("return other(s)"), "fake", cases, Setup{Decode: []string{"causal"}}, 1, nil)
	if err != nil || rep.Decode["causal"][SingleLine].GoAnswers != 0 {
		t.Errorf("unasked: %+v, %v", rep.Decode["causal"][SingleLine], err)
	}
}

// saying answers everything alike.
type saying string

func (s saying) Generate(context.Context, engine.Request) (engine.Result, error) {
	return engine.Result{Text: string(s), Stop: "line", Tokens: 3, Forwards: 2, LineLogProb: -0.1}, nil
}
