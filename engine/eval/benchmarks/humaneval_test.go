package benchmarks

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Child()
	os.Exit(m.Run())
}

var verify = eval.Named{Name: "verify", Mode: denoise.Verify}

// confined skips where the kernel confines nothing (no tool that could be brought) and where
// there is no Python, which fails under CI=true.
func confined(t *testing.T) {
	t.Helper()
	if err := sandbox.Check(t.Context()); errors.Is(err, sandbox.ErrUnavailable) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := python(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// ourProblems are problems of ours in the benchmark's form: a line, the end of one, a loop.
var ourProblems = []Problem{
	{ID: "SingleLineInfilling/Ours/0/L0", Entry: "add", Prompt: "def add(a, b):\n", Suffix: "    return c\n", Solution: "    c = a + b\n",
		Test: "def check(f):\n    assert f(1, 2) == 3\n"},
	{ID: "RandomSpanInfilling/Ours/1/1", Entry: "double", Prompt: "def double(x):\n    return x", Suffix: "\n", Solution: " * 2",
		Test: "def check(f):\n    assert f(4) == 8\n"},
	{ID: "MultiLineInfilling/Ours/2/L1_L2", Entry: "total", Prompt: "def total(xs):\n    s = 0\n", Suffix: "    return s\n", Solution: "    for x in xs:\n        s += x\n",
		Test: "def check(f):\n    assert f([1, 2, 3]) == 6\n"},
}

// byDocument answers by the document's name.
type byDocument map[string]string

func (s byDocument) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	text := s[r.Document]
	if keep, name := r.Stop(text); name != "" {
		text = text[:keep]
	}
	return engine.Result{Text: text, Stop: "end", Forwards: 2, Tokens: 3, LineLogProb: -0.1}, nil
}

// TestHumanEval: the file's own solutions pass, whatever the gap's shape; wrong ones, ones
// that never end and none do not. A completion put together a space wrong would fail every
// model alike, and nobody would know.
func TestHumanEval(t *testing.T) {
	confined(t)
	ask := func(answers ...string) Report {
		t.Helper()
		s := byDocument{}
		for i, p := range ourProblems {
			s[p.ID] = answers[i]
		}
		rep, err := HumanEval(t.Context(), Run{Generator: s, Model: "fake", Decode: verify, Seed: 1}, ourProblems)
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	right := ask("c = a + b\n", " * 2\n", "for x in xs:\n        s += x\n")
	for kind, s := range right.Kinds {
		if s.N != 1 || s.PassAt1 != 1 || s.Exact != 1 || s.Empty != 0 || s.TimedOut != 0 || s.Forwards != 2 {
			t.Errorf("%s, the solution: %+v", kind, *s)
		}
	}
	wrong := ask("c = a - b\n", "", "while True:\n        s += 1\n")
	for kind, s := range wrong.Kinds {
		if s.N != 1 || s.PassAt1 != 0 {
			t.Errorf("%s, a wrong answer: %+v", kind, *s)
		}
	}
	if wrong.Kinds["RandomSpanInfilling"].Empty != 1 || wrong.Kinds["MultiLineInfilling"].TimedOut != 1 {
		t.Errorf("an empty answer and an endless one: %s", wrong.Table())
	}
	if table := right.Table(); !strings.Contains(table, "pass@1") || !strings.Contains(table, "100.0 %") {
		t.Error(table)
	}
}

// TestHumanEvalFile: files of the benchmark are read, packed or not; another file is refused
// with its name and line.
func TestHumanEvalFile(t *testing.T) {
	dir := t.TempDir()
	plain, packed := filepath.Join(dir, "p.jsonl"), filepath.Join(dir, "p.jsonl.gz")
	var text strings.Builder
	e := json.NewEncoder(&text)
	for _, p := range ourProblems {
		if err := e.Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(plain, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	z.Write([]byte(text.String()))
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, packed} {
		all, err := HumanEvalFile(path)
		if err != nil || len(all) != len(ourProblems) || all[2] != ourProblems[2] {
			t.Errorf("%s: %v, %v", path, all, err)
		}
	}
	if some := Draw(ourProblems, 2, 1); len(some) != 2 || some[0] == some[1] {
		t.Errorf("two drawn: %v", some)
	}
	bad := filepath.Join(dir, "bad.jsonl")
	for content, want := range map[string]string{"": "no problems", "{}": "line 1", "nothing": "line 1", text.String() + "{\"task_id\":\"x\"}\n": "line 4"} {
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := HumanEvalFile(bad); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad.jsonl") {
			t.Errorf("%.20q: %v, want %q", content, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "torn.gz"), []byte("no gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := HumanEvalFile(filepath.Join(dir, "torn.gz")); err == nil {
		t.Error("a torn archive is read")
	}
}

func TestAutoIndent(t *testing.T) {
	for before, want := range map[string]string{"": "", "def f():\n": "    ", "def f():\n    x = 1\n\n": "    ", "if a:\n\tif b:\n": "\t    ", "x = 1\n": ""} {
		if got := autoIndent(before); got != want {
			t.Errorf("%q: %q, want %q", before, got, want)
		}
	}
}
