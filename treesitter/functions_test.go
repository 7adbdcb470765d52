package treesitter

import "testing"

// TestFunctions: without it, stubs and empty bodies would not be found, or the brackets of a
// body would be taken for a part of what is to be written.
func TestFunctions(t *testing.T) {
	p := NewParser(Limits{})
	defer p.Close()
	for _, c := range []struct {
		lang Language
		text string
		want []string
	}{
		{Go, "package p\n\nfunc a() {}\n\nfunc (T) b(x int) error {\n\treturn nil\n}\n", []string{"", "\n\treturn nil\n"}},
		{Go, "package p\n\nfunc a() {\n\tf := func() { g() }\n\tf()\n}\n", []string{"\n\tf := func() { g() }\n\tf()\n", " g() "}},
		{Go, "package p\n\nfunc a() { // TODO\n}\n\nfunc external()\n", []string{" // TODO\n"}},
		{Python, "def f(x):\n    pass\n\n\nclass A:\n    def g(self): ...\n", []string{"\n    pass", " ..."}},
		{Python, "def f(x: int) -> dict[str, int]:\n    \"\"\"Doc.\"\"\"\n    # TODO: it\n    return {}\n", []string{"\n    \"\"\"Doc.\"\"\"\n    # TODO: it\n    return {}"}},
		{Python, "def f(x):\n    # TODO: it\n    pass\n", []string{"\n    # TODO: it\n    pass"}},
		{Rust, "fn f() -> u8 { todo!() }\n", []string{" todo!() "}},
		{TypeScript, "function f(): void {\n}\n", []string{"\n"}},
		{Java, "class A { int f() { } }\n", []string{" "}},
	} {
		tree, err := p.Parse(c.lang, nil, c.text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range tree.Functions() {
			got = append(got, c.text[f.Interior.Start:f.Interior.End])
		}
		tree.Close()
		if len(got) != len(c.want) {
			t.Errorf("%s %q: %q, want %q", c.lang, c.text, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s %q: %q, want %q", c.lang, c.text, got, c.want)
			}
		}
	}
	if (*Tree)(nil).Functions() != nil {
		t.Error("a nil tree has functions")
	}
}
