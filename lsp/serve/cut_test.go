package serve

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/treesitter"
)

// TestCutGoesOn: the engine calls a stop rule with ever longer texts and, for one that is
// typed along, with other beginnings of the same. A rule that changed its mind would show
// one text and keep another.
func TestCutGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := cut{
			words:  rapid.SliceOfN(rapid.StringMatching(`[ab\n ]{1,3}`), 0, 3).Draw(t, "words"),
			indent: rapid.IntRange(0, 3).Draw(t, "indent"),
		}
		text := rapid.StringMatching(`[abc\n ]{0,24}`).Draw(t, "text")
		line := func(s string) (int, string) { // as a plan of one line
			for i := range len(s) {
				if s[i] == 'c' {
					return i, "line"
				}
			}
			return len(s), ""
		}
		stop := c.with(line)
		keep, name := 0, ""
		for i := range len(text) + 1 {
			k, n := stop(text[:i])
			if k > i || k < 0 {
				t.Fatalf("keeps %d of %q", k, text[:i])
			}
			if name != "" && (k != keep || n != name) {
				t.Fatalf("%+v: %q stops at %d (%s), %q at %d (%s)", c, text[:i-1], keep, name, text[:i], k, n)
			}
			keep, name = k, n
		}
	})
}

// TestCut: where lines are indented too little, and that the first line and blank ones are
// not asked.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		indent     int
		text, want string
	}{
		{4, "a\n    b\nc", "a\n    b"},
		{4, "a\n\n    b\n", "a\n\n    b\n"},
		{1, "a\n\tb\n}\n", "a\n\tb"},
		{4, "a\n  ", "a\n  "}, // may yet become four
		{4, "a\r\n\r\n    b\r\nc", "a\r\n\r\n    b\r"},
		{0, "a\nb", "a\nb"},
	} {
		got := c.text
		if f, ok := (cut{indent: c.indent}).in(c.text); ok {
			got = c.text[:f.keep]
		}
		if got != c.want {
			t.Errorf("%d, %q: %q, want %q", c.indent, c.text, got, c.want)
		}
	}
}

// TestGuess: without the language there is no tree, no strings and comments, and no
// indentation that is Python's.
func TestGuess(t *testing.T) {
	for _, c := range []struct {
		path, text string
		want       treesitter.Language
	}{
		{"a/b.rs", "def f():\n", treesitter.Rust},
		{"", "# language: python\n# indentation: use 4 spaces for a tab\nx", treesitter.Python},
		{"", "// language: typescriptreact\nx", treesitter.TSX},
		{"", "// Path: util.py\n// x = 1\n// src/main.go\n", treesitter.Go},
		{"", "+++++ src/Main.java\n", treesitter.Java},
		{"", "#!/usr/bin/env python3\nx", treesitter.Python},
		{"", "#!/usr/bin/env node\nx", treesitter.JavaScript},
		{"", "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tx := 1\n", treesitter.Go},
		{"", "\tif err != nil {\n\t\treturn err\n\t}\n\tdefer f.Close()\n", treesitter.Go},
		{"", "import os\n\n\ndef main(argv):\n    for a in argv:\n", treesitter.Python},
		{"", "    def area(self):\n        return self.w *", treesitter.Python},
		{"", "use std::io;\n\nfn main() {\n    let mut s = String::new();\n", treesitter.Rust},
		{"", "impl Shape for Circle {\n    fn area(&self) -> f64 {\n", treesitter.Rust},
		{"", "import java.util.List;\n\npublic class A {\n    private final int n;\n", treesitter.Java},
		{"", "#include <stdio.h>\n#include \"a.h\"\n\nint main(void)\n{\n", treesitter.C},
		{"", "#include <vector>\n#include \"a.h\"\n\nint main(int argc, char **argv) {\n  std::vector<int> v;\n", treesitter.CPP},
		{"", "const a = require('a');\n\nmodule.exports = function (b) {\n  console.log(b);\n", treesitter.JavaScript},
		{"", "import { a } from './a';\n\nexport function App() {\n  return (\n    <div className=\"x\">\n", treesitter.JavaScript},
		{"", "import { a } from './a';\n\ninterface Props {\n  name: string;\n}\n\nexport const f = (p: Props) => {\n", treesitter.TypeScript},
		{"", "import type { Props } from './a';\n\nexport function App({ name }: Props) {\n  const n: number = 1;\n  return (\n    <div className=\"x\">\n", treesitter.TSX},
		{"", "Dear Sir or Madam,\n\nif this letter reaches you: it is late.\n", treesitter.Text},
		{"", "", treesitter.Text},
	} {
		if got := guess(c.path, c.text, "", nil); got != c.want {
			t.Errorf("%s %q: %v, want %v", c.path, c.text, got, c.want)
		}
	}
}

// TestSteady: without it every line typed in a long file would make the model read all of
// its context anew, since the windows that clients send slide line by line (llama.vim), or
// letter by letter (minuet).
func TestSteady(t *testing.T) {
	src, err := os.ReadFile("bounds_test.go")
	if err != nil {
		t.Fatal(err)
	}
	const keep = 4096
	lines := strings.SplitAfter(string(src), "\n")
	starts := map[string]bool{}
	for at := 256; at < len(lines); at++ {
		before := strings.Join(lines[at-256:at], "")
		got := steady(before, keep)
		if !strings.HasSuffix(before, got) || len(got) < keep {
			t.Fatalf("%d bytes of %d", len(got), len(before))
		}
		first, _, _ := strings.Cut(got, "\n")
		starts[fmt.Sprint(len(string(src))-len(strings.Join(lines[at:], ""))-len(got), first)] = true
	}
	if n := len(lines) - 256; len(starts) > n/8 {
		t.Errorf("%d beginnings of %d windows", len(starts), n)
	}
	letters := map[int]bool{}
	for at := 12000; at < 12400; at++ {
		letters[at-len(steady(string(src[at-12000:at]), keep))] = true
	}
	if len(letters) > 4 {
		t.Errorf("%d beginnings while 400 letters were typed", len(letters))
	}
	for _, short := range []string{"", "a\n", strings.Repeat("x = 1\n", slidingLines-1), strings.Repeat("x", 3*keep)} {
		if got := steady(short, keep); got != short {
			t.Errorf("%d bytes of the file's beginning were cut", len(short)-len(got))
		}
	}
	same := strings.Repeat("x = 1\n", 3000)
	if got := steady(same, keep); !strings.HasSuffix(same, got) || len(got) < keep {
		t.Errorf("of equal lines %d bytes are left", len(got))
	}
}
