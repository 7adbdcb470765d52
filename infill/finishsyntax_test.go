package infill

import (
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// TestKeepsSyntax: of an answer that would break the syntax stays what does not, whole
// words and whole lines of it; the opening of a block is no break; and nothing that was cut
// shorter repeats what stands after the cursor.
func TestKeepsSyntax(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	for _, c := range []struct{ file, source, answer, want string }{
		{"a.go", "package a\n\nfunc f() {\n\tx := ‸\n}\n", "y", "y"},
		{"a.go", "package a\n\nfunc f() {\n\tx = y‸\n}\n", " + z * )", " + z"},
		{"a.go", "package a\n\nfunc f() {\n\tsort‸\n}\n", ".Search(len(n[i])", ".Search"},
		{"a.go", "package a\n\nfunc f() {\n\tg()\n\t‸\n}\n", "returnline, nil", ""}, // one word left over says nothing
		{"a.go", "package a\n\nfunc f() {\n\tg()\n\t‸\n}\n", "if err != nil {", "if err != nil {"},
		{"a.go", "package a\n\nty‸\n", "pe T struct {", "pe T struct {"},
		{"a.go", "package a\n\nfunc f() {\n\tg()\n\t‸\n}\n", "if err != nil } {", ""},
		{"a.go", "package a\n\nfunc f() {\n\tg()\n\t‸\n\treturn\n}\n", "return )", ""}, // shorter, it is the next line
		{"a.go", "package a\n\nfunc f() {\n\t‸\n}\n", "g()\n\th()\n\tif = 3\n", "g()\n\th()"},
		{"a.go", "package a\n\nfunc f() {\n\t‸\n", "g()\n\tif = 3\n}", "g()\n}"},
		{"a.py", "def f():\n    x()\n    ‸\n", "\"\"\"", ""},
		{"a.py", "def f():\n    x()\n    ‸\n", "try:", "try:"},
		{"a.py", "def f():\n    x()\n    ‸\n", "return f\"{x}\" \"", "return f\"{x}\""},
		{"a.py", "def f():\n    ‸\n", "x = 1\n    y = = 2\n    z = 3\n", "x = 1"},
		{"a.py", "T = TypeVar(covari‸=True)\n", "ant=False", "ant"},
		{"a.txt", "a ‸", "( b", "( b"},
	} {
		doc, at := markedDocument(t, parser, c.file, c.source)
		p := NewPlan(doc, at, Options{})
		res := engine.Result{Text: c.answer, Stop: "end"}
		if s := p.Finish(res); s.Text != c.want || c.want != "" && s.Start != s.End {
			t.Errorf("%s, %q: %q, want %q", c.source, c.answer, s.Text, c.want)
		}
		if !strings.HasPrefix(c.want, c.answer) {
			continue
		}
		doc.Parser = nil
		if s := NewPlan(doc, at, Options{}).Finish(res); s.Text != c.want {
			t.Errorf("%s, %q without a parser: %q", c.source, c.answer, s.Text)
		}
	}
}

// TestKeepsSyntaxBounded: however broken an answer is, it is parsed a few times only: a
// keystroke must not pay for a litany.
func TestKeepsSyntaxBounded(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	doc, at := markedDocument(t, parser, "a.py", "def f():\n    x = ‸\n")
	f := fit{around: &around{}, rule: &rule{}}
	p := NewPlan(doc, at, Options{})
	f.around, f.rule, f.rules = &p.around, p.rule, AllRules
	text, cuts := strings.Repeat("a + = ", 500), 0
	for cut := len(text); ; cuts++ {
		before := cut
		_, ok := f.shorter(text, &cut)
		if !ok {
			break
		}
		if cut >= before {
			t.Fatalf("cut at %d, then at %d", before, cut)
		}
	}
	if cuts < 100 {
		t.Errorf("only %d cuts: the bound is not tried", cuts)
	}
	if got, _ := f.keeps(text, f.at); got != "" {
		t.Errorf("%d tries found %q", tries, got)
	}
}

// TestShorterNeverClosesTwice: a part of a text closes no bracket that stands after the
// cursor, although the whole of it may, writing it anew.
func TestShorterNeverClosesTwice(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	doc, at := markedDocument(t, parser, "a.py", "for _ in t(a.b‸)\n")
	p := NewPlan(doc, at, Options{})
	f := fit{around: &p.around, rule: p.rule, rules: AllRules}
	text := "e(1) + 1 == l(m)).all().b().c()"
	var parts []string
	for cut := len(text); ; {
		part, ok := f.shorter(text, &cut)
		if !ok {
			break
		}
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 || parts[0] != "e(1) + 1 == l(m)" {
		t.Errorf("%q", parts)
	}
}
