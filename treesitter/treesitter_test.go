package treesitter

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sitter "github.com/smacker/go-tree-sitter"
	"pgregory.net/rapid"
)

// samples are sound texts, one per language.
var samples = map[Language]string{
	Go:         "package a\n\n// f does.\nfunc f(x int) {\n\tif x > 0 {\n\t\treturn\n\t}\n\tswitch x {\n\tcase 1:\n\t\tg(\"s\")\n\t}\n\ta := T{b: 1}\n}\n\ntype S struct{ a int }\n",
	Python:     "@dec\ndef f(x):\n    \"\"\"doc\"\"\"\n    if x:\n        return 1\n    y = {1: 2}\n\nclass A:\n    z = 1\n",
	JavaScript: "// c\nconst f = (a) => {\n  return {a: `x ${a} y`};\n};\nfunction g() { switch (x) { case 1: foo(); } }\n",
	TypeScript: "class A {\n  m(x: number): void {\n    if (x) { return; }\n  }\n}\ninterface I { a: string }\n",
	TSX:        "const C = () => { return <div a={1}>x</div>; };\n",
	C:          "#include <a.h>\nint f(int a) {\n  int v[] = {1, 2};\n  return a; /* c */\n}\nstruct s { int x; };\n",
	CPP:        "namespace n { struct A { void m() const { g(); } }; }\nauto l = [](int b) { return b; };\n",
	Rust:       "impl A {\n  fn m<'a>(&'a self) -> i32 {\n    match y { 1 => { z(); } _ => 3 }\n  }\n}\nstruct S { a: i32 }\n",
	Java:       "class A {\n  A() { x(); }\n  int m() { if (a) { return 1; } int[] q = {1}; return 2; }\n}\n",
}

func parse(t testing.TB, lang Language, text string) *Tree {
	t.Helper()
	p := NewParser(Limits{})
	t.Cleanup(p.Close)
	tree, err := p.Parse(lang, nil, text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tree.Close)
	return tree
}

// find gives the offset of a mark in text, which must be there once.
func find(t testing.TB, text, mark string) ByteOffset {
	t.Helper()
	if strings.Count(text, mark) != 1 {
		t.Fatalf("%q is not there once", mark)
	}
	return ByteOffset(strings.Index(text, mark))
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		path, id string
		want     Language
	}{
		{"a/b.go", "", Go}, {"B.PY", "", Python}, {"x.tsx", "", TSX}, {"x.h", "", C}, {"x.h", "cpp", CPP},
		{"x.ts", "typescriptreact", TSX}, {"x.hpp", "", CPP}, {"Makefile", "makefile", Text}, {"", "", Text},
		{"x.unknown", "rust", Rust}, {"x.rs", "plaintext", Rust}, {"A.java", "", Java}, {"x.mjs", "", JavaScript},
	} {
		if got := Detect(c.path, c.id); got != c.want {
			t.Errorf("Detect(%q, %q) = %v, want %v", c.path, c.id, got, c.want)
		}
	}
}

// TestGrammars: every grammar is linked, of an ABI that this tree-sitter takes, and has
// the node types of the class table. Were one renamed, spans would vanish silently.
func TestGrammars(t *testing.T) {
	if len(samples) != len(Languages()) {
		t.Fatal("a language has no sample")
	}
	seen := map[string]bool{}
	for _, l := range Languages() {
		if n := parse(t, l, samples[l]).Problems(); n != (Problems{}) {
			t.Errorf("%v: %+v in a sound text", l, n)
		}
		lang := grammarOf(l).language
		for s := range lang.SymbolCount() {
			if lang.SymbolType(sitter.Symbol(s)) == sitter.SymbolTypeRegular {
				seen[lang.SymbolName(sitter.Symbol(s))] = true
			}
		}
	}
	for _, names := range kinds {
		for _, n := range strings.Fields(names) {
			if !seen[n] {
				t.Errorf("no grammar has a node type %q", n)
			}
		}
	}
}

func TestAt(t *testing.T) {
	text := samples[Go]
	tree := parse(t, Go, text)
	part := func(r Range) string { return text[r.Start:r.End] }

	p := tree.At(find(t, text, "eturn"))
	if !strings.HasPrefix(part(p.Function), "func f(") || !strings.HasPrefix(part(p.Body), "{\n\tif") ||
		part(p.Block) != "{\n\t\treturn\n\t}" || part(p.Statement) != "return" {
		t.Errorf("in return: %q %q %q %q", part(p.Function), part(p.Body), part(p.Block), part(p.Statement))
	}
	for at, want := range map[ByteOffset]string{
		find(t, text, "// f"):      "",
		find(t, text, "// f") + 1:  "// f does.",
		find(t, text, "does.") + 5: "// f does.", // at the end one still writes the comment
		find(t, text, "func f"):    "",
	} {
		if got := part(tree.At(at).Comment); got != want {
			t.Errorf("comment at %d: %q, want %q", at, got, want)
		}
	}
	quote := find(t, text, `"s"`)
	for i, want := range []string{"", `"s"`, `"s"`, ""} {
		if got := part(tree.At(quote + ByteOffset(i)).String); got != want {
			t.Errorf("string %d behind the quote: %q, want %q", i, got, want)
		}
	}
	if p := tree.At(-5); p != (Place{}) {
		t.Errorf("before the text: %+v", p)
	}
	tree.At(1 << 30)
}

func TestBraceAt(t *testing.T) {
	for _, c := range []struct {
		lang Language
		mark string // the bracket is its last byte
		want Brace
	}{
		{Go, "func f(x int) {", BraceFunction}, {Go, "if x > 0 {", BraceBlock}, {Go, "switch x {", BraceBlock},
		{Go, "T{", BraceLiteral}, {Go, "struct{", BraceMembers}, {Go, "\t", BraceUnknown},
		{Python, "= {", BraceLiteral}, {JavaScript, "=> {", BraceFunction}, {JavaScript, "return {", BraceLiteral},
		{JavaScript, "${", BraceLiteral}, {JavaScript, "g() {", BraceFunction}, {TypeScript, "class A {", BraceMembers},
		{TypeScript, "void {", BraceFunction}, {TypeScript, "I {", BraceMembers}, {TSX, "a={", BraceLiteral},
		{C, "f(int a) {", BraceFunction}, {C, "= {", BraceLiteral}, {C, "struct s {", BraceMembers},
		{CPP, "namespace n {", BraceMembers}, {CPP, "const {", BraceFunction}, {CPP, "(int b) {", BraceFunction},
		{Rust, "impl A {", BraceMembers}, {Rust, "i32 {", BraceFunction}, {Rust, "match y {", BraceBlock}, {Rust, "=> {", BraceBlock},
		{Java, "class A {", BraceMembers}, {Java, "A() {", BraceFunction}, {Java, "m() {", BraceFunction}, {Java, "= {", BraceLiteral},
	} {
		text := samples[c.lang]
		at := ByteOffset(strings.Index(text, c.mark) + len(c.mark) - 1)
		if got := parse(t, c.lang, text).BraceAt(at); got != c.want {
			t.Errorf("%v: %q opens %d, want %d", c.lang, c.mark, got, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	for lang, want := range map[Language][]string{
		Go: {
			"function_body if x > 0 {…a := T{b: 1}", "statement if x > 0 {…}", "block return", "statement return",
			"statement switch x {…}", `statement g("s")`, "statement a := T{b: 1}",
		},
		Python: {
			`function_body """doc"""…y = {1: 2}`, `statement """doc"""`, "statement if x:…return 1", "block return 1",
			"statement return 1", "statement y = {1: 2}", "block z = 1", "statement z = 1",
		},
		TypeScript: {"function_body if (x) { return; }", "statement if (x) { return; }", "block return;", "statement return;"},
		Java: {
			"function_body x();", "statement x();", "function_body if (a) { return 1; } int[] q = {1}; return 2;",
			"statement if (a) { return 1; }", "block return 1;", "statement return 1;", "statement int[] q = {1};", "statement return 2;",
		},
	} {
		text := samples[lang]
		var got []string
		for _, s := range Spans(parse(t, lang, text), text) {
			part := text[s.Start:s.End]
			if first, rest, ok := strings.Cut(part, "\n"); ok {
				part = first + "…" + strings.TrimSpace(rest[strings.LastIndexByte(rest, '\n')+1:])
			}
			got = append(got, s.Kind.String()+" "+part)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got)\n%s", lang, diff)
		}
	}
	if got := Spans(parse(t, Go, samples[Go]), "another text"); got != nil {
		t.Error("spans of another text")
	}
}

// TestSpansNest: spans of every language are trimmed, not empty, and either apart or one
// inside of the other; a trainer cuts gaps there without looking.
func TestSpansNest(t *testing.T) {
	for _, lang := range Languages() {
		text := samples[lang]
		spans := Spans(parse(t, lang, text), text)
		if len(spans) < 2 {
			t.Errorf("%v: %d spans", lang, len(spans))
		}
		for i, a := range spans {
			if part := text[a.Start:a.End]; part == "" || strings.TrimSpace(part) != part {
				t.Errorf("%v: span %q", lang, part)
			}
			for _, b := range spans[:i] {
				if a.Start < b.Start || a.Start < b.End && a.End > b.End {
					t.Errorf("%v: %v after %v", lang, a, b)
				}
			}
		}
	}
}

func TestProblems(t *testing.T) {
	tree := parse(t, Go, "package a\n\nfunc f() {\n\tx := \n}\n\nfunc g() { h( }\n")
	all := tree.Problems()
	if all.Errors+all.Missing < 2 {
		t.Errorf("%+v in a text with two faults", all)
	}
	first := tree.ProblemsIn(Range{0, 30})
	rest := tree.ProblemsIn(Range{32, 100})
	if n := first.Errors + first.Missing; n == 0 || n >= all.Errors+all.Missing {
		t.Errorf("first part %+v of %+v", first, all)
	}
	if rest.Errors+rest.Missing == 0 {
		t.Errorf("second part %+v of %+v", rest, all)
	}
}

func TestAnchorAndDeclarations(t *testing.T) {
	text := "package a\n\n// one\nfunc f() {\n\tx()\n}\n\nfunc g() {\n\ty()\n}\n"
	tree := parse(t, Go, text)
	for mark, want := range map[string]string{"x()": "func f", "y()": "func g", "// one": "package"} {
		if got := tree.Anchor(find(t, text, mark)); !strings.HasPrefix(text[got:], want) {
			t.Errorf("anchor of %q: %q", mark, text[got:])
		}
	}
	if got := tree.Anchor(ByteOffset(len(text))); !strings.HasPrefix(text[got:], "func g") {
		t.Errorf("anchor of the end: %q", text[got:])
	}
	got := tree.Declarations(1, ByteOffset(len(text)))
	want := []ByteOffset{find(t, text, "// one"), find(t, text, "func f"), find(t, text, "func g")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLimits(t *testing.T) {
	p := NewParser(Limits{Bytes: 1000, LineBytes: 100})
	defer p.Close()
	for name, c := range map[string]struct {
		lang Language
		text string
		want error
	}{
		"language": {Text, "x", ErrNoGrammar},
		"size":     {Go, strings.Repeat("\n", 1001), ErrTooLarge},
		"line":     {Go, "x\n" + strings.Repeat("x", 101) + "\n", ErrTooLarge},
		"fits":     {Go, "package a\n" + strings.Repeat("x", 90), nil},
		"empty":    {Go, "", nil},
	} {
		tree, err := p.Parse(c.lang, nil, c.text)
		if !errors.Is(err, c.want) || (tree == nil) != (err != nil) {
			t.Errorf("%s: %v, %v", name, tree, err)
		}
		tree.Close()
	}
	slow := NewParser(Limits{Time: time.Microsecond})
	defer slow.Close()
	text := strings.Repeat(samples[Go], 1000)
	for range 2 { // the second time the parser must not go on with the first text
		if _, err := slow.Parse(Go, nil, text); !errors.Is(err, ErrTooSlow) {
			t.Errorf("slow parse: %v", err)
		}
	}
	slow.Close()
	if _, err := slow.Parse(Go, nil, "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed parser: %v", err)
	}
}

// TestNilTree: a file that was not parsed is asked the same questions as any other.
func TestNilTree(t *testing.T) {
	closed := parse(t, Go, samples[Go])
	closed.Close()
	closed.Close()
	for _, tree := range []*Tree{nil, closed} {
		if tree.At(3) != (Place{}) || tree.BraceAt(3) != BraceUnknown || tree.Anchor(9) != 0 ||
			tree.Declarations(0, 9) != nil || tree.Problems() != (Problems{}) || Spans(tree, samples[Go]) != nil {
			t.Error("a tree that is none knows something")
		}
	}
	var none *Tree
	none.Close()
}

// TestHostile: texts that break parsers must not break the process.
func TestHostile(t *testing.T) {
	p := NewParser(Limits{Time: 200 * time.Millisecond})
	defer p.Close()
	deep := strings.Repeat("{(", 4000)
	for _, lang := range Languages() {
		for name, text := range map[string]string{
			"deep": deep, "zero": "a\x00b{\x00}", "invalid": "\xff\xfe{\xc3", "quotes": strings.Repeat("\"'`", 5000),
			"raw": `R"` + strings.Repeat("x", 40) + `(`, "hash": "r" + strings.Repeat("#", 300) + `"x`,
			"dedent": strings.Repeat(" ", 2000) + "x:\n" + strings.Repeat("\t", 3000) + "if y:\n z",
		} {
			tree, err := p.Parse(lang, nil, text)
			if err != nil {
				continue
			}
			tree.Problems()
			Spans(tree, text)
			tree.At(ByteOffset(len(text) / 2))
			tree.Anchor(ByteOffset(len(text)))
			next, err := p.Parse(lang, tree, text[:len(text)/2]+"x"+text[len(text)/2:])
			if err != nil {
				t.Logf("%v %s: %v", lang, name, err)
			}
			next.Close()
			tree.Close()
		}
	}
}

// TestConcurrentReads fails under -race, or with a fatal map write without it, if a tree
// were read by two goroutines without copies.
func TestConcurrentReads(t *testing.T) {
	p := NewParser(Limits{})
	defer p.Close()
	text := strings.Repeat(samples[Go][len("package a\n"):], 20)
	tree, err := p.Parse(Go, nil, text)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				at := ByteOffset((i*131 + j*977) % len(text))
				tree.At(at)
				tree.Anchor(at)
				next, err := p.Parse(Go, tree, text[:at]+"x"+text[at:])
				if err != nil {
					t.Error(err)
				}
				next.Close()
				if i == 0 && j == 15 {
					tree.Close() // while others read
				}
			}
		})
	}
	wg.Wait()
}

// outline is all that one can see of a tree.
func outline(t *Tree) string {
	var b strings.Builder
	t.read(func(root *sitter.Node) {
		cur := sitter.NewTreeCursor(root)
		defer cur.Close()
		for {
			n := cur.CurrentNode()
			b.WriteString(n.Type())
			b.WriteByte(' ')
			for _, v := range []uint32{n.StartByte(), n.EndByte()} {
				b.WriteString(time.Duration(v).String())
			}
			if n.IsMissing() {
				b.WriteByte('?')
			}
			b.WriteByte('\n')
			if cur.GoToFirstChild() {
				continue
			}
			for !cur.GoToNextSibling() {
				if !cur.GoToParent() {
					return
				}
			}
		}
	})
	return b.String()
}

// broken says whether the text of a tree does not parse.
func broken(t *Tree) (is bool) {
	t.read(func(root *sitter.Node) { is = root.HasError() })
	return is
}

// TestIncremental: parsing on from an old tree gives the tree of a fresh parse. The
// binding loses a part of each edit; this is what holds that it does not matter.
//
// Of a text that does not parse only the extent must agree: how tree-sitter gets over an
// error depends on which nodes it could take over from the old tree, and both readings
// are right. What it must not do is carry the damage on: when the last edit restores the
// text, nothing of it is left.
func TestIncremental(t *testing.T) {
	p := NewParser(Limits{})
	defer p.Close()
	pieces := []string{"{", "}", "(", ")", "\n", "\n\n", "\t", "    ", "x", "if x ", "return ", "\"", "'", "`", "//", "/*", "*/", "#", ":", ";", "é", "}\n\nfunc g() {", "\"\"\"", "a = b\n", "f();", "// c\n", "# c\n"}
	whole := 0 // edited texts that parse
	rapid.Check(t, func(t *rapid.T) {
		lang := rapid.SampledFrom(Languages()).Draw(t, "lang")
		text := samples[lang]
		old, err := p.Parse(lang, nil, text)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { old.Close() }()
		edit := func(to string) {
			text = to
			before := outline(old)
			next, err := p.Parse(lang, old, text)
			if err != nil {
				t.Fatal(err)
			}
			if outline(old) != before {
				t.Fatalf("%v: the old tree changed", lang)
			}
			old.Close()
			old = next
			fresh, err := p.Parse(lang, nil, text)
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.Close()
			a, b := outline(fresh), outline(next)
			if broken(fresh) {
				if !broken(next) {
					t.Fatalf("%v: parsing on does not see the error: %s", lang, text)
				}
				return
			}
			whole++
			if diff := cmp.Diff(a, b); diff != "" {
				t.Fatalf("%v: parsing on differs from parsing anew: %s\n%s", lang, text, diff)
			}
		}
		for range rapid.IntRange(1, 5).Draw(t, "edits") {
			from := rapid.IntRange(0, len(text)).Draw(t, "from")
			if rapid.Bool().Draw(t, "gentle") { // blank lines mostly leave a text that parses
				from = strings.LastIndexByte(text[:from], '\n') + 1
				edit(text[:from] + "\n" + text[from:])
				continue
			}
			to := min(len(text), from+rapid.IntRange(0, 30).Draw(t, "removed"))
			edit(text[:from] + rapid.SampledFrom(pieces).Draw(t, "piece") + text[to:])
		}
		edit(samples[lang])
	})
	if whole < 150 {
		t.Fatalf("only %d edited texts parsed: the test compares too few trees", whole)
	}
}

func TestDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n")), 0, 200, -1)
		a := letters.Draw(t, "a")
		i := rapid.IntRange(0, len(a)).Draw(t, "i")
		j := rapid.IntRange(i, len(a)).Draw(t, "j")
		b := a[:i] + letters.Draw(t, "new") + a[j:]
		start, endA, endB := difference(a, b)
		if a[:start] != b[:start] || a[endA:] != b[endB:] || start > endA || start > endB || a[:start]+b[start:endB]+a[endA:] != b {
			t.Fatalf("difference(%q, %q) = %d %d %d", a, b, start, endA, endB)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := "package a\n" + strings.Repeat(samples[Go][len("package a\n"):], 900) // 125 KB of short functions
	p := NewParser(Limits{})
	defer p.Close()
	b.Run("fresh", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			tree, _ := p.Parse(Go, nil, text)
			tree.Close()
		}
	})
	old, _ := p.Parse(Go, nil, text)
	defer old.Close()
	edited := text[:len(text)/2] + "x" + text[len(text)/2:]
	b.Run("one character on", func(b *testing.B) {
		for b.Loop() {
			tree, _ := p.Parse(Go, old, edited)
			tree.Close()
		}
	})
	b.Run("at", func(b *testing.B) {
		for b.Loop() {
			old.At(ByteOffset(len(text) / 2))
		}
	})
	b.Run("spans", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			Spans(old, text)
		}
	})
}

// FuzzParse looks for texts that bring the C code down: nothing in Go can catch that, so
// each one found is a reason for a limit.
func FuzzParse(f *testing.F) {
	for lang, text := range samples {
		f.Add(uint8(lang), text, text+"x")
	}
	p := NewParser(Limits{Bytes: 1 << 16, Time: 200 * time.Millisecond})
	f.Fuzz(func(t *testing.T, lang uint8, a, b string) {
		tree, err := p.Parse(Language(lang), nil, a)
		if err != nil {
			return
		}
		defer tree.Close()
		next, err := p.Parse(Language(lang), tree, b)
		if err != nil {
			return
		}
		defer next.Close()
		next.Problems()
		for _, s := range Spans(next, b) {
			if s.Start < 0 || s.Start >= s.End || int(s.End) > len(b) {
				t.Fatalf("span %v of %d bytes", s, len(b))
			}
		}
		for at := ByteOffset(-1); at <= ByteOffset(len(b))+1; at += ByteOffset(len(b)/7 + 1) {
			next.At(at)
			next.BraceAt(at)
			if anchor := next.Anchor(at); anchor < 0 || anchor > max(at, 0) {
				t.Fatalf("anchor %d of %d", anchor, at)
			}
		}
	})
}
