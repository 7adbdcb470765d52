package replay

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aymanbagabas/go-udiff"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// typist answers every request alike and keeps what it was asked.
type typist struct {
	asked []engine.Request
	texts map[string]string
	err   error
}

func (g *typist) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	g.asked = append(g.asked, r)
	res := engine.Result{Text: "answer()", Stop: "line", Tokens: 4, Forwards: 3, ContextTokens: 100, CachedTokens: 98}
	if len(g.asked)%4 == 0 {
		res.Forwards, res.CachedTokens = 0, 100
	}
	return res, g.err
}

func (g *typist) Remember(document, text string) {
	if g.texts == nil {
		g.texts = map[string]string{}
	}
	g.texts[document] = text
}

// typed gives the texts of a session after its keys.
func typed(t interface{ Fatal(...any) }, s Session) []string {
	keys, err := Script{Sessions: []Session{s}}.Keys()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range s.Files {
		texts = append(texts, f.Text)
	}
	for _, k := range keys {
		e, text := k.Edit, &texts[k.File]
		*text = (*text)[:e.At] + e.Insert + (*text)[e.At+e.Delete:]
	}
	return texts
}

// TestKeys: what a change becomes. Each case is a way in which people edit; without it one of
// them could silently be no part of the figures.
func TestKeys(t *testing.T) {
	long := strings.Repeat("x", pasteFrom)
	for _, tt := range []struct {
		name    string
		changes []Change
		want    string // a letter a key: typed, deleted, jumped, switched, pasted
	}{
		{"typing", []Change{{At: 3, Insert: "漢ab"}}, "stt"},
		{"a line end brings its indentation", []Change{{At: 3, Insert: "{\n\t\tb\n}"}}, "sttt" + "t"},
		{"a few characters back, then others", []Change{{At: 4, Delete: 2, Insert: "ab"}}, "sdtt"},
		{"a selection goes in one key", []Change{{At: 0, Delete: 20, Insert: "a"}}, "st"},
		{"elsewhere", []Change{{At: 3, Insert: "a"}, {At: 9, Insert: "b"}, {At: 10, Insert: "c"}}, "sjt"},
		{"another file, and back", []Change{{At: 3, Insert: "a"}, {File: 1, At: 1, Insert: "b"}, {At: 4, Insert: "c"}}, "sss"},
		{"too long to be typed", []Change{{At: 3, Insert: long}}, "p"},
		{"cut here, pasted there", []Change{{At: 4, Delete: 14}, {At: 9, Insert: "a line of text\n"}}, "sp"},
	} {
		s := Session{Files: []File{{"a.go", "the\na line of text\nand another\n"}, {"b.go", "\n\n"}}, Changes: tt.changes}
		keys, err := Script{Sessions: []Session{s}}.Keys()
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := ""
		for _, k := range keys {
			got += string(k.Kind[0])
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	for _, c := range []Change{{File: 1}, {File: -1}, {At: 2}, {At: -1}, {At: 1, Delete: 1}, {Delete: -1}} {
		if _, err := (Script{Sessions: []Session{{Files: []File{{"a.go", "x"}}, Changes: []Change{c}}}}).Keys(); err == nil {
			t.Errorf("%+v fits", c)
		}
	}
}

// TestNarrowAndType: the changes between two texts, typed, make the one of the other.
func TestNarrowAndType(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a\n", "ab\n", "漢字\n", "漢\n", "\tx := 1\n", "\n", "é", "è"}), 0, 12).Draw(t, "lines"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		before, after := text.Draw(t, "before"), text.Draw(t, "after")
		s := Session{Files: []File{{"a.go", before}}}
		shift := 0
		for _, e := range udiff.Lines(before, after) {
			c := narrow(before, e)
			c.At += shift
			shift += len(e.New) - (e.End - e.Start)
			s.Changes = append(s.Changes, c)
		}
		if got := typed(t, s)[0]; got != after {
			t.Fatalf("%q becomes %q, want %q by %+v", before, got, after, s.Changes)
		}
	})
}

// TestBuiltin: the script in the binary has all kinds of keys, enough of each to speak of.
func TestBuiltin(t *testing.T) {
	s, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys()
	if err != nil {
		t.Fatal(err)
	}
	n := map[Kind]int{}
	for _, k := range keys {
		n[k.Kind]++
	}
	if len(keys) < 600 || n[Typed] < 300 || n[Deleted] < 3 || n[Jumped] < 5 || n[Switched] < 8 || n[Pasted] < 1 {
		t.Errorf("%d keys: %v", len(keys), n)
	}
}

// TestRun: every key's text is asked about at its cursor, silent keys are counted, means are
// over the keys that were asked after.
func TestRun(t *testing.T) {
	s := Script{Source: "here", Sessions: []Session{{
		Files:   []File{{"a.go", "package a\n\nfunc f() {\n\t\n}\n"}, {"b.py", "x = 1\n"}},
		Changes: []Change{{At: 23, Insert: "return"}, {File: 1, At: 6, Insert: "y"}},
	}}}
	g := &typist{}
	done := 0
	rep, err := Run(t.Context(), g, s, Options{Decode: denoise.Causal, MinLogProb: -3, Progress: func(n int) { done = n }})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Keys != 7 || done != 7 || rep.N != len(g.asked) || rep.N+rep.Silent != 7 || rep.N < 4 || len(g.texts) != 2 {
		t.Fatalf("%+v, %d asked, %d remembered", rep, len(g.asked), len(g.texts))
	}
	first, last := g.asked[0], g.asked[len(g.asked)-1]
	if !strings.HasSuffix(first.Prefix, "func f() {\n\tr") || !strings.HasPrefix(first.Suffix, "\n}\n") || first.Decode != denoise.Causal || first.MinLogProb != -3 || first.Priority != engine.Typed {
		t.Errorf("first asked %+v", first)
	}
	if last.Prefix != "x = 1\ny" || last.Document == first.Document {
		t.Errorf("last asked %+v", last)
	}
	if r := float64(rep.N/4) / float64(rep.N); rep.Recalled != r || rep.Cached != 0.98 || math.Abs(rep.ContextTokens-2*(1-r)) > 1e-9 || !(rep.P50 > 0 && rep.P50 <= rep.P95 && rep.P95 <= rep.P99) {
		t.Errorf("%+v", rep)
	}
	if n := rep.Kinds[Typed].N + rep.Kinds[Switched].N; n != rep.N || rep.Kinds[Switched].N == 0 {
		t.Errorf("kinds %+v", rep.Kinds)
	}
	if table := rep.Table(); !strings.Contains(table, "7 keys of here") || !strings.Contains(table, "switched") {
		t.Error(table)
	}
	lost := errors.New("device lost")
	if _, err := Run(t.Context(), &typist{err: lost}, s, Options{}); !errors.Is(err, lost) {
		t.Error(err)
	}
	if rep, err := Run(t.Context(), &typist{}, s, Options{Keys: 2}); err != nil || rep.Keys != 2 {
		t.Errorf("two keys: %+v, %v", rep, err)
	}
}

// TestRecord: of a real repository, the changes of each commit in turns, a file that is too
// long and one that is no code left out; typed, they are what the commit made. It needs git.
func TestRecord(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run("init", "-q")
	if _, err := Record(t.Context(), dir, Bounds{}); err == nil {
		t.Error("a repository without a commit has a history")
	}
	write("a file.go", "package a\n\nvar x = 1\n\nvar y = 2\n")
	write("sub/b.py", "x = 1\n")
	write("long.go", strings.Repeat("// long\n", 200))
	write("note.md", "a\n")
	run("add", ".")
	run("commit", "-qm", "first")
	if _, err := Record(t.Context(), dir, Bounds{}); !errors.Is(err, ErrHistory) {
		t.Errorf("of files that were only added: %v", err)
	}
	write("a file.go", "package a\n\nvar xs = 1\n\nvar y = 22\n")
	write("sub/b.py", "x = 1\nprint(x)\n")
	write("long.go", strings.Repeat("// long\n", 201))
	write("note.md", "b\n")
	run("commit", "-qam", "second")
	s, err := Record(t.Context(), dir, Bounds{FileSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Sessions) != 1 || len(s.Sessions[0].Files) != 2 || len(s.Sessions[0].Changes) != 3 {
		t.Fatalf("%+v", s)
	}
	if c := s.Sessions[0].Changes; c[0].File != 0 || c[1].File != 0 || c[2].File != 1 || c[0].Insert != "s" || c[2].Insert != "print(x)\n" {
		t.Errorf("%+v", c)
	}
	if got := typed(t, s.Sessions[0]); got[0] != "package a\n\nvar xs = 1\n\nvar y = 22\n" || got[1] != "x = 1\nprint(x)\n" {
		t.Errorf("%q", got)
	}
	kept := filepath.Join(t.TempDir(), "script.json")
	if err := s.Write(kept); err != nil {
		t.Fatal(err)
	}
	if again, err := Read(kept); err != nil || len(again.Sessions) != 1 || again.Sessions[0].Files[0] != s.Sessions[0].Files[0] {
		t.Errorf("%+v, %v", again, err)
	}
	if err := os.WriteFile(kept, []byte(`{"sessions":[{"changes":[{"file":3}]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(kept); err == nil || !strings.Contains(err.Error(), "--record") {
		t.Errorf("of a file it does not have: %v", err)
	}
	// Below a folder of the repository, its files alone.
	s, err = Record(t.Context(), filepath.Join(dir, "sub"), Bounds{})
	if err != nil || len(s.Sessions) != 1 || len(s.Sessions[0].Files) != 1 || s.Sessions[0].Files[0].Path != "b.py" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Record(t.Context(), t.TempDir(), Bounds{}); err == nil || !strings.Contains(err.Error(), "git log") {
		t.Errorf("no repository: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Record(gone, dir, Bounds{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
