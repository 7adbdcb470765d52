package lsp

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.lsp.dev/uri"
	"pgregory.net/rapid"
)

// An edit is whole lines, and nothing but what the texts differ in: with it in place of
// what stood there the old text is the new one.
func TestChangedLines(t *testing.T) {
	for _, c := range []struct{ old, now, before, after string }{
		{"a\nb\nc\n", "a\nB\nc\n", "b\n", "B\n"},
		{"a\nb\nc\n", "a\nb\nx\nc\n", "", "x\n"},
		{"a\nb\nc\n", "a\nc\n", "b\n", ""},
		{"a\nb\nc\n", "a\nbb\nc\n", "b\n", "bb\n"},
		{"a", "ab", "a", "ab"},
		{"", "x\n", "", "x\n"},
		{"same\n", "same\n", "", ""},
	} {
		if before, after, _, _ := changedLines(c.old, c.now); before != c.before || after != c.after {
			t.Errorf("%q to %q: %q, %q", c.old, c.now, before, after)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n")), 0, 12, -1)
		old, now := text.Draw(t, "old"), text.Draw(t, "now")
		before, after, from, to := changedLines(old, now)
		if old != now && (now[from:to] != after || old[:from]+before+now[to:] != old || from > 0 && now[from-1] != '\n') {
			t.Fatalf("%q to %q: %q, %q from %d to %d", old, now, before, after, from, to)
		}
	})
}

// Keys typed at one place are one edit; it is over when the person goes on elsewhere; what
// is too large, taken back, or of a closed document is none; and there are never many.
func TestLastEdits(t *testing.T) {
	var e edits
	texts := map[uri.URI]string{}
	text := func(u uri.URI) (string, bool) { now, ok := texts[u]; return now, ok }
	change := func(u uri.URI, now string) { e.changed(u, texts[u], now); texts[u] = now }
	said := func(of uri.URI, at int) string {
		var b strings.Builder
		for _, x := range e.last(of, at, text) {
			fmt.Fprintf(&b, "%s %q %q; ", x.doc, x.before, x.after)
		}
		return b.String()
	}
	filler := strings.Repeat("line\n", 30)
	texts["a"], texts["b"] = "one\n"+filler+"two\n", "b\n"
	for _, s := range []string{"o\n", "\n", "O\n", "ONE\n"} {
		change("a", s+filler+"two\n")
	}
	if got := said("b", 0); got != `a "one\n" "ONE\n"; ` {
		t.Errorf("typed: %s", got)
	}
	if got := said("a", 2); got != "" {
		t.Errorf("under the cursor: %s", got)
	}
	change("a", "ONE\n"+filler+"twoo\n")
	if got := said("b", 0); got != `a "two\n" "twoo\n"; a "one\n" "ONE\n"; ` {
		t.Errorf("elsewhere: %s", got)
	}
	change("a", "ONE\n"+filler+"two\n")
	if got := said("b", 0); got != `a "one\n" "ONE\n"; ` {
		t.Errorf("taken back: %s", got)
	}
	change("b", strings.Repeat("pasted\n", 100))
	if got := said("a", 0); got != `a "one\n" "ONE\n"; ` {
		t.Errorf("pasted: %s", got)
	}
	for i := range 40 { // to and fro
		change("a", fmt.Sprintf("%d\n%s%d\n", i, filler, i/2))
	}
	if n := len(e.last("b", 0, text)); n > maxEdits+2 {
		t.Errorf("%d edits are kept", n)
	}
	e.drop("a")
	if got := said("b", 0); strings.Contains(got, "a ") {
		t.Errorf("closed: %s", got)
	}
}

// The last edits stand in prompts as diffs, without secrets, when the setting says so.
func TestEditsAreShown(t *testing.T) {
	g := &shownTo{}
	w, root, _ := projectOf(t, g, nil, map[string]string{".seedlingignore": "private.go\n"})
	file := func(name string) string { return string(uri.File(filepath.Join(root, name))) }
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"context": "edits"}}})
	for _, name := range []string{"a.go", "b.go", "private.go"} {
		w.openAt(file(name), oneFunc)
	}
	change := func(name string, version int, text string) {
		w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": file(name), "version": version},
			"contentChanges": []any{map[string]any{"range": rng(3, 0, 0), "text": text}}})
	}
	change("b.go", 2, "\tcall(password := \"hunter2hunter2\")\n")
	change("private.go", 2, "\tnobodysBusiness()\n")
	w.wait(w.inlineAt(file("a.go"), 3, 1)).items(t)
	got := g.text()
	if !strings.Contains(got, "+\tcall(password") || strings.Contains(got, "hunter2") || strings.Contains(got, "nobodys") {
		t.Errorf("%q", got)
	}
	w.bye()
}
