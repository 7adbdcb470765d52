package infill

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// bits are what random texts are put together from: everything that a scanner reacts to.
var bits = []string{
	"(", ")", "[", "]", "{", "}", "\"", "'", "`", "\"\"\"", "'''", "/", "//", "/*", "*/", "#", "\\", "\n", "\r\n", "\r",
	"\n\n", "\t", " ", "    ", "x", "r", "b", "R", "u8", "12", ".", ",", ";", ":", "=", "${", "=>", "<", ">", "'a", "r#\"", "\"#",
	"if x {", "def f():", "func f() {", "return ", "class A", "else", "é", "日", "\xff", "\xc3", "\x00", "🙂",
}

func drawText(t *rapid.T, label string, most int) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(bits), 0, most).Draw(t, label), "")
}

func drawPlan(t *rapid.T, parser *treesitter.Parser) Plan {
	before, after := drawText(t, "before", 25), drawText(t, "after", 15)
	doc := Document{Path: "a/b.x", Text: before + after}
	doc.Language = rapid.SampledFrom(append(treesitter.Languages(), treesitter.Text)).Draw(t, "lang")
	if rapid.Bool().Draw(t, "tree") {
		if tree, err := parser.Parse(doc.Language, nil, doc.Text); err == nil {
			t.Cleanup(tree.Close)
			doc.Tree, doc.Parser = tree, parser
		}
	}
	opt := Options{
		Mode:        rapid.SampledFrom([]Mode{Auto, Auto, Line, Block, Function, Statement, Arguments, Docstring}).Draw(t, "mode"),
		Priority:    rapid.SampledFrom([]engine.Priority{engine.Typed, engine.Invoked}).Draw(t, "priority"),
		PrefixBytes: rapid.SampledFrom([]int{0, 8, 40}).Draw(t, "prefix"),
		SuffixBytes: rapid.SampledFrom([]int{0, 8}).Draw(t, "suffix"),
		MaxLines:    rapid.SampledFrom([]int{0, 2}).Draw(t, "lines"),
	}
	return NewPlan(doc, ByteOffset(len(before)+rapid.IntRange(-1, 1).Draw(t, "off")), opt)
}

// TestStopIsClosed: the engine calls the rule after each step and trusts that what
// stopped once stays so. Were it not, the same request could end in different texts,
// depending on how many tokens a step decides.
func TestStopIsClosed(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t, parser)
		text := drawText(t, "answer", 40)
		stopped, at, name := false, 0, ""
		for n := range len(text) + 1 {
			keep, now := p.Stop(text[:n])
			if keep < 0 || keep > n {
				t.Fatalf("keep %d of %d bytes", keep, n)
			}
			if again, name2 := p.Stop(text[:n]); again != keep || name2 != now {
				t.Fatal("not pure")
			}
			if stopped && (keep != at || now != name) {
				t.Fatalf("%v stopped %q at %d (%s), then %q at %d (%s)", p.Explain(), text[:n-1], at, name, text[:n], keep, now)
			}
			if now != "" {
				stopped, at, name = true, keep, now
			} else if keep != n {
				t.Fatalf("goes on, but keeps %d of %d", keep, n)
			}
		}
		if keep, final := p.cut(text, true); stopped && (keep != at || final != name) {
			t.Fatalf("finished text stops at %d (%s), not at %d (%s)", keep, final, at, name)
		}
	})
}

// TestAnythingGoes: no text, place or answer may bring the server down, and every edit
// can be applied.
func TestAnythingGoes(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t, parser)
		checkSuggestion(t, p, p.Finish(engine.Result{
			Text: drawText(t, "answer", 30),
			Stop: rapid.SampledFrom([]string{"", "line", "end", "budget", "deadline", "none"}).Draw(t, "stop"),
		}))
	})
}

type fataler interface{ Fatalf(string, ...any) }

func checkSuggestion(t fataler, p Plan, s Suggestion) {
	d := p.doc.Text
	if s.Start < 0 || s.Start > s.End || int(s.End) > len(d) || s.Start != p.Cursor {
		t.Fatalf("range [%d, %d) of %d bytes, cursor %d", s.Start, s.End, len(d), p.Cursor)
	}
	if !utf8.ValidString(s.Text) || s.Text != "" && blank(s.Text) || strings.Contains(s.Text, "\x00") {
		t.Fatalf("text %q", s.Text)
	}
	if utf8.ValidString(d) && (!utf8.ValidString(d[:s.Start]) || !utf8.ValidString(d[s.End:])) {
		t.Fatalf("edit inside of a character")
	}
	if s.Stop == "" || p.Reason == "" || len(p.Explain()) == 0 {
		t.Fatalf("stop %q, reason %q", s.Stop, p.Reason)
	}
	if p.Mode == Line && strings.ContainsAny(s.Text, "\r\n") {
		t.Fatalf("a line of many lines: %q", s.Text)
	}
	if strings.Contains(d[s.Start:s.End], "\n") {
		t.Fatalf("replaces over the end of the line")
	}
	r := p.Request()
	if p.Mode != Nothing && (r.Stop == nil || r.MaxTokens <= 0 || strings.Contains(r.Prefix+"|"+r.Suffix, "\r\n")) {
		t.Fatalf("request %+v", r)
	}
}

// drawCode writes well-formed, well-indented code of brackets and names.
func drawCode(t *rapid.T, depth int) string {
	var b strings.Builder
	indent := strings.Repeat("\t", depth)
	for range rapid.IntRange(1, 4).Draw(t, "statements") {
		b.WriteString(indent)
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth > 3 {
			kind = 0
		}
		switch kind {
		case 1:
			b.WriteString("if x(y) {\n" + drawCode(t, depth+1) + indent + "}")
		case 2:
			b.WriteString("go func() {\n" + drawCode(t, depth+1) + indent + "}()")
		case 3:
			b.WriteString("f(\n" + indent + "\ta[0],\n" + indent + "\tT{b: (c)},\n" + indent + ")")
		case 4:
			b.WriteString("s := \"(]}\" + g('}', `\n})`) // }]")
		case 5:
			b.WriteString("for {\n" + indent + "}")
		default:
			b.WriteString("a(b, c[d(e)]) ")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// surplus counts closing brackets over opening ones, per kind.
func surplus(text string) [3]int {
	var n [3]int
	s := newScanner(dialectOf(treesitter.Go), 0)
	for i := 0; i < len(text); {
		next, ev := s.step(text, i, true)
		if ev == evOpen {
			n[strings.IndexByte("([{", text[i])]--
		}
		if ev == evClose {
			n[strings.IndexByte(")]}", text[i])]++
			s.close(text[i])
		}
		i = next
	}
	return n
}

// TestNeverClosesTwice: in code whose brackets are in order, no answer, however many
// brackets it closes, leaves a closing bracket too many. This is the complaint about
// completions that people have most often.
func TestNeverClosesTwice(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	answers := []string{"x", "(", ")", "[", "]", "{", "}", ")", "]", "}", "\n", "\n\t", "\n}", " ", ";", ",", "\"a\"", "f(x)", "if a {", "})", "}()"}
	rapid.Check(t, func(t *rapid.T) {
		text := "package a\n\nfunc f() {\n" + drawCode(t, 1) + "}\n"
		if n := surplus(text); n != [3]int{} {
			t.Fatalf("test code is not balanced: %v\n%s", n, text)
		}
		at := rapid.IntRange(0, len(text)).Draw(t, "at")
		doc := Document{Path: "a.go", Language: treesitter.Go, Text: text}
		if rapid.Bool().Draw(t, "tree") {
			if tree, err := parser.Parse(doc.Language, nil, doc.Text); err == nil {
				t.Cleanup(tree.Close)
				doc.Tree = tree
			}
		}
		p := NewPlan(doc, ByteOffset(at), Options{Mode: rapid.SampledFrom([]Mode{Auto, Line, Block, Function, Statement, Arguments, Docstring}).Draw(t, "mode")})
		if p.Mode == Nothing || p.around.sc.in != inCode || text[max(at-1, 0)] == '/' {
			t.Skip("not in code, or between the slashes of a comment")
		}
		answer := strings.Join(rapid.SliceOfN(rapid.SampledFrom(answers), 1, 12).Draw(t, "answer"), "")
		s := p.Finish(engine.Result{Text: answer, Stop: "end"})
		got := text[:s.Start] + s.Text + text[s.End:]
		if n := surplus(got); n[0] > 0 || n[1] > 0 || n[2] > 0 {
			t.Fatalf("%v: answer %q became %q, surplus %v in\n%s", p.Explain(), answer, s.Text, n, shown(text, s))
		}
	})
}

func shown(text string, s Suggestion) string {
	return fmt.Sprintf("%s‹%s›«%s»%s", text[:s.Start], s.Text, text[s.Start:s.End], text[s.End:])
}

// TestExactAnswerStays: an answer that is just what was cut out of sound code comes
// through unharmed, whatever the place. Finishing that is too eager costs good answers.
func TestExactAnswerStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := "package a\n\nfunc f() {\n" + drawCode(t, 1) + "}\n"
		lines := strings.SplitAfter(text, "\n")
		n := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
		line := strings.TrimRight(lines[n], " \n")
		if blank(line) || onlyClosers(line) {
			t.Skip("nothing to complete")
		}
		// A gap that begins and ends at the edges of words, up to the line's end or short of it.
		from := rapid.IntRange(len(indentOf(line)), len(line)-1).Draw(t, "from")
		gap := line[from:]
		before := strings.Join(lines[:n], "") + line[:from]
		after := "\n" + strings.Join(lines[n+1:], "")
		doc := Document{Path: "a.go", Language: treesitter.Go, Text: before + after}
		p := NewPlan(doc, ByteOffset(len(before)), Options{Mode: Line})
		if r := (fit{around: &p.around, rule: p.rule, rules: AllRules}).reach(gap); r.repeats >= 0 && n+1 < len(lines) {
			t.Skip("brackets over lines: another reading is as good")
		}
		s := p.Finish(engine.Result{Text: gap, Stop: "end"})
		if strings.TrimSpace(lines[n]) == strings.TrimSpace(p.doc.Text[p.around.lineTo:min(len(doc.Text), p.around.lineTo+len(lines[n])+1)]) {
			t.Skip("the next line is the same")
		}
		if got := before + s.Text; strings.TrimRight(got, " ") != strings.TrimRight(before+gap, " ") {
			t.Fatalf("%v: gap %q became %q in\n%s", p.Explain(), gap, s.Text, shown(doc.Text, s))
		}
	})
}

// TestWindowStands: typing must leave the left edge of the prefix where it is and must
// not touch the suffix, or each keystroke would throw the engine's cache away.
func TestWindowStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(40, 400).Draw(t, "size")
		before := drawText(t, "before", 200)
		after := drawText(t, "after", 60)
		typed := drawText(t, "typed", 40)
		moves, last, suffix := 0, -1, ""
		for n := range len(typed) + 1 {
			if n > 0 && n < len(typed) && !utf8.RuneStart(typed[n]) {
				continue
			}
			doc := Document{Text: before + typed[:n] + after}
			at := len(before) + n
			w := prefixWindow(doc, at, size)
			if w.end != at || w.start > at || at-w.start > size || w.start > 0 && at-w.start < min(at, size)/2-size/4-4 {
				t.Fatalf("window [%d, %d) of size %d", w.start, w.end, size)
			}
			if last >= 0 && w.start != last {
				moves++
			}
			last = w.start
			s := suffixWindow(doc.Text, at, size).of(doc.Text)
			if n > 0 && s != suffix {
				t.Fatalf("the suffix changed from %q to %q", suffix, s)
			}
			suffix = s
		}
		if most := 2*len(typed)/max(size/4, 1) + 2; moves > most {
			t.Fatalf("%d moves in %d typed bytes with windows of %d", moves, len(typed), size)
		}
	})
}

// TestLineEnds: a suggestion has the line ends of its neighbourhood, and the model sees
// line feeds alone.
func TestLineEnds(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"lf":          {"func f() {\n\t‸\n}\n", "a()\n\tb()"},
		"crlf":        {"func f() {\r\n\t‸\r\n}\r\n", "a()\r\n\tb()"},
		"crlf at end": {"func f() {\r\n\t‸", "a()\r\n\tb()\r\n}"},
		"mixed, lf":   {"package a\r\n\r\nfunc f() {\n\t‸\n}\r\n", "a()\n\tb()"},
		"mixed, crlf": {"package a\n\nfunc f() {\r\n\t‸\r\n}\n", "a()\r\n\tb()"},
	} {
		before, after, _ := strings.Cut(c.text, cursorMark)
		for _, eol := range []string{"\n", "\r\n"} {
			p := NewPlan(Document{Language: treesitter.Go, Text: before + after}, ByteOffset(len(before)), Options{})
			s := p.Finish(engine.Result{Text: strings.ReplaceAll("a()\n\tb()\n", "\n", eol), Stop: "end"})
			if s.Text != c.want {
				t.Errorf("%s: %q, want %q", name, s.Text, c.want)
			}
			if r := p.Request(); strings.Contains(r.Prefix+r.Suffix, "\r") {
				t.Errorf("%s: the model sees carriage returns", name)
			}
		}
	}
}
