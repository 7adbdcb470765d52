package eval

import (
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
)

// TestNgram: the longest known end decides, the more frequent continuation of those, and
// files do not run into one another. A baseline that is weaker than it could be flatters
// what is compared with it.
func TestNgram(t *testing.T) {
	n, err := NewNgram([]File{
		{Text: "if err != nil {\n\treturn err\n}\n"}, {Text: "if err != nil {\n\treturn err\n}\n"}, {Text: "if err != nil {\n\treturn nil, err\n}\nx := "},
		{Text: "y\n"}, {Text: "if ok != nil {\n\treturn true\n}\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	line := func(s string) (int, string) {
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i, "line"
		}
		return 0, ""
	}
	for prefix, want := range map[string]string{
		"\tif err != nil {\n\treturn ":          "err",
		"if err != nil {\n\treturn nil, err\n}": "",         // what follows there is a new line
		"if ok != nil {\n\tret":                 "urn true", // the longest end knows better than the most frequent
		"zzz x := ":                             "",
		"\x01":                                  "",
	} {
		r, err := n.Generate(t.Context(), engine.Request{Prefix: prefix, Stop: line})
		if err != nil {
			t.Fatal(err)
		}
		if r.Text != want {
			t.Errorf("%q: %q (%s), want %q", prefix, r.Text, r.Stop, want)
		}
	}
	if r, err := n.Generate(t.Context(), engine.Request{Prefix: "if err != nil {"}); err != nil || len(r.Text) > ngramAnswer || len(r.Text) < 10 {
		t.Errorf("without a rule: %+v, %v", r, err)
	}
	if _, err := NewNgram(nil); err == nil {
		t.Error("nothing to look up in is taken")
	}
}
