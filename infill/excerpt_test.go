package infill

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// TestExcerptOf: an excerpt holds what the model and the memory are shown of either side, is
// cut between characters, and stays where it is while a person types in the middle of it.
// Without that each key would have it parsed anew.
func TestExcerptOf(t *testing.T) {
	pieces := []string{"\n", "\r\n", "x", "漢", "\t", "}", "func f() {\n\tg()\n}\n\n", "\n\n// c\n", strings.Repeat("ab ", 4000), strings.Repeat("\tline of a long function\n", 3000), strings.Repeat("é", 90000)}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 60).Draw(t, "pieces"), "")
		at := rapid.IntRange(0, len(text)).Draw(t, "at")
		for at < len(text) && !utf8.RuneStart(text[at]) {
			at++
		}
		x := Excerpt(treesitter.Go, text, at, Stretch{})
		if len(text) <= excerptFrom && (x.From != 0 || x.To != len(text)) {
			t.Fatalf("of %d bytes %+v", len(text), x)
		}
		if x.From < 0 || x.From > at || x.To < at || x.To > len(text) || x.From > 0 && at-x.From < excerptSide-excerptStep || x.To < len(text) && x.To-at < excerptSide {
			t.Fatalf("%+v around %d of %d", x, at, len(text))
		}
		if x.From > 0 && !utf8.RuneStart(text[x.From]) || x.To < len(text) && !utf8.RuneStart(text[x.To]) {
			t.Fatalf("%+v begins or ends inside of a character", x)
		}
		if !x.Cut && x.To < len(text) && !isBetween(text, x.To) {
			t.Fatalf("%+v is no cut and ends between no declarations", x)
		}
		if len(text) > excerptWhole && x.To-x.From > 2*(excerptReach+excerptSide+excerptStep) {
			t.Fatalf("%d bytes", x.To-x.From)
		}
		if again := Excerpt(treesitter.Go, text, at, x); again != x {
			t.Fatalf("%+v became %+v", x, again)
		}
		if at%excerptStep < excerptStep-8 && len(text) > excerptFrom {
			typed := text[:at] + "typed" + text[at:]
			for _, last := range []Stretch{{}, x} {
				if y := Excerpt(treesitter.Go, typed, at+5, last); y.From != x.From || y.To != x.To+5 {
					t.Fatalf("%+v became %+v by typing five letters at %d", x, y, at)
				}
			}
		}
	})
}

// TestExcerptInLiteral: what looks like the space between declarations in a string or a comment
// is none. Without it code in a long literal would turn what is code around it.
func TestExcerptInLiteral(t *testing.T) {
	code := strings.Repeat("// c\nfunc f() {\n\tg(1)\n}\n\n", 2000)
	for name, text := range map[string]string{"go": code + "var s = `\n" + code[:9000] + "`\n", "go ": code + "/*\n" + code[:9000] + "*/\n"} {
		x := Excerpt(treesitter.Go, text, len(text)-50, Stretch{})
		if x.From > len(code) || x.From < len(code)-100 {
			t.Errorf("%s: from %d, the literal begins at %d", name, x.From, len(code))
		}
	}
}

// TestExcerptLikeWhole: in the middle of a long file a plan made in the excerpt asks the model
// what one made in the whole does, and makes the same of its answers. Without it the shortcut
// could change what is suggested.
func TestExcerptLikeWhole(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	var b strings.Builder
	b.WriteString("package shop\n")
	names, _ := filepath.Glob("*.go")
	for i, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source := string(raw)
		if _, body, ok := strings.Cut(source, "\n)\n"); ok && strings.Contains(source, "import (") {
			fmt.Fprintf(&b, "\n// part %d\n%s", i, body)
		}
	}
	text := b.String()
	if len(text) < 8*excerptFrom {
		t.Fatalf("only %d bytes", len(text))
	}
	text = text[:strings.LastIndex(text[:8*excerptFrom], "\n\n")+1]
	whole, err := parser.Parse(treesitter.Go, nil, text)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	same, asked := 0, 0
	for at := 3000; at < len(text); at += 3999 {
		line := at + strings.IndexByte(text[at:]+"\n", '\n')
		if line >= len(text) {
			break
		}
		x := Excerpt(treesitter.Go, text, line, Stretch{})
		tree, err := parser.Parse(treesitter.Go, nil, text[x.From:x.To])
		if err != nil {
			t.Fatal(err)
		}
		opt := Options{Priority: engine.Invoked, Document: "x"}
		p := NewPlan(Document{Path: "a.go", Language: treesitter.Go, Text: text, Tree: whole, Parser: parser}, ByteOffset(line), opt)
		q := NewPlan(Document{Path: "a.go", Language: treesitter.Go, Text: text[x.From:x.To], Tree: tree, Parser: parser, Whole: text, From: x.From, Cut: x.Cut}, ByteOffset(line-x.From), opt)
		asked++
		pr, qr := p.Request(), q.Request()
		ok := p.Mode == q.Mode && pr.Suffix == qr.Suffix && pr.Below == qr.Below && (strings.HasSuffix(pr.Prefix, qr.Prefix) || strings.HasSuffix(qr.Prefix, pr.Prefix)) &&
			min(len(qr.Prefix), len(pr.Prefix)) >= min(line, 9<<10)-longestShift && strings.HasSuffix(pr.Above+pr.Prefix, qr.Prefix)
		for _, answer := range []string{" x := f(a)\n\tg()", "{\n\t\treturn nil\n\t}\n", ") + h(", "if x {\n"} {
			got, want := q.Finish(engine.Result{Text: answer, Stop: "end", Tokens: 4}), p.Finish(engine.Result{Text: answer, Stop: "end", Tokens: 4})
			got.Start, got.End = got.Start+ByteOffset(x.From), got.End+ByteOffset(x.From)
			// Where most of an answer has to go, more parts of it are tried in a shorter text.
			if got != want && want.Text != "" {
				ok = false
				t.Logf("at %d: %q of %q, in the whole %q", line, got.Text, answer, want.Text)
			}
		}
		if ok {
			same++
		} else {
			t.Logf("at %d, %+v: mode %s, %d and %d bytes; in the whole mode %s, %d and %d", line, x, q.Mode, len(qr.Prefix), len(qr.Suffix), p.Mode, len(pr.Prefix), len(pr.Suffix))
		}
		tree.Close()
	}
	t.Logf("%d of %d places alike", same, asked)
	if same < asked*98/100 {
		t.Errorf("only %d of %d places are alike", same, asked)
	}
}

// longestShift is what the prefix' start may move by: it lies at a declaration behind a step.
const longestShift = 3 << 10
