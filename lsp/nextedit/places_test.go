package nextedit

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/treesitter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the expectations of the marker files anew; read the diff")

// parsed is a document with its tree.
func parsed(t testing.TB, p *treesitter.Parser, path, text string) Document {
	t.Helper()
	d := Document{Path: path, Language: treesitter.Detect(path, ""), Text: text}
	tree, err := p.Parse(d.Language, nil, text)
	if err != nil {
		t.Fatal(path, err)
	}
	t.Cleanup(tree.Close)
	d.Tree = tree
	return d
}

// marked shows what is proposed in a text.
func marked(text string, edits []Edit) string {
	edits = slices.Clone(edits)
	slices.SortFunc(edits, func(a, b Edit) int { return int(b.Start - a.Start) })
	for _, e := range edits {
		text = text[:e.Start] + "⟦" + text[e.Start:e.End] + "→" + e.Text + "⟧" + text[e.End:]
	}
	return text
}

// TestMarkers: what is proposed, where, and where not. A case of testdata/*.txtar is
//
//	CASE/PATH    a document; in one of them «old|new» is the edit
//	CASE.want    the documents with the proposals as ⟦old→new⟧; those without none left out
func TestMarkers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no marker files", err)
	}
	cases := 0
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out := &txtar.Archive{Comment: a.Comment}
		for i := 0; i < len(a.Files); {
			name, _, _ := strings.Cut(a.Files[i].Name, "/")
			var docs []txtar.File
			want := ""
			for ; i < len(a.Files); i++ {
				if a.Files[i].Name == name+".want" {
					want = string(a.Files[i].Data)
				} else if strings.HasPrefix(a.Files[i].Name, name+"/") {
					docs = append(docs, a.Files[i])
				} else {
					break
				}
			}
			cases++
			got := play(t, name, docs)
			if diff := cmp.Diff(want, got); diff != "" && !*update {
				t.Errorf("%s, %s (-want +got):\n%s", file, name, diff)
			}
			out.Files = append(append(out.Files, docs...), txtar.File{Name: name + ".want", Data: []byte(got)})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if cases < 40 {
		t.Errorf("only %d cases", cases)
	}
}

func play(t *testing.T, name string, docs []txtar.File) string {
	t.Helper()
	p := treesitter.NewParser(treesitter.Limits{})
	defer p.Close()
	var c Change
	var others []Document
	for _, d := range docs {
		path, text := strings.TrimPrefix(d.Name, name+"/"), string(d.Data)
		head, rest, edited := strings.Cut(text, "«")
		if !edited {
			others = append(others, parsed(t, p, path, text))
			continue
		}
		change, tail, ok := strings.Cut(rest, "»")
		old, new, ok2 := strings.Cut(change, "|")
		if !ok || !ok2 {
			t.Fatalf("%s: « without | or »", name)
		}
		c.Before, c.After = parsed(t, p, path, head+old+tail), parsed(t, p, path, head+new+tail)
		c.Start, c.OldEnd, c.NewEnd = Difference(c.Before.Text, c.After.Text)
	}
	own, more := Places(c, func(string) []Document { return others })
	got := "nothing\n"
	if len(own) > 0 {
		got = marked(c.After.Text, own)
	}
	for i, o := range others {
		if e := more[i]; len(e) > 0 {
			got += "== " + o.Path + "\n" + marked(o.Text, e)
		}
	}
	return got
}

// TestLog: the keys that make a word are one edit, those elsewhere begin another, and what
// is taken back is none.
func TestLog(t *testing.T) {
	var l Log
	text := "a := one + two\nb := one\n"
	step := func(to string) {
		l.Add(text, to)
		text = to
	}
	for _, to := range []string{"a := on + two\nb := one\n", "a := o + two\nb := one\n", "a :=  + two\nb := one\n", "a := 1 + two\nb := one\n", "a := 12 + two\nb := one\n"} {
		step(to)
	}
	c, ok := l.Newest()
	if !ok || c.Old() != "one" || c.New() != "12" {
		t.Errorf("%q → %q", c.Old(), c.New())
	}
	step("a := 12 + two\nb := ones\n") // elsewhere
	if c, _ := l.Newest(); c.Old() != "" || c.New() != "s" || c.Before.Text != "a := 12 + two\nb := one\n" {
		t.Errorf("%q → %q", c.Old(), c.New())
	}
	step("a := 12 + two\nb := one\n")
	if _, ok := l.Newest(); ok {
		t.Error("an edit that was taken back is there")
	}
}

// TestLogTexts: whatever the edits, what the newest one says makes the one text of the other.
func TestLogTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Log
		piece := rapid.StringMatching(`[abé😀 \n]{0,4}`)
		text := piece.Draw(t, "text")
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			runes := []rune(text)
			from := rapid.IntRange(0, len(runes)).Draw(t, "from")
			to := rapid.IntRange(from, len(runes)).Draw(t, "to")
			next := string(runes[:from]) + piece.Draw(t, "new") + string(runes[to:])
			l.Add(text, next)
			text = next
			c, ok := l.Newest()
			if !ok {
				continue
			}
			if c.After.Text != text || c.Before.Text[:c.Start]+c.New()+c.Before.Text[c.OldEnd:] != text || c.Before.Text == text {
				t.Fatalf("%q %d:%d %q is not %q", c.Before.Text, c.Start, c.OldEnd, c.New(), text)
			}
		}
	})
}

// FuzzPlaces: no edit of no text makes a proposal that is none: out of the text, over
// another, over the edit, or of what is written already.
func FuzzPlaces(f *testing.F) {
	f.Add("package a\nfunc f(x int) { f(x); f(1) }\n", 17, 18, "yy", ".go")
	f.Add("def f(a, b=1):\n    return f(a)\n", 6, 7, "c", ".py")
	f.Add("const {a, b: c} = {a, 'x1234': 1}; // a\n", 7, 8, "", ".ts")
	f.Add("\"8080\" 8080 '8080'", 3, 4, "9", ".rs")
	p := treesitter.NewParser(treesitter.Limits{})
	f.Fuzz(func(t *testing.T, text string, from, to int, new, ext string) {
		text, new = strings.ToValidUTF8(text, "?"), strings.ToValidUTF8(new, "?")
		from = max(0, min(from, len(text)))
		to = max(from, min(to, len(text)))
		after := strings.ToValidUTF8(text[:from]+new+text[to:], "?")
		lang := treesitter.Detect("a"+ext, "")
		if text == after || lang == treesitter.Text || len(text) > 1<<16 {
			return
		}
		c := Change{Before: parsed(t, p, "a"+ext, text), After: parsed(t, p, "a"+ext, after)}
		c.Start, c.OldEnd, c.NewEnd = Difference(text, after)
		own, more := Places(c, func(string) []Document { return []Document{c.After} })
		for i, edits := range [][]Edit{own, more[0]} {
			slices.SortFunc(edits, func(a, b Edit) int { return int(a.Start - b.Start) })
			end := treesitter.ByteOffset(0)
			for _, e := range edits {
				if e.Start < end || e.End < e.Start || int(e.End) > len(after) || after[e.Start:e.End] == e.Text {
					t.Fatalf("%v in %q", edits, after)
				}
				if i == 0 && int(e.Start) < c.NewEnd && c.Start < int(e.End) {
					t.Fatalf("%v is in the edit %d:%d", e, c.Start, c.NewEnd)
				}
				end = e.End
			}
		}
	})
}

// BenchmarkPlaces: a name of a long file is renamed.
func BenchmarkPlaces(b *testing.B) {
	var src strings.Builder
	src.WriteString("package a\n\nvar total = 1\n")
	for i := range 2000 {
		fmt.Fprintf(&src, "\nfunc f%d(x int) int {\n\treturn x + total\n}\n", i)
	}
	p := treesitter.NewParser(treesitter.Limits{})
	defer p.Close()
	c := Change{Before: parsed(b, p, "a.go", src.String()), After: parsed(b, p, "a.go", strings.Replace(src.String(), "total", "whole", 1))}
	c.Start, c.OldEnd, c.NewEnd = Difference(c.Before.Text, c.After.Text)
	for b.Loop() {
		if own, _ := Places(c, nil); len(own) != maxPlaces {
			b.Fatal(len(own))
		}
	}
}
