package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine/denoise"
)

// What is remembered of other documents must reach the answer, and only while it is
// remembered; a request must not see the copy of its own document, which is out of date.
func TestRemember(t *testing.T) {
	s := newScript(play)
	e := New(s.model(false), s, Options{})
	defer e.Close()
	s.sure = 0.2 // of the script: what is remembered weighs more
	at := 300 + strings.Index(play[300:], "\n\t") + 2
	line, _, _ := strings.Cut(play[at:], "\n")
	ask := func(document string) Result {
		res, err := e.Generate(context.Background(), Request{Document: document, Prefix: play[at-200 : at], MaxTokens: 20, Stop: oneLine, Decode: denoise.Verify})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	plain := ask("x")
	if !strings.HasPrefix(line, plain.Text) {
		t.Fatalf("the script says %q of %q", plain.Text, line)
	}
	other := "another(line, that, stands, elsewhere)"
	for _, id := range []string{"y", "z", "w"} {
		e.Remember(id, play[at-200:at]+other+"\n")
	}
	if n, tokens := e.Remembered(); n != 3 || tokens < 30 {
		t.Errorf("%d documents of %d tokens are remembered", n, tokens)
	}
	if got := ask("a"); got.Text != other || got.Forwards >= plain.Forwards+3 {
		t.Errorf("with three that say so: %q in %d forwards", got.Text, got.Forwards)
	}
	e.Forget("z")
	e.Forget("w")
	if got := ask("y"); got.Text != plain.Text {
		t.Errorf("its own copy was seen: %q", got.Text)
	}
	e.Forget("y")
	if got := ask("b"); got.Text != plain.Text {
		t.Errorf("what is forgotten was seen: %q", got.Text)
	}
}

// The document's own text beyond the windows is remembered as it is now, cleaned, and
// encoded anew only when it changed.
func TestSurroundings(t *testing.T) {
	s := newScript(play)
	e := New(s.model(false), s, Options{})
	defer e.Close()
	s.sure = 0.2
	at := 300 + strings.Index(play[300:], "\n\t") + 2
	other := "said(above)"
	cleaned := 0
	ask := func(above, below string) string {
		res, err := e.Generate(context.Background(), Request{Document: "a", Prefix: play[at-200 : at], Above: above, Below: below,
			Clean: func(text string) string { cleaned++; return strings.ReplaceAll(text, "secret", "said") }, MaxTokens: 20, Stop: oneLine, Decode: denoise.Verify})
		if err != nil {
			t.Fatal(err)
		}
		e.recall.forget("a")
		return res.Text
	}
	plain := ask("", "")
	text := strings.Repeat(play[at-200:at]+"secret(above)\n", 3)
	if got := ask(text, ""); got != other || cleaned != 1 {
		t.Errorf("what stands above: %q, cleaned %d times", got, cleaned)
	}
	if got := ask(text, ""); got != other || cleaned != 1 {
		t.Errorf("again: %q, cleaned %d times", got, cleaned)
	}
	if got := ask("", text); got != other || cleaned != 3 { // "above" is empty now
		t.Errorf("what stands below: %q, cleaned %d times", got, cleaned)
	}
	if got := ask("", ""); got != plain {
		t.Errorf("what stands there no more was seen: %q", got)
	}
}

// Pieces of other files that a request brings are remembered for it alone, and as long as it
// brings them.
func TestSnippetsAreRemembered(t *testing.T) {
	s := newScript(play)
	e := New(s.model(false), s, Options{})
	defer e.Close()
	s.sure = 0.2
	at := 300 + strings.Index(play[300:], "\n\t") + 2
	other := "brought(along)"
	ask := func(document string, snippets ...Snippet) string {
		res, err := e.Generate(context.Background(), Request{Document: document, Prefix: play[at-200 : at], Snippets: snippets,
			MaxTokens: 20, Stop: oneLine, Decode: denoise.Causal})
		if err != nil {
			t.Fatal(err)
		}
		e.recall.forget(document)
		return res.Text
	}
	plain := ask("a")
	said := Snippet{Path: "x.go", Text: strings.Repeat(play[at-200:at]+other+"\n", 3)}
	if got := ask("a", Snippet{Path: "y.go", Text: "package y\n"}, said); got != other {
		t.Errorf("with the piece that says so: %q", got)
	}
	if got := ask("b"); got != plain {
		t.Errorf("another document saw it: %q", got)
	}
	if got := ask("a", Snippet{Path: "y.go", Text: "package y\n"}); got != plain {
		t.Errorf("what is brought no more was seen: %q", got)
	}
}
