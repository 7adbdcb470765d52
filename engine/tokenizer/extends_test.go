package tokenizer

import (
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Extends answers as a look at every token does, special ones aside.
func TestExtends(t *testing.T) {
	f, err := os.Open(trainedFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := Load(f)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		of := string(tok.Token(rapid.Int32Range(0, int32(tok.Size()-1)).Draw(t, "token")))
		text := of[:rapid.IntRange(0, len(of)).Draw(t, "length")] + rapid.SampledFrom([]string{"", "", "x", "\xff"}).Draw(t, "and")
		want := false
		for id := range int32(tok.Size()) {
			b := string(tok.Token(id))
			want = want || text != "" && len(b) > len(text) && strings.HasPrefix(b, text)
		}
		if got := tok.Extends(text); got != want {
			t.Fatalf("%q: %t, want %t", text, got, want)
		}
	})
	if tok.Extends("<|mas") {
		t.Error("a special token is no text")
	}
}
