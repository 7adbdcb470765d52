package infill

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// parsed is a document with its tree.
func parsedDocument(t testing.TB, p *treesitter.Parser, path, text string) Document {
	t.Helper()
	lang := treesitter.Detect(path, "")
	tree, err := p.Parse(lang, nil, text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tree.Close)
	return Document{Path: path, Language: lang, Text: text, Tree: tree}
}

// always takes every change.
var always = -1e9

// change is a change of a piece's text that gains much.
func change(p Piece, old, with string) engine.EditResult {
	i := strings.Index(p.Request().Region, old)
	return engine.EditResult{LogProb: -50, Changes: []engine.Change{{Proposal: engine.Proposal{Start: i, End: i + len(old), Text: with}, Gain: 20, Behind: 10, Old: -10, New: -1}}}
}

// TestPieces: what the model sees and what may change: whole lines, line feeds only, no
// secrets, only what was asked about.
func TestPieces(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	text := strings.ReplaceAll("package p\n\nfunc f(a, b int) bool {\n\t// a < b\n\tif a < b {\n\t\treturn \"a < b\" == \"\"\n\t}\n\treturn a < b\n}\n", "\n", "\r\n")
	doc := parsedDocument(t, parser, "p.go", text)
	at := ByteOffset(strings.Index(text, "if a"))
	pieces := Pieces(doc, at, at, EditOptions{Around: 2})
	if len(pieces) != 1 {
		t.Fatalf("%d pieces", len(pieces))
	}
	r := pieces[0].Request()
	if strings.Contains(r.Prefix+r.Region+r.Suffix, "\r") || !strings.HasPrefix(r.Region, "func f") || !strings.HasSuffix(r.Region, "}") || r.Prefix+r.Region+r.Suffix != strings.ReplaceAll(text, "\r\n", "\n") {
		t.Errorf("the model sees %q, %q, %q", r.Prefix, r.Region, r.Suffix)
	}
	for i := range r.Region {
		if strings.HasPrefix(r.Region[i:], "a < b") {
			w := engine.Word{Start: i + 2, End: i + 3}
			if may, want := r.May(w), i == strings.Index(r.Region, "if a < b")+3; may != want {
				t.Errorf("the < at %d may change: %v", i, may)
			}
		}
	}
	if p := Pieces(doc, 0, ByteOffset(len(text)), EditOptions{}); len(p) != 1 || p[0].Request().Region != strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) {
		t.Errorf("all of it: %d pieces", len(p))
	}
	secret := parsedDocument(t, parser, "s.go", "package p\n\nvar password = \"hunter2hunter2hunter2\"\nvar a = 1\n")
	if p := Pieces(secret, 11, 20, EditOptions{}); len(p) != 0 {
		t.Errorf("a piece with a secret: %q", p[0].Request().Region)
	}
	long := parsedDocument(t, parser, "l.go", "package p\n"+strings.Repeat("var abc = 1\n", 2000))
	p := Pieces(long, 0, ByteOffset(len(long.Text)), EditOptions{})
	if len(p) != maxPieces {
		t.Errorf("%d pieces", len(p))
	}
	for i, x := range p {
		if n := len(x.Request().Region); n > pieceBytes || i > 0 && x.Start <= p[i-1].End {
			t.Errorf("piece %d: %d bytes from %d", i, n, x.Start)
		}
	}
}

// TestPieceFinish: the edit is minimal and in the document's line ends; what parses worse is
// not offered.
func TestPieceFinish(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	for _, c := range []struct{ path, text, old, with, title, want string }{
		{"a.go", "package p\n\nfunc f() bool { return aa < bb }\n", "<", "<=", "replace `<` by `<=`", "package p\n\nfunc f() bool { return aa <= bb }\n"},
		{"a.go", "package p\r\n\r\nfunc f() int {\r\n\treturn 1\r\n}\r\n", "return 1", "x()\n\treturn 1", "insert `x ( )`", ""},
		{"a.go", "package p\n\nfunc f() bool { return aa < bb }\n", "<", "{", "", ""},
		{"a.go", "package p\n\nfunc f() bool { return aa < bb }\n", "bb", "bb", "", ""},
		{"a.py", "def f(a):\n    if not a:\n        return 1\n", "not ", "", "delete `not`", "def f(a):\n    if a:\n        return 1\n"},
		{"a.py", "def f(a):\n    if a:\n        return 1\n", "if ", "if not ", "insert `not`", "def f(a):\n    if not a:\n        return 1\n"},
	} {
		doc := parsedDocument(t, parser, c.path, c.text)
		p := Pieces(doc, 0, ByteOffset(len(c.text)), EditOptions{Margin: &always})[0]
		e, ok := p.Finish(change(p, c.old, c.with), parser)
		if c.title == "" {
			if ok {
				t.Errorf("%s: %+v", c.text, e)
			}
			continue
		}
		if c.want == "" {
			c.want = strings.Replace(c.text, "return 1", "x()\r\n\treturn 1", 1)
			c.title = e.Title()
		}
		if got := ApplyEdits(c.text, e.Edits); !ok || got != c.want || e.Title() != c.title {
			t.Errorf("%q: %q, %q", c.text, got, e.Title())
		}
		for _, m := range e.Edits {
			if m.End-m.Start > 4 {
				t.Errorf("%q: %+v is not minimal", c.text, m)
			}
		}
	}
}

// TestNeighbours: what is proposed in place of a word is what people mistake for it, and
// nothing in comments and strings.
func TestNeighbours(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	for _, c := range []struct {
		path, text, at string
		want, not      []string // whole texts after a proposal
	}{
		{"a.go", "if ab < 10 && cd {", "<", []string{"if ab <= 10 && cd {", "if ab > 10 && cd {"}, nil},
		{"a.go", "if ab < 10 && cd {", "10", []string{"if ab < 9 && cd {", "if ab < 11 && cd {"}, nil},
		{"a.go", "if ab < 10 && cd {", "cd", []string{"if ab < 10 && ab {", "if ab < 10 && !cd {"}, []string{"if ab < 10 && if {"}},
		{"a.go", "f(ab, cd)", "ab", []string{"f(cd, ab)"}, nil},
		{"a.go", "f(ab, cd+1)", "ab", nil, []string{"f(cd, ab+1)"}},
		{"a.py", "if not ab:", "ab", []string{"if ab:"}, nil},
		{"a.py", "if ab in cd:", "in", []string{"if ab not in cd:"}, nil},
		{"a.py", "ab = 1  # cd", "cd", nil, []string{"ab = 1  # ab"}},
	} {
		lang := treesitter.Detect(c.path, "")
		tree, err := parser.Parse(lang, nil, c.text)
		if err != nil {
			t.Fatal(err)
		}
		p := Pieces(Document{Path: c.path, Language: lang, Text: c.text, Tree: tree}, 0, ByteOffset(len(c.text)), EditOptions{})[0]
		i := strings.Index(c.text, c.at)
		got := map[string]bool{}
		for _, n := range p.Request().Propose(engine.Word{Start: i, End: i + len(c.at)}) {
			got[p.Apply(n)] = true
		}
		for _, w := range c.want {
			if !got[w] {
				t.Errorf("%s at %s: %q is not proposed", c.text, c.at, w)
			}
		}
		for _, w := range c.not {
			if got[w] {
				t.Errorf("%s at %s: %q is proposed", c.text, c.at, w)
			}
		}
		tree.Close()
	}
}

// TestPieceProperties: whatever the text and the range, proposals and edits stay inside, and
// edits make exactly the text that the proposal says.
func TestPieceProperties(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("ab1 (),<!{}\n\t\"#é😀\r"))).Draw(t, "text")
		path := rapid.SampledFrom([]string{"a.go", "a.py", "a.txt"}).Draw(t, "path")
		lang := treesitter.Detect(path, "")
		tree, _ := parser.Parse(lang, nil, text)
		defer tree.Close()
		from, to := rapid.IntRange(-2, len(text)+2).Draw(t, "from"), rapid.IntRange(-2, len(text)+2).Draw(t, "to")
		for _, p := range Pieces(Document{Path: path, Language: lang, Text: text, Tree: tree}, ByteOffset(from), ByteOffset(to), EditOptions{Around: 2, Margin: &always}) {
			r := p.Request()
			if p.Start < 0 || int(p.End) > len(text) || p.End <= p.Start || lineFeeds(text[p.Start:p.End]) != r.Region {
				t.Fatalf("piece [%d, %d) of %q: %q", p.Start, p.End, text, r.Region)
			}
			for _, n := range r.Propose(engine.Word{End: len(r.Region)}) {
				if n.Start < 0 || n.End < n.Start || n.End > len(r.Region) {
					t.Fatalf("proposal %+v of %q", n, r.Region)
				}
				e, ok := p.Finish(engine.EditResult{Changes: []engine.Change{{Proposal: n, Gain: 1}}}, parser)
				if !ok {
					continue
				}
				got := ApplyEdits(text, e.Edits)
				if lineFeeds(got[p.Start:int(p.End)+len(got)-len(text)]) != p.Apply(n) {
					t.Fatalf("%q became %q, want %q", r.Region, got, p.Apply(n))
				}
			}
		}
	})
}
