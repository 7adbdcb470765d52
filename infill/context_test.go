package infill

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// indexOf makes an index of files, by path.
func indexOf(t *testing.T, limits IndexLimits, files map[string]string) *Index {
	t.Helper()
	x := NewIndex(limits)
	for _, p := range slices.Sorted(mapKeys(files)) {
		put(t, x, p, files[p])
	}
	return x
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func put(t *testing.T, x *Index, path, text string) bool {
	t.Helper()
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	lang := treesitter.Detect(path, "")
	tree, _ := parser.Parse(lang, nil, text)
	defer tree.Close()
	return x.Put(Document{Path: path, Language: lang, Text: text, Tree: tree})
}

// contextAt is what is shown at the mark ‸ in a file.
func contextAt(t *testing.T, path, marked string, src Sources, opt ContextOptions) Context {
	t.Helper()
	text, at := strings.Replace(marked, "‸", "", 1), strings.Index(marked, "‸")
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	lang := treesitter.Detect(path, "")
	tree, _ := parser.Parse(lang, nil, text) // without a grammar there is none
	defer tree.Close()
	return NewPlan(Document{Path: path, Language: lang, Text: text, Tree: tree}, ByteOffset(at), Options{Priority: engine.Invoked, Mode: Line}).Context(src, opt)
}

// shown are the snippets as one text.
func (c Context) shown() string {
	var b strings.Builder
	for _, s := range c.Snippets {
		fmt.Fprintf(&b, "[%s]\n%s", s.Path, s.Text)
	}
	return b.String()
}

var definitions = ContextOptions{Bytes: 600, Definitions: true}

// A name means what the language says it means: in Go of the imported package, the own one,
// or a method of one of these; in Python what the import names, over one further file. A
// definition of the same name that is not meant is worse than none.
func TestDefinitions(t *testing.T) {
	x := indexOf(t, IndexLimits{}, map[string]string{
		"/w/go.mod":             "module example.com/w\n\ngo 1.26\n",
		"/w/store/store.go":     "package store\n\n// Open opens.\nfunc Open(name string, mode int) (*Store, error) {\n\treturn nil, nil\n}\n\ntype Store struct {\n\tName string\n}\n\nfunc (s *Store) Flush(all bool) error { return nil }\n",
		"/w/other/other.go":     "package other\n\nfunc Open() {}\n\nfunc helper(n int) {}\n\nconst limit = 3\n",
		"/w/app/more.go":        "package app\n\nfunc helper(text string) int { return 1 }\n\nconst limit = 7 // of all\n",
		"/w/py/pkg/__init__.py": "from .deep import thing as Thing\n",
		"/w/py/pkg/deep.py":     "def thing(a, b=2):\n    return a\n\nclass Box:\n    def fill(self, n):\n        pass\n",
		"/w/py/else.py":         "def thing(wrong):\n    pass\n",
		"/w/web/a.ts":           "export function draw(x: number): void {\n}\n",
	})
	for _, c := range []struct{ name, path, text, want string }{
		{"Go, imported", "/w/app/a.go", "package app\n\nimport \"example.com/w/store\"\n\nfunc f() {\n\ts, err := store.Open(‸\n}\n",
			"[store/store.go]\nfunc Open(name string, mode int) (*Store, error)\n"},
		{"Go, under another name", "/w/app/a.go", "package app\n\nimport st \"example.com/w/store\"\n\nfunc f() {\n\tst.Open(‸\n}\n",
			"[store/store.go]\nfunc Open(name string, mode int) (*Store, error)\n"},
		{"Go, a method of an imported package, and a type", "/w/app/a.go", "package app\n\nimport \"example.com/w/store\"\n\nfunc f(s *store.Store) {\n\ts.Flush(‸\n}\n",
			"[store/store.go]\ntype Store struct {\n\tName string\n}\nfunc (s *Store) Flush(all bool) error\n"},
		{"Go, the own package before others", "/w/app/a.go", "package app\n\nfunc f() {\n\tif helper(‸) > limit {\n\t}\n}\n",
			"[app/more.go]\nfunc helper(text string) int\nlimit = 7\n"},
		{"Go, of a package that is not in the workspace", "/w/app/a.go", "package app\n\nimport \"os\"\n\nfunc f() {\n\tos.Open(‸\n}\n", ""},
		{"Python, over one further file", "/w/py/main.py", "from pkg import Thing\n\nThing(‸\n", "[pkg/deep.py]\ndef thing(a, b=2):\n"},
		{"Python, a module", "/w/py/main.py", "import pkg.deep as d\n\nd.thing(‸\n", "[pkg/deep.py]\ndef thing(a, b=2):\n"},
		{"Python, not imported", "/w/py/main.py", "thing(‸\n", ""},
		{"TypeScript, by its name", "/w/web/b.ts", "draw(‸\n", "[web/a.ts]\nexport function draw(x: number): void\n"},
		{"nothing is used", "/w/app/a.go", "package app\n\nfunc f() {\n\t‸\n}\n", ""},
	} {
		got := contextAt(t, c.path, c.text, Sources{Index: x}, definitions)
		if s := got.shown(); strings.TrimSpace(s) != strings.TrimSpace(c.want) {
			t.Errorf("%s: shows\n%swant\n%s%s", c.name, s, c.want, strings.Join(got.Explain(), "\n"))
		}
	}
}

// What the file itself defines out of the model's sight is shown as if it stood in another
// one; what the model sees, and what is being written, is not.
func TestOwnDefinitions(t *testing.T) {
	far := "package a\n\nfunc far(n int) string { return \"\" }\n\n" + strings.Repeat("// filler\n", 300)
	text := far + "func near(x bool) {}\n\nfunc f() {\n\tnear(far(f(‸\n}\n"
	got := contextAt(t, "/w/a.go", text, Sources{}, definitions)
	if s := got.shown(); s != "[w/a.go]\nfunc far(n int) string\n" {
		t.Errorf("%q", s)
	}
}

// The budget holds whatever the pieces are, the nearest names come first, no piece comes
// twice, and what was left out is said.
func TestContextBudget(t *testing.T) {
	var b strings.Builder
	b.WriteString("package a\n\n")
	for i := range 30 {
		fmt.Fprintf(&b, "func helper%02d(argument int, more string) (result []byte) { return nil }\n\n", i)
	}
	x := indexOf(t, IndexLimits{}, map[string]string{"/w/h.go": b.String()})
	var uses strings.Builder
	for i := range 30 {
		fmt.Fprintf(&uses, "\thelper%02d(1, \"\")\n", i)
	}
	for _, size := range []int{1, 60, 100, 300, 600, 4000} {
		opt := definitions
		opt.Bytes = size
		got := contextAt(t, "/w/a.go", "package a\n\nfunc f() {\n"+uses.String()+"\t‸\n}\n", Sources{Index: x}, opt)
		n := 0
		for _, s := range got.Snippets {
			n += len(s.Path) + len(s.Text)
		}
		if n > size {
			t.Errorf("%d bytes of at most %d", n, size)
		}
		if s := got.shown(); size >= 100 && !strings.Contains(s, "helper29") || size < 4000 && strings.Contains(s, "helper00") || strings.Count(s, "helper29") > 1 {
			t.Errorf("of %d bytes: %s", size, s)
		}
		left := strings.Count(strings.Join(got.Explain(), "\n"), "left out, no room")
		if size < 600 && left == 0 || len(got.Choices) != 30 || left+strings.Count(got.shown(), "func ") != 30 {
			t.Errorf("of %d bytes %d pieces are left out, of %d", size, left, len(got.Choices))
		}
	}
	if got := contextAt(t, "/w/a.go", "package a\n\nfunc f() {\n\thelper01(‸\n}\n", Sources{Index: x}, ContextOptions{Definitions: true}); got.Snippets != nil {
		t.Errorf("of no bytes: %+v", got)
	}
}

// Of documents opened or edited last the lines that are most alike are shown, the best
// last, of the same language only, and neither their secrets nor the document itself.
func TestSimilar(t *testing.T) {
	recent := []Document{
		{Path: "/w/far.go", Language: treesitter.Go, Text: "package w\n\nfunc unrelated() {\n\tsomething := completely.Different(now)\n}\n"},
		{Path: "/w/like.go", Language: treesitter.Go, Text: strings.Repeat("// filler words that nobody uses\n", 40) + "\tresponse, err := client.Fetch(ctx, address, password)\n\tif err != nil {\n\t\treturn wrapped(err, address)\n\t}\n\tpassword := \"hunter2hunter2\"\n"},
		{Path: "/w/like.py", Language: treesitter.Python, Text: "response = client.Fetch(ctx, address, err, wrapped)\n"},
	}
	text := "package w\n\nfunc g() {\n\tresponse, err := client.Fetch(ctx, address)\n\tif err != nil {\n\t\treturn wrapped(err, ‸\n\t}\n}\n"
	got := contextAt(t, "/w/a.go", text, Sources{Recent: append(recent, Document{Path: "/w/a.go", Language: treesitter.Go, Text: strings.Replace(text, "‸", "", 1)})}, Contexts["similar"])
	s := got.shown()
	if !strings.Contains(s, "client.Fetch(ctx, address, password)") || strings.Contains(s, "Different") || strings.Contains(s, "hunter2") || strings.Contains(s, "like.py") || len(got.Snippets) != 1 {
		t.Errorf("%s", s)
	}
	if e := strings.Join(got.Explain(), "\n"); !strings.Contains(e, "lines of w/like.go") || !strings.Contains(e, "% of the words alike") {
		t.Errorf("%s", e)
	}
}

// The index has what was put last, nothing of what was dropped, hides secrets, and stays
// within its limits; its print of some names changes with them and with nothing else.
func TestIndex(t *testing.T) {
	files := map[string]string{"/w/a.go": "package w\n\nfunc one() {}\n", "/w/sub/b.go": "package sub\n\nfunc two() {}\n", "/w/sub/deep/c.go": "package deep\n\nfunc three() {}\n"}
	x := indexOf(t, IndexLimits{}, files)
	names := func() (n int) { _, n, _ = x.Size(); return n }
	before, other := x.Print([]string{"one"}), x.Print([]string{"two", "none"})
	if x.Files() != 3 || names() != 3 {
		t.Fatalf("%d files, %d names", x.Files(), names())
	}
	put(t, x, "/w/a.go", "package w\n\nfunc one(n int) {}\n\nvar password = \"hunter2hunter2hunter2\"\n")
	if x.Files() != 3 || names() != 4 || x.Print([]string{"one"}) == before || x.Print([]string{"two", "none"}) != other {
		t.Errorf("after a change: %d files, %d names", x.Files(), names())
	}
	if got := contextAt(t, "/w/z.go", "package w\n\nfunc f() {\n\tone(password, ‸\n}\n", Sources{Index: x}, definitions).shown(); !strings.Contains(got, "password") || strings.Contains(got, "hunter2") {
		t.Errorf("%s", got)
	}
	x.Drop("/w/sub")
	if x.Files() != 1 || names() != 2 {
		t.Errorf("without a folder: %d files, %d names", x.Files(), names())
	}
	x.Drop("/w/a.go")
	x.Drop("/w/a.go")
	if _, n, bytes := x.Size(); x.Files() != 0 || n != 0 || bytes != 0 {
		t.Errorf("without all: %d files, %d names, %d bytes", x.Files(), n, bytes)
	}
	small := indexOf(t, IndexLimits{Files: 2}, files)
	if small.Files() != 2 || !small.Full() || put(t, small, "/w/new.go", "package w\n") || !put(t, small, "/w/a.go", "package w\n\nfunc again() {}\n") {
		t.Errorf("of two files there are %d, full %t", small.Files(), small.Full())
	}
	tiny := NewIndex(IndexLimits{Bytes: 150})
	if !put(t, tiny, "/w/a.go", files["/w/a.go"]) || put(t, tiny, "/w/sub/b.go", files["/w/sub/b.go"]) {
		t.Error("the bound in bytes does not hold")
	}
}

// Places and sources of all kinds, broken ones too, must neither panic nor break the budget.
func TestContextAnywhere(t *testing.T) {
	texts := []string{"", "\n", "package", "from . import\n", "import\n", "from .... import x\nx.y.z(", "class A(B:\n  def", "\xff\xfe(", "😀.😀(", strings.Repeat("a.b.", 3000)}
	for _, name := range []string{"a.go", "/w/a.py", "c.ts", "x.rs", "y.c", "notes.txt", "go.mod"} {
		x := NewIndex(IndexLimits{})
		for i, text := range texts {
			put(t, x, fmt.Sprintf("/w/%d_%s", i, strings.TrimPrefix(name, "/w/")), text)
		}
		for _, text := range texts {
			for _, at := range []int{0, len(text) / 2, len(text)} {
				at = boundary(text, at)
				got := contextAt(t, name, text[:at]+"‸"+text[at:], Sources{Index: x, Recent: []Document{{Path: "r.go", Language: treesitter.Go, Text: text}, {}}}, Contexts["all"])
				n := 0
				for _, s := range got.Snippets {
					n += len(s.Text)
				}
				if n > Contexts["all"].Bytes {
					t.Errorf("%s, %.20q: %d bytes", name, text, n)
				}
			}
		}
	}
}

// The last edits stand as in a diff, the latest of a budget first, without secrets, and
// beside other pieces they have a third of the room.
func TestContextEdits(t *testing.T) {
	edits := []Edit{
		{"/w/b.go", "\tuser.Name\n", "\tuser.FullName\n"},
		{"/w/c.go", "", strings.Repeat("\ttoo large\n", 100)},
		{"/w/c.go", "password := \"\"\n", "password := \"hunter2hunter2\"\n"},
		{"/w/d.go", "\n", "\n"},
	}
	marked := "package w\n\nfunc f() {\n\t‸\n}\n"
	got := contextAt(t, "/w/a.go", marked, Sources{Edits: edits}, Contexts["edits"])
	if s := got.shown(); !strings.Contains(s, "[w/b.go]\n-\tuser.Name\n+\tuser.FullName\n") || strings.Contains(s, "too large") || strings.Contains(s, "hunter2") || !strings.Contains(s, "[w/c.go]\n-password") {
		t.Errorf("%s", s)
	}
	if last := got.Snippets[len(got.Snippets)-1]; last.Path != "w/b.go" {
		t.Errorf("the latest does not stand last, but %s", last.Path)
	}
	if e := strings.Join(got.Explain(), "\n"); !strings.Contains(e, "an edit of w/b.go") {
		t.Errorf("%s", e)
	}
	for _, kind := range []string{"definitions", "similar", "none"} {
		if got := contextAt(t, "/w/a.go", marked, Sources{Edits: edits}, Contexts[kind]); got.Snippets != nil {
			t.Errorf("%s: %+v", kind, got.Snippets)
		}
	}
	many := make([]Edit, 40)
	for i := range many {
		many[i] = Edit{fmt.Sprintf("/w/%d.go", i), "", "a line that was added\n"}
	}
	n := 0
	for _, s := range contextAt(t, "/w/a.go", marked, Sources{Edits: many}, Contexts["all"]).Snippets {
		n += len(s.Path) + len(s.Text)
	}
	if n == 0 || n > Contexts["all"].Bytes/3 {
		t.Errorf("%d bytes of edits", n)
	}
}
