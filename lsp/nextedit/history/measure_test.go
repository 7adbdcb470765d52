package history

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repositoryOf commits one state of some files after the other.
func repositoryOf(t *testing.T, states ...map[string]string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has no git")
		}
		t.Skip("no git")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	for _, files := range states {
		for name, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git("add", "-A")
		git("commit", "-q", "-m", "x")
	}
	return dir
}

// TestMeasure: what the author did by the same words counts for the proposals, what the author
// left alone against them.
func TestMeasure(t *testing.T) {
	a := "package a\n\nfunc total(count int) int {\n\tif count < 0 {\n\t\treturn 0\n\t}\n\treturn count * price(1)\n}\n"
	b := "package a\n\nfunc price(n int) int { return n }\n\nfunc all() int {\n\treturn price(2) + price(3)\n}\n"
	dir := repositoryOf(t,
		map[string]string{"a.go": a, "b.go": b, "notes.txt": "price\nprice\n"},
		// A local name, everywhere.
		map[string]string{"a.go": strings.ReplaceAll(a, "count", "items")},
		// A parameter more: the author forgets one call, and rewrites a line besides.
		map[string]string{"b.go": "package a\n\nfunc price(n, m int) int { return n }\n\nfunc all() int {\n\treturn price(2, 0) + price(3, 0)\n}\n", "notes.txt": "price\ncost\n"},
		// Two lines that have nothing to do with each other.
		map[string]string{"a.go": strings.Replace(strings.Replace(strings.ReplaceAll(a, "count", "items"), "< 0", "< 1", 1), "return 0", "return 7", 1)},
	)
	r, err := Measure(context.Background(), dir, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + r.Table() + strings.Join(r.Wrong, "\n"))
	if r.Commits != 3 || r.Edits != 3+2+2 {
		t.Errorf("%d commits, %d edits", r.Commits, r.Edits)
	}
	// Each of the three lines of the name leads to the two others.
	if r.Same.N < 6 || r.Same.K < 6 {
		t.Errorf("of the author's changes %d of %d were proposed", r.Same.K, r.Same.N)
	}
	if r.Proposed.K < 6 || r.First.K < 3 || r.Touched.K < r.Proposed.K {
		t.Errorf("%+v %+v %+v", r.Proposed, r.First, r.Touched)
	}
	again, err := Measure(context.Background(), dir, 100, nil)
	if err != nil || again.Table() != r.Table() {
		t.Errorf("the same repository, another result: %v\n%s", err, again.Table())
	}
}

// TestMeasureWrong: a change that the author did not make in other places counts as wrong.
func TestMeasureWrong(t *testing.T) {
	f := "package a\n\nfunc f(x int) {\n\tuse(x)\n\tuse(1)\n}\n\nfunc g() {\n\tf(1)\n\tf(2)\n}\n"
	dir := repositoryOf(t, map[string]string{"a.go": f},
		// Broken: the declaration is renamed, the calls are not, and another line changes.
		map[string]string{"a.go": strings.Replace(strings.Replace(f, "func f(", "func h(", 1), "use(1)", "use(3)", 1)})
	r, err := Measure(context.Background(), dir, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Proposed.N == 0 || r.Proposed.K != 0 || len(r.Wrong) != r.Proposed.N {
		t.Errorf("%+v\n%s", r.Proposed, strings.Join(r.Wrong, "\n"))
	}
}

// TestNoRepository: a folder without a history is named.
func TestNoRepository(t *testing.T) {
	if _, err := Measure(context.Background(), t.TempDir(), 10, nil); err == nil || !strings.Contains(err.Error(), "no git repository") {
		t.Errorf("%v", err)
	}
}
