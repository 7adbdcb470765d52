package infill

import (
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// TestStubs writes the bodies of stubs: without it a body would be indented wrongly, a
// bracket doubled, a docstring lost, or a finished function taken for a stub.
func TestStubs(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	const goes = "x := load()\n\tif x == nil {\n\t\treturn\n\t}\n}\n\nfunc next() {\n"
	const says = "x = load()\n    return x\n\ndef next():\n"
	for _, c := range []struct {
		name, path, text string
		why              StubKind // empty: no stub
		answer, want     string
	}{
		{"empty", "a.go", "package p\n\nfunc f() {}\n", Empty, goes, "package p\n\nfunc f() {\n\tx := load()\n\tif x == nil {\n\t\treturn\n\t}\n}\n"},
		{"empty on two lines", "a.go", "package p\n\nfunc f() {\n}\n\nfunc g() { f() }\n", Empty, goes, "package p\n\nfunc f() {\n\tx := load()\n\tif x == nil {\n\t\treturn\n\t}\n}\n\nfunc g() { f() }\n"},
		{"panic", "a.go", "package p\n\nfunc f() {\n\tpanic(\"not implemented\")\n}\n", Placeholder, goes, "package p\n\nfunc f() {\n\tx := load()\n\tif x == nil {\n\t\treturn\n\t}\n}\n"},
		{"a real panic", "a.go", "package p\n\nfunc f() {\n\tpanic(\"unreachable\")\n}\n", "", "", ""},
		{"todo stays as the task", "a.go", "package p\n\nfunc f() {\n\t// TODO: load it\n}\n", Todo, goes, "package p\n\nfunc f() {\n\t// TODO: load it\n\tx := load()\n\tif x == nil {\n\t\treturn\n\t}\n}\n"},
		{"a comment that says why it is empty", "a.go", "package p\n\nfunc f() {\n\t// nothing to close\n}\n", "", "", ""},
		{"code", "a.go", "package p\n\nfunc f() {\n\tg() // TODO: more\n}\n", "", "", ""},
		{"crlf", "a.go", "package p\r\n\r\nfunc f() {\r\n}\r\n", Empty, "x := load()\n\treturn\n", "package p\r\n\r\nfunc f() {\r\n\tx := load()\r\n\treturn\r\n}\r\n"},
		{"method in spaces", "a.java", "class A {\n    int f() {\n        return 1;\n    }\n    int g() { }\n}\n", Empty, "int x = 1;\n        return x;\n", "class A {\n    int f() {\n        return 1;\n    }\n    int g() {\n        int x = 1;\n        return x;\n    }\n}\n"},
		{"pass", "a.py", "def f():\n    pass\n\n\ndef g():\n    return 1\n", Placeholder, says, "def f():\n    x = load()\n    return x\n\n\ndef g():\n    return 1\n"},
		{"one line", "a.py", "class A:\n    def f(self): ...\n", Placeholder, "return 1\n", "class A:\n    def f(self):\n        return 1\n"},
		{"docstring stays", "a.py", "def f():\n    \"\"\"Load: it.\"\"\"\n    raise NotImplementedError\n", Placeholder, says, "def f():\n    \"\"\"Load: it.\"\"\"\n    x = load()\n    return x\n"},
		{"todo and pass", "a.py", "def f():\n    # TODO: load it\n    pass\n", Todo, says, "def f():\n    # TODO: load it\n    x = load()\n    return x\n"},
		{"abstract", "a.py", "class A:\n    @abc.abstractmethod\n    def f(self):\n        raise NotImplementedError\n", "", "", ""},
		{"rust", "a.rs", "fn f() -> u8 {\n    todo!()\n}\n", Placeholder, "let x = 1;\n    x\n}\n", "fn f() -> u8 {\n    let x = 1;\n    x\n}\n"},
	} {
		lang := treesitter.Detect(c.path, "")
		doc := Document{Path: c.path, Language: lang, Text: c.text}
		doc.Tree, _ = parser.Parse(lang, nil, c.text)
		stubs := Stubs(doc)
		if c.why == "" {
			if len(stubs) != 0 {
				t.Errorf("%s: %q is a stub: %s", c.name, c.text, stubs[0].Why)
			}
			continue
		}
		if len(stubs) != 1 || stubs[0].Why != c.why {
			t.Errorf("%s: %d stubs in %q, want one: %s", c.name, len(stubs), c.text, c.why)
			continue
		}
		s := stubs[0]
		with := s.Document(doc)
		with.Tree, _ = parser.Parse(lang, nil, with.Text)
		plan := s.Plan(with, Options{Priority: engine.Invoked})
		g, _, err := plan.Answer(func(r engine.Request) (engine.Result, error) {
			if !strings.HasPrefix(with.Text, strings.ReplaceAll(r.Prefix, "\n", eolOf(c.text))) || strings.Contains(r.Prefix, "panic") {
				t.Errorf("%s: the model sees %q", c.name, r.Prefix)
			}
			return engine.Result{Text: c.answer, Stop: "budget"}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		e, ok := s.Edit(g)
		if got := ApplyEdits(c.text, []TextEdit{e}); !ok || got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		doc.Tree.Close()
		with.Tree.Close()
	}
}

func eolOf(text string) string {
	if strings.Contains(text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// TestStubWithoutAnswer: an answer of nothing must not empty a function.
func TestStubWithoutAnswer(t *testing.T) {
	if e, ok := (Stub{}).Edit(Suggestion{Text: " \n"}); ok {
		t.Errorf("an edit of nothing: %+v", e)
	}
}

// TestStubIn: a selection finds the stub that it begins in, else the first that it touches.
func TestStubIn(t *testing.T) {
	const text = "package a\n\n// f is one.\nfunc f() int {\n}\n\nfunc g() int {\n}\n"
	p := treesitter.NewParser(treesitter.Limits{})
	defer p.Close()
	tree, err := p.Parse(treesitter.Go, nil, text)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	doc := Document{Path: "a.go", Language: treesitter.Go, Text: text, Tree: tree}
	at := func(s string) ByteOffset { return ByteOffset(strings.Index(text, s)) }
	for _, c := range []struct {
		from, to ByteOffset
		want     string
	}{
		{at("// f"), at("}"), "func f"}, {at("// f"), ByteOffset(len(text)), "func f"}, {at("f() int"), at("f() int"), "func f"},
		{at("\n}"), ByteOffset(len(text)), "func f"}, {at("func g") + 3, at("func g") + 5, "func g"}, {0, at("// f"), ""}, {at("// f"), at("// f"), ""},
	} {
		s, ok := StubIn(doc, c.from, c.to)
		if ok != (c.want != "") || ok && !strings.HasPrefix(text[s.Line:], c.want) {
			t.Errorf("[%d, %d): %v %+v, want %q", c.from, c.to, ok, s, c.want)
		}
	}
}
