package lsp

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tree writes files below a folder; a name that ends in / is a folder.
func tree(t testing.TB, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// hermetic keeps the git configuration of whoever runs the tests out of them.
func hermetic(t testing.TB) {
	t.Helper()
	home := t.TempDir()
	for k, v := range map[string]string{"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": filepath.Dir(home)} {
		t.Setenv(k, v)
	}
}

// ignoredByGit asks git itself which paths are ignored.
func ignoredByGit(t testing.TB, root string, paths []string) map[string]bool {
	t.Helper()
	cmd := exec.Command("git", "-C", root, "check-ignore", "--no-index", "-z", "--stdin")
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00") + "\x00")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("git check-ignore: %v: %s", err, errs.String())
	}
	ignored := map[string]bool{}
	for _, p := range strings.Split(strings.TrimSuffix(out.String(), "\x00"), "\x00") {
		ignored[p] = true
	}
	return ignored
}

func repository(t testing.TB, root string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no git: CI must have it")
		}
		t.Skip("no git to compare with")
	}
	if out, err := exec.Command("git", "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
}

// TestIgnoredAsGit: over random patterns in nested files, exclude files included, a file is
// ignored exactly if git says so. A pattern that we read otherwise shows a person's ignored
// file to the model, or keeps the server silent in a file that is not ignored.
func TestIgnoredAsGit(t *testing.T) {
	hermetic(t)
	if err := os.MkdirAll(filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "git"), 0o755); err != nil {
		t.Fatal(err)
	}
	global := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "git", "ignore")
	root := t.TempDir()
	repository(t, root)
	paths := []string{"a", "b.log", "a b", "[a]", "a!b", "#a", "!a", "{a,b}", "B.LOG", "dir/a", "dir/b.log", "dir/sub/a", "dir/sub/b.log", "dir/sub/deep/x.go", "a.d/a", "a.d/dir/b.log", "x/dir/sub/a", "é/ü.go", "-a", "a\\b", "dir/a ", "]", "x^y"}
	for _, p := range paths {
		tree(t, root, map[string]string{p: ""})
	}
	atom := rapid.SampledFrom([]string{"a", "b", "*", "**", "?", "/", "/", "dir", "sub", ".log", "[a-c]", "[!a]", "[^b.]", "[]a]", "[[:alpha:]]", "[[:upper:][:digit:]]", "[a-]", "[\\]]", "[", "]", "\\", "\\*", " ", "{a,b}", "{", "}", "#", "!", "é", ".", "x", "**/", "/**", "/**/", "[x^]", "B", "[--a]", "[[:nope:]]", "[!]a]"})
	line := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "", "", "!", "/", "\\", "#"}).Draw(t, "lead") + strings.Join(rapid.SliceOfN(atom, 1, 5).Draw(t, "atoms"), "") + rapid.SampledFrom([]string{"", "", "/", " ", "\r", "\\ "}).Draw(t, "end")
	})
	// git takes a literal beginning off a pattern before it looks at the rest, which makes the
	// ** of "a**/b" one between slashes, against its own manual. Who writes that?
	line = line.Filter(func(l string) bool { return !regexp.MustCompile(`[^/]\*\*`).MatchString(strings.TrimPrefix(l, "!")) })
	file := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(line, 0, 4).Draw(t, "lines"), "\n") })
	rapid.Check(t, func(rt *rapid.T) {
		at := []string{filepath.Join(root, ".gitignore"), filepath.Join(root, "dir", ".gitignore"), filepath.Join(root, "dir", "sub", ".gitignore"), filepath.Join(root, ".git", "info", "exclude"), global}
		shown := ""
		for _, name := range at {
			text := file.Draw(rt, "file")
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				rt.Fatal(err)
			}
			shown += fmt.Sprintf("%s: %q\n", strings.TrimPrefix(name, root), text)
		}
		var g ignores
		want := ignoredByGit(t, root, paths)
		for _, p := range paths {
			why, _ := g.why(filepath.Join(root, p), "", true)
			if got := why != ""; got != want[p] {
				rt.Fatalf("%q: ignored %v (%s), git says %v\n%s", p, got, why, want[p], shown)
			}
		}
	})
}

// TestIgnored: what git's own answers do not cover.
func TestIgnored(t *testing.T) {
	hermetic(t)
	root := t.TempDir()
	tree(t, root, map[string]string{
		".seedlingignore":                    "outer.go\nlib/\n",
		"repo/.git/info/exclude":             "excluded.go\n",
		"repo/.gitignore":                    "# generated\n*.gen.go\n/dist/\nkept/\n",
		"repo/.seedlingignore":               "!wanted.gen.go\n!kept/\nmine.go\n",
		"repo/sub/.seedlingignore":           "!mine.go\n",
		"repo/tree/.git":                     "gitdir: ../.git/worktrees/tree\n",
		"repo/.git/worktrees/tree/commondir": "../..\n",
		"plain/.gitignore":                   "x.go\n",
		"plain/sub/":                         "",
	})
	at := func(p string) string { return filepath.Join(root, filepath.FromSlash(p)) }
	for _, c := range []struct{ file, workspace, want string }{
		{"repo/a.go", "", ""},
		{"repo/a.gen.go", "", ".gitignore:2"},
		{"repo/sub/deep/a.gen.go", "", ".gitignore:2"},
		{"repo/dist/x/a.go", "", ".gitignore:3"},
		{"repo/excluded.go", "", ".git/info/exclude:1"},
		{"repo/tree/excluded.go", "", at("repo/.git/info/exclude") + ":1"}, // a worktree shares it
		{"repo/tree/a.gen.go", "", ""},                                     // and is a repository of its own
		{"repo/wanted.gen.go", "", ""},                                     // ours counts before git's
		{"repo/kept/a.go", "", ""},
		{"repo/mine.go", "", ".seedlingignore:3"},
		{"repo/sub/mine.go", "", ""}, // the nearest file counts
		{"repo/outer.go", "", ""},    // is above the repository,
		{"repo/outer.go", "repo", ""},
		{"repo/outer.go", ".", ".seedlingignore:1"}, // but in the workspace
		{"repo/lib/a.go", ".", ".seedlingignore:2"},
		{"plain/x.go", "plain", ".gitignore:1"}, // no repository at all
		{"plain/sub/x.go", "plain", ".gitignore:1"},
		{"plain/sub/x.go", "", ""},
		{"plain/x.go", "", ".gitignore:1"},
		{"plain/x.go", ".", ".gitignore:1"},
	} {
		workspace := c.workspace
		if workspace != "" {
			workspace = at(workspace)
		}
		want := c.want
		if workspace == root && strings.HasPrefix(want, ".gitignore") {
			want = "plain/" + want
		}
		g := ignores{}
		if got, own := g.why(at(c.file), workspace, true); got != want || got != "" && own != strings.Contains(got, ownIgnore) {
			t.Errorf("%s in workspace %q: %q, want %q", c.file, c.workspace, got, want)
		}
		if got, _ := g.why(at(c.file), workspace, false); got != "" && !strings.Contains(got, ownIgnore) {
			t.Errorf("%s: %q although git's files are not asked", c.file, got)
		}
	}
}

// TestIgnoreChanges: a folder that is watched is read once, until it is forgotten; one that
// cannot be watched is read each time. The first without forgetting would be stale for
// ever, the second would be.
func TestIgnoreChanges(t *testing.T) {
	hermetic(t)
	root := t.TempDir()
	tree(t, root, map[string]string{".git/": "", ".gitignore": "a.go\n", "sub/b.go": ""})
	for _, watched := range []bool{true, false} {
		var asked []string
		g := ignores{watched: func(f string) bool { asked = append(asked, f); return watched }}
		ask := func() string { why, _ := g.why(filepath.Join(root, "sub", "b.go"), "", true); return why }
		tree(t, root, map[string]string{".gitignore": "a.go\n"})
		if ask() != "" {
			t.Fatal("ignored too early")
		}
		tree(t, root, map[string]string{".gitignore": "b.go\n"})
		if got := ask(); (got == "") != watched {
			t.Errorf("watched %v: %q after a change that nobody told of", watched, got)
		}
		g.forget(root)
		if got := ask(); got != ".gitignore:1" {
			t.Errorf("watched %v: %q after a change", watched, got)
		}
		if !slices.Contains(asked, root) || !slices.Contains(asked, filepath.Join(root, "sub")) {
			t.Errorf("watched %v", asked)
		}
		// An exclude file needs no watching.
		tree(t, root, map[string]string{".gitignore": "", ".git/info/exclude": "none\n"})
		g.forget("")
		if got := ask(); got != "" {
			t.Errorf("%q", got)
		}
		tree(t, root, map[string]string{".git/info/exclude": "sub/\n"})
		if got := ask(); got != ".git/info/exclude:1" {
			t.Errorf("the exclude file changed: %q", got)
		}
		tree(t, root, map[string]string{".git/info/exclude": "none\n"})
	}
}

// TestIgnoreOdd: what is no ignore file does not block or end the server.
func TestIgnoreOdd(t *testing.T) {
	hermetic(t)
	root := t.TempDir()
	tree(t, root, map[string]string{".git": "gitdir: \n", ".gitignore/": "", ".seedlingignore": strings.Repeat("a", largestIgnore+1), "target": "a.go\n"})
	var told []string
	g := ignores{log: func(path string, err error) { told = append(told, filepath.Base(path)+": "+err.Error()) }}
	if why, _ := g.why(filepath.Join(root, "a.go"), root, true); why != "" {
		t.Errorf("%q", why)
	}
	if len(told) != 2 || !strings.Contains(told[0], "no file of at most") {
		t.Errorf("%q", told)
	}
}
