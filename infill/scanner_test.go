package infill

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/treesitter"
)

// hard holds, per language, what scanners trip over. Each text is sound code, so that
// the grammar knows the truth.
var hard = map[treesitter.Language]string{
	treesitter.Go: "package a\n/* { // */ // }\nvar a, b = `{\n\"`, \"\\\"}\"\nvar c = '{' + '\\''\nfunc f() { if x := (T{1}); x == '}' { g(a / b /* ) */ / c) } }\n",
	treesitter.Python: "# don't {\nx = '{' + \"it's\" # (\ny = '''{ \" '' \\'''\n'''\ns = '' + \"\" + f(r'\\'', b'}')\n" +
		"def f(a=\"(\",\n      b={'x': [1]}):\n    \"\"\"(\"\"\"\n    return '\\\n)'\n",
	treesitter.JavaScript: "const a = /[/'\"]{/, b = c / d / e; // {\nconst s = `a ${f(`b ${{x: 1}.x} }`)} {`;\nif (x) { y('\\'}'); }\n/* ` */\nreturn_(1) / 2;\n",
	treesitter.TypeScript: "const a: Array<{x: string}> = [{x: '}'}];\nfunction f<T>(x: T): x is T { return /}/.test(`${x}`); }\n",
	treesitter.TSX:        "const C = () => <div a={'}'} b=\"{\">{x ? <b>don&apos;t</b> : null}</div>;\nconst d = 1;\n",
	treesitter.C:          "#include <a.h>\n#define F(x) \\\n  ((x) + 1)\nchar *s = \"\\\"{\" \"a\\\n}\";\nint f(int a) { return a / 2; /* { */ } // }\n",
	treesitter.CPP:        "auto s = R\"x({ \" )\" )x\"; auto n = 1'000'000; char c = '{'; char d = u8'}';\nint f() { return 0x1'F / 2; }\n",
	treesitter.Rust:       "fn f<'a>(x: &'a str) -> char { let s = r#\"{ \" \"#; let t = b\"}\"; 'l: loop { break 'l; } /* { /* } */ { */ '}' }\nconst S: &str = \"a\n{\";\nconst E: char = '\\'';\n",
	treesitter.Java:       "class A { String s = \"\"\"\n  { \"\" \\\"\"\"\n  \"\"\"; char c = '{'; /* } */ int x = 1; // {\n}\n",
}

// TestScannerAgreesWithGrammar compares the scanner with tree-sitter at every offset of
// hard texts. A scanner that loses track of a string would count brackets in it, and
// completions would stop in the wrong place.
func TestScannerAgreesWithGrammar(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	for _, lang := range treesitter.Languages() {
		t.Run(lang.String(), func(t *testing.T) {
			text := hard[lang]
			tree, err := parser.Parse(lang, nil, text)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			if n := tree.Problems(); n != (treesitter.Problems{}) {
				t.Fatalf("the text is not sound: %+v", n)
			}
			for at := range len(text) {
				compareAt(t, lang, text, tree, at)
			}
			if s := scanAll(lang, text); len(s.stack) != 0 {
				t.Errorf("brackets left open: %q", text[s.stack[0].at:])
			}
		})
	}
}

// TestScannerOnRealCode does the same at some places of the Go toolchain's own sources.
func TestScannerOnRealCode(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	files := 0
	for _, dir := range []string{"net/http", "go/printer", "text/template/parse", "strconv"} {
		names, _ := filepath.Glob(filepath.Join(runtime.GOROOT(), "src", dir, "*.go"))
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil || len(data) > 60<<10 {
				continue
			}
			text := string(data)
			tree, err := parser.Parse(treesitter.Go, nil, text)
			if err != nil {
				t.Fatal(err)
			}
			if files++; tree.Problems() == (treesitter.Problems{}) {
				if s := scanAll(treesitter.Go, text); len(s.stack) != 0 {
					t.Errorf("%s: brackets left open from byte %d", name, s.stack[0].at)
				}
				for range 5 {
					compareAt(t, treesitter.Go, text, tree, boundary(text, rng.IntN(len(text))))
				}
			}
			tree.Close()
		}
	}
	if files == 0 {
		absent(t, "no Go sources on this machine")
	}
}

func scanAll(lang treesitter.Language, text string) scanner {
	s := newScanner(dialectOf(lang), 0)
	s.run(text, 0, true)
	return s
}

func compareAt(t *testing.T, lang treesitter.Language, text string, tree *treesitter.Tree, at int) {
	t.Helper()
	s := newScanner(dialectOf(lang), 0)
	if s.run(text[:at], 0, false) < at {
		return // cannot be told from what stands before alone
	}
	if at > 0 && strings.IndexByte("rbuR\"'/8", text[at-1]) >= 0 || strings.HasPrefix(text[max(0, at-2):], "</") {
		return // behind a prefix or a quote, the two draw the border differently
	}
	place := tree.At(treesitter.ByteOffset(at))
	comment := s.in == inLineComment || s.in == inBlockComment
	if comment == place.Comment.IsZero() {
		t.Errorf("%s, byte %d: scanner in %v, grammar's comment %v: %q‸%q", lang, at, s.in, place.Comment, text[max(0, at-20):at], text[at:min(len(text), at+20)])
	}
	if inTemplate := strings.Contains(text, "${") && !place.String.IsZero() && len(s.stack) > 0; inTemplate {
		return // in an interpolation the innermost string is around the code
	}
	if (s.in == inString) == place.String.IsZero() {
		t.Errorf("%s, byte %d: scanner in %v, grammar's string %v: %q‸%q", lang, at, s.in, place.String, text[max(0, at-20):at], text[at:min(len(text), at+20)])
	}
}

// TestScannerGoesOn: scanning in pieces is scanning at once. The stop rule depends on it.
func TestScannerGoesOn(t *testing.T) {
	for lang, text := range hard {
		want := scanAll(lang, text)
		for cut := range len(text) {
			s := newScanner(dialectOf(lang), 0)
			i := s.run(text[:cut], 0, false)
			s = s.clone()
			s.run(text, i, true)
			if s.in != want.in || len(s.stack) != len(want.stack) || s.prev != want.prev || s.word != want.word {
				t.Errorf("%s cut at %d: %v with %d open, want %v with %d", lang, cut, s.in, len(s.stack), want.in, len(want.stack))
			}
		}
	}
}
