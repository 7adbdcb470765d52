package treesitter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// symbolCases are files and what they define: kind, container.name, first line of the
// definition without its body.
var symbolCases = []struct {
	lang       Language
	text, want string
}{
	{Go, "package a\n\ntype (\n\tA[T any] struct {\n\t\tB int\n\t}\n\tI interface{ M(x int) error }\n)\n\nconst K = 1\n\nvar x, y = 1, 2\n\nfunc (r *A[T]) M(n int) error {\n\tlocal := 1\n\treturn nil\n}\n\nfunc F() {}\n\ntype C = D\n",
		"type A|A[T any]\ntype I|I\nmethod I.M|M(x int) error\nvalue K|K =\nvalue x|x, y =\nvalue y|x, y =\nmethod A.M|func (r *A[T]) M(n int) error\nfunction F|func F()\ntype C|C ="},
	{Python, "import os\nX = 3\n@dec\nclass A(B):\n    y: int = 1\n    def f(self, a):\n        inner = 1\nif X:\n    def g(): pass\nasync def h(a: int) -> str:\n    return ''\n",
		"value X|X =\ntype A|@dec\nvalue A.y|y: int =\nmethod A.f|def f(self, a):\nfunction g|def g():\nfunction h|async def h(a: int) -> str:"},
	{TypeScript, "export class A { x = 1; f(n: number): void {} }\nexport const g = (a: string) => a\nconst k = 2\ninterface I { m(): void }\ntype T = A\nenum E { Q }\nnamespace N { function f() {} }\n",
		"type A|export class A\nvalue A.x|x =\nmethod A.f|f(n: number): void\nfunction g|g = (a: string) =>\nvalue k|k =\ntype I|interface I\nmethod I.m|m(): void\ntype T|type T = A\ntype E|enum E\nfunction N.f|function f()"},
	{JavaScript, "function f(a) { function g() {} }\nexport default class B extends C { static m() {} }\nvar h = function(x) { }\n",
		"function f|function f(a)\ntype B|export default class B extends C\nmethod B.m|static m()\nfunction h|h = function(x)"},
	{CPP, "#define F(a) a\n#define X 1\nstruct S { int x; void m(); };\ntypedef struct { int a; } T;\nvoid S::m() {}\nnamespace n { class D { public: int g() { return 1; } }; }\nint proto(int);\ntemplate<class Q> Q h(Q x) { return x; }\nint *pf(void) { return 0; }\nint v = 2;\n",
		"function F|#define F(a)\nvalue X|#define X\ntype S|struct S\nmethod S.m|void m();\ntype T|typedef struct { int a; } T;\nmethod S.m|void S::m()\ntype n.D|class D\nmethod D.g|int g()\nfunction proto|int proto(int);\nfunction h|template<class Q> Q h(Q x)\nfunction pf|int *pf(void)\nvalue v|int v = 2;"},
	{C, "#ifndef H\n#define H\nstruct s { int a; };\nstruct s *make(int a);\nenum e { A, B };\n#endif\n",
		"value H|#define H\ntype s|struct s\nfunction make|struct s *make(int a);\ntype e|enum e"},
	{Rust, "struct S { x: u8 }\nimpl<T> Tr for S<T> { fn g(&self) -> u8 { 1 } }\ntrait Tr { fn g(&self); }\nmod m { pub fn h() {} }\nconst C: u8 = 1;\nmacro_rules! q { () => {} }\ntype T = S;\n",
		"type S|struct S\nmethod S.g|fn g(&self) -> u8\ntype Tr|trait Tr\nmethod Tr.g|fn g(&self);\nfunction m.h|pub fn h()\nvalue C|const C: u8 =\nfunction q|macro_rules! q { () => {} }\ntype T|type T ="},
	{Java, "package p;\nclass A { int x; void f(int a) {} A() {} }\ninterface I { void g(); }\nenum E { Z; void q() {} }\nrecord R(int x) {}\n",
		"type A|class A\nmethod A.f|void f(int a)\nmethod A.A|A()\ntype I|interface I\nmethod I.g|void g();\ntype E|enum E\nmethod E.q|void q()\ntype R|record R(int x)"},
	{Text, "func f() {}", ""},
}

// TestSymbols: the definitions that another file is shown are those of this list. A name
// that is missing here is one that the model has to guess.
func TestSymbols(t *testing.T) {
	p := NewParser(Limits{})
	defer p.Close()
	for _, c := range symbolCases {
		tree, _ := p.Parse(c.lang, nil, c.text)
		var got []string
		for _, s := range tree.Symbols() {
			name := s.Name
			if s.Container != "" {
				name = s.Container + "." + name
			}
			end := s.Def.End
			if !s.Body.IsZero() {
				end = s.Body.Start
			}
			head, _, _ := strings.Cut(strings.TrimSpace(c.text[s.Def.Start:end]), "\n")
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s|%s", s.Kind, name, head)))
		}
		if diff := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(strings.Join(got, "\n"), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.lang, diff)
		}
		tree.Close()
		if len(tree.Symbols()) != 0 || tree.Imports() != nil {
			t.Errorf("%s: a closed tree defines something", c.lang)
		}
	}
}

// TestImports: without it a name of another package is looked up by its last element
// alone, and the wrong one shown.
func TestImports(t *testing.T) {
	p := NewParser(Limits{})
	defer p.Close()
	for _, c := range []struct {
		lang Language
		text string
		want []Import
	}{
		{Go, "package a\nimport \"fmt\"\nimport (\n\tf \"x/y\"\n\t_ \"z\"\n\t. `q`\n)\n",
			[]Import{{Path: "fmt"}, {Name: "f", Path: "x/y"}, {Name: "_", Path: "z"}, {Name: ".", Path: "q"}}},
		{Python, "import a.b as c, d\nfrom .x import (y as z, w)\nfrom . import v\nfrom q import *\ntry:\n    import e\nexcept ImportError:\n    e = None\n",
			[]Import{{Name: "c", Path: "a.b"}, {Name: "d", Path: "d"}, {Name: "z", Path: ".x", Of: "y"}, {Name: "w", Path: ".x", Of: "w"}, {Name: "v", Path: ".", Of: "v"}, {Path: "q"}, {Name: "e", Path: "e"}}},
		{Java, "import a.B;\n", nil},
	} {
		tree, err := p.Parse(c.lang, nil, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, tree.Imports()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.lang, diff)
		}
		tree.Close()
	}
}

// FuzzSymbols: whatever the text, ranges lie in it, names are words, and lists are bounded.
func FuzzSymbols(f *testing.F) {
	for _, c := range symbolCases {
		f.Add(uint8(c.lang), c.text)
	}
	f.Add(uint8(Go), strings.Repeat("type A struct { ", 50))
	f.Fuzz(func(t *testing.T, l uint8, text string) {
		p := NewParser(Limits{})
		defer p.Close()
		tree, err := p.Parse(Language(l%uint8(len(languages))), nil, text)
		if err != nil {
			return
		}
		defer tree.Close()
		symbols := tree.Symbols()
		if len(symbols) > maxSymbols || len(tree.Imports()) > 2*maxImports {
			t.Fatalf("%d symbols", len(symbols))
		}
		for _, s := range symbols {
			if s.Name == "" || s.Def.Start < 0 || s.Def.Start > s.Def.End || int(s.Def.End) > len(text) {
				t.Fatalf("%+v", s)
			}
			if !s.Body.IsZero() && (s.Body.Start < s.Def.Start || s.Body.End > s.Def.End || s.Body.Start > s.Body.End) {
				t.Fatalf("body outside of its definition: %+v", s)
			}
		}
	})
}
