package infill

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

func planFor(t testing.TB, name, marked string, opt Options) Plan {
	t.Helper()
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	doc, at := markedDocument(t, parser, name, marked)
	return NewPlan(doc, at, opt)
}

// calls are n lines, no two alike: repetition is no text.
func calls(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "call%d(%d)\n", i*i, 7*i)
	}
	return b.String()
}

// TestStop: what the rule keeps, before Finish has its say. The engine shows and counts
// what the rule keeps, so brackets must not wait for Finish.
func TestStop(t *testing.T) {
	for _, c := range []struct{ file, source, answer, keep, name string }{
		{"a.go", "func f() {\n\t‸\n}\n", "a()\n}\nb", "a()\n", "function"},
		{"a.go", "func f() {\n\t‸", "a()\n}\nb", "a()\n}", "function"},
		{"a.go", "func f() {\n\tif x {\n\t\t‸\n\t}\n}\n", "a()\n\t}\n}", "a()\n\t", "block"},
		{"a.go", "func f() {\n\tx := ‸\n}\n", "1\n\ty", "1", "line"},
		{"a.go", "func f() {\n\tx := ‸\n}\n", "1", "1", ""},
		{"a.go", "func f() {\n\tx := \"‸\"\n}\n", "a\\\"b\" + c", "a\\\"b", "line"},
		{"a.go", "func f() {\n\tx := \"‸\n}\n", "a\" + c\n", "a\" + c", "line"},
		{"a.go", "var x = `‸`\n", "a\nb", "a", "line"},
		{"a.js", "f(() => {‸", "\n  a();\n}); b", "\n  a();\n});", "function"},
		{"a.js", "f(() => {‸", "\n  a();\n})", "\n  a();\n})", ""}, // a semicolon may follow
		{"a.js", "f(() => {‸", "\n  a();\n}) x", "\n  a();\n})", "function"},
		{"a.js", "f(() => {‸});", "\n  a();\n});", "\n  a();\n", "function"},
		{"a.py", "def f():\n    ‸\n", "a\n\n    b\n\nc", "a\n\n    b", "function"},
		{"a.py", "def f():\n    ‸\n", "a(\nb)\n    '''\nc'''\n#d", "a(\nb)\n    '''\nc'''", "function"},
		{"a.py", "if x:\n    ‸\n", "a\n  b", "a", "block"}, // less than the block's own indentation
		{"a.py", "if x:‸", "\n  a\n  b\nc", "\n  a\n  b", "block"},
		{"a.rs", "fn f() {\n    ‸\n}\n", "let c = '}';\n}", "let c = '}';\n", "function"},
		{"a.txt", "a ‸", "(b\nc", "(b", "line"},
		{"a.go", "func f() {\n\t‸\n}\n", calls(60), strings.TrimSuffix(calls(49), "\n"), "function"},
		{"a.c", "int x = a /‸\n", "/ }\n", "/ }", "line"}, // the slash before the cursor begins a comment
	} {
		p := planFor(t, c.file, c.source, Options{})
		if keep, name := p.Stop(c.answer); c.answer[:keep] != c.keep || name != c.name {
			t.Errorf("%s %q: keeps %q (%s), want %q (%s)", c.file, c.source, c.answer[:keep], name, c.keep, c.name)
		}
	}
}

// TestRequest: what the engine is told.
func TestRequest(t *testing.T) {
	p := planFor(t, "/home/me/go/src/a/b.go", "package a\n\nvar x = ‸\r\nvar y = 2\r\n", Options{Priority: engine.Typed})
	r := p.Request()
	if r.Document != "/home/me/go/src/a/b.go" || r.Path != "a/b.go" || r.Prefix != "package a\n\nvar x = " ||
		r.Suffix != "\nvar y = 2\n" || r.Priority != engine.Typed || r.MaxTokens != 96 || r.Stop == nil {
		t.Errorf("%+v", r)
	}
	p = planFor(t, "b.go", "func f() {‸}", Options{Document: "7", MaxTokens: 5})
	if r := p.Request(); r.Document != "7" || r.Path != "b.go" || r.MaxTokens != 5 {
		t.Errorf("%+v", r)
	}
	if r := NewPlan(Document{}, 3, Options{}).Request(); r.Stop != nil {
		t.Error("a plan for nothing has a request")
	}
}

// TestWindowAtDeclaration: the model's context begins at a declaration where one is near.
func TestWindowAtDeclaration(t *testing.T) {
	var b strings.Builder
	b.WriteString("package a\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "\nfunc f%d() {\n\tuse(%d)\n}\n", i, i)
	}
	p := planFor(t, "a.go", b.String()+"\nfunc g() {\n\tx := ‸\n}\n", Options{})
	prefix := p.Request().Prefix
	if !strings.HasPrefix(prefix, "func f") || len(prefix) > 12<<10 || len(prefix) < 8<<10 {
		t.Errorf("%d bytes that begin with %q", len(prefix), prefix[:30])
	}
}

// TestBadInput: what editors send on bad days gets an answer.
func TestBadInput(t *testing.T) {
	big := strings.Repeat("func f() {\n\tg(1, \"x\") // y\n}\n\n", 50<<20/32)
	line := strings.Repeat("x(1, 2); ", 5<<20/9)
	for name, c := range map[string]struct {
		lang treesitter.Language
		text string
		at   int
		mode Mode
	}{
		"empty file":            {treesitter.Go, "", 0, Statement},
		"empty text":            {treesitter.Text, "", 0, Line},
		"before the start":      {treesitter.Go, "package a", -1, Nothing},
		"past the end":          {treesitter.Go, "package a", 10, Nothing},
		"far past the end":      {treesitter.Python, "", 1 << 40, Nothing},
		"50 MB, end":            {treesitter.Go, big, len(big), Statement},
		"50 MB, in a function":  {treesitter.Go, big[:40<<20] + "func g() {\n\t", 40<<20 + 12, Function},
		"50 MB, start":          {treesitter.Go, big, 0, Line},
		"50 MB of text":         {treesitter.Text, big, 25 << 20, Line},
		"one 5 MB line":         {treesitter.JavaScript, line, len(line) / 2, Nothing},
		"5 MB line elsewhere":   {treesitter.JavaScript, line + "\nfoo(", len(line) + 5, Statement},
		"unknown language":      {treesitter.Language(200), "abc\ndef ", 8, Line},
		"invalid UTF-8":         {treesitter.Python, "x = '\xff\xfe\xc3", 8, Line},
		"inside of a character": {treesitter.Python, "# 日本", 4, Line},
		"between CR and LF":     {treesitter.Python, "x = \r\ny", 5, Statement},
		"zero bytes":            {treesitter.C, "int \x00x = ", 9, Statement},
		"only invalid":          {treesitter.Rust, strings.Repeat("\x80", 9000), 5000, Nothing},
		"deep brackets":         {treesitter.Java, strings.Repeat("{(\n", 40000), 120000, Statement},
		"only closing brackets": {treesitter.TypeScript, strings.Repeat("})\n", 40000), 1002, Line},
		"never-ending string":   {treesitter.Go, "`" + strings.Repeat("a\n", 100000), 150000, Line},
		"never-ending comment":  {treesitter.CPP, "/*" + strings.Repeat("a\n", 100000), 150000, Line},
	} {
		p := NewPlan(Document{Path: name, Language: c.lang, Text: c.text}, ByteOffset(c.at), Options{})
		if p.Mode != c.mode {
			t.Errorf("%s: mode %v (%s), want %v", name, p.Mode, p.Reason, c.mode)
		}
		for _, answer := range []string{"", "x", "a)}]\n}\n", "\xff", strings.Repeat("({[\n", 3000)} {
			checkSuggestion(t, p, p.Finish(engine.Result{Text: answer, Stop: "end"}))
		}
		if len(p.Request().Prefix) > 12<<10 || len(p.Request().Suffix) > 3<<10 {
			t.Errorf("%s: windows of %d and %d bytes", name, len(p.Request().Prefix), len(p.Request().Suffix))
		}
		if utf8.ValidString(c.text) && c.at >= 0 && c.at <= len(c.text) && !utf8.ValidString(c.text[:p.Cursor]) {
			t.Errorf("%s: cursor inside of a character", name)
		}
	}
}

// TestStaleTree: the tree of an older version would name brackets that have moved.
func TestStaleTree(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	tree, err := parser.Parse(treesitter.Go, nil, "package a\n\nfunc f() {}\n")
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	p := NewPlan(Document{Language: treesitter.Go, Text: "package a\n\nvar f = T{}\n", Tree: tree}, 21, Options{})
	if p.doc.Tree != nil || p.Mode != Line {
		t.Errorf("mode %v with a tree of another text", p.Mode)
	}
}

// TestBrokenOff: an answer that the budget cut short must not leave half a line, or a
// block without its end, in the file.
func TestBrokenOff(t *testing.T) {
	for _, c := range []struct{ file, source, answer, want string }{
		{"a.go", "func f() {\n\t‸\n}\n", "a()\n\tif b {\n\t\tc()\n\t}\n\tfor d {\n\t\te(", "a()\n\tif b {\n\t\tc()\n\t}"},
		{"a.go", "func f() {\n\t‸\n}\n", "if b {\n\t\tc()\n", ""},
		{"a.go", "func f() {\n\t‸", "a()\n\tb(", "a()\n}"},
		{"a.py", "def f():\n    ‸\n", "a()\n    if b:\n        c", "a()"},
		{"a.go", "func f() {\n\tx := ‸\n}\n", "g(a, b", "g(a, b"},
	} {
		p := planFor(t, c.file, c.source, Options{})
		if s := p.Finish(engine.Result{Text: c.answer, Stop: "budget"}); s.Text != c.want {
			t.Errorf("%q in %q: %q, want %q", c.answer, c.source, s.Text, c.want)
		}
	}
}

func FuzzPlan(f *testing.F) {
	for lang, text := range hard {
		f.Add(uint8(lang), text, len(text)/2, "x)\n}", false)
	}
	parser := treesitter.NewParser(treesitter.Limits{Bytes: 4096, Time: 200 * time.Millisecond})
	f.Fuzz(func(t *testing.T, lang uint8, text string, at int, answer string, tree bool) {
		doc := Document{Path: "f", Language: treesitter.Language(lang), Text: text}
		if tree {
			if parsed, err := parser.Parse(doc.Language, nil, text); err == nil {
				defer parsed.Close()
				doc.Tree, doc.Parser = parsed, parser
			}
		}
		for _, mode := range []Mode{Auto, Line, Block, Function, Statement, Arguments, Docstring} {
			p := NewPlan(doc, ByteOffset(at), Options{Mode: mode})
			stopped := ""
			for n := range len(answer) + 1 {
				keep, name := p.Stop(answer[:n])
				if keep > n || stopped != "" && stopped != fmt.Sprint(keep, name) {
					t.Fatalf("stop %d of %d after %s", keep, n, stopped)
				}
				if name != "" {
					stopped = fmt.Sprint(keep, name)
				}
			}
			checkSuggestion(t, p, p.Finish(engine.Result{Text: answer}))
		}
	})
}

// BenchmarkNewPlan is the plan's share of a keystroke, in a Go file of 5,000 lines whose
// tree is there already.
func BenchmarkNewPlan(b *testing.B) {
	var text strings.Builder
	text.WriteString("package a\n")
	for i := range 714 {
		fmt.Fprintf(&text, "\n// f%d adds.\nfunc f%d(a, b int) int {\n\tif a > b { // \"x\"\n\t\treturn use(\"%d\", 'x', a)\n\t}\n}\n", i, i, i)
	}
	doc := Document{Path: "a.go", Language: treesitter.Go, Text: text.String()}
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	tree, err := parser.Parse(doc.Language, nil, doc.Text)
	if err != nil {
		b.Fatal(err)
	}
	defer tree.Close()
	at := strings.Index(doc.Text[len(doc.Text)*3/4:], "use(") + len(doc.Text)*3/4 + 4
	for name, tree := range map[string]*treesitter.Tree{"tree": tree, "no tree": nil} {
		doc.Tree = tree
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				NewPlan(doc, ByteOffset(at), Options{})
			}
		})
	}
	doc.Tree = tree
	p := NewPlan(doc, ByteOffset(at), Options{Mode: Function})
	answer := strings.Repeat("\tuse(\"a\", b)\n", 20)
	b.Run("stop", func(b *testing.B) {
		b.SetBytes(int64(len(answer)))
		for b.Loop() {
			p.Stop(answer)
		}
	})
	b.Run("finish", func(b *testing.B) {
		for b.Loop() {
			p.Finish(engine.Result{Text: answer, Stop: "end"})
		}
	})
}
