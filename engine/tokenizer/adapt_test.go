package tokenizer

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// written is t as New takes it.
func written(t *Tokenizer) (tokens []string, special []int32, merges []string) {
	for id, b := range t.tokens {
		if t.special[id] {
			tokens = append(tokens, string(b))
		} else {
			tokens = append(tokens, string(appendWritten(nil, string(b))))
		}
	}
	for _, m := range t.merges {
		merges = append(merges, tokens[m.left]+" "+tokens[m.right])
	}
	return tokens, slices.Clone(t.order), merges
}

// A vocabulary that comes by New is the one it was: imported models would else be given
// other ids than they were trained on. What is wrong with one is said.
func TestNew(t *testing.T) {
	tok := load(t)
	tokens, special, merges := written(tok)
	again, err := New(SplitLines, tokens, special, merges)
	if err != nil {
		t.Fatal(err)
	}
	const text = "func main() {\n\tfmt.Println(\"größe\", 12)\n}\n"
	if a, b := Encode[int32](tok, nil, text), Encode[int32](again, nil, text); !slices.Equal(a, b) {
		t.Errorf("%v became %v", a, b)
	}
	if m := MissingBytes(tokens); len(m) != 0 {
		t.Errorf("bytes are missing: %q", m)
	}
	for _, c := range []struct {
		name, want string
		tokens     []string
		special    []int32
		merges     []string
	}{
		{"a byte is missing", "0x0a", slices.DeleteFunc(slices.Clone(tokens), func(s string) bool { return s == "Ċ" }), nil, nil},
		{"twice a token", "both", append(slices.Clone(tokens), "a"), special, merges},
		{"a special token outside", "special token 999999", tokens, []int32{999999}, merges},
		{"half a merge", "not a pair", tokens, special, []string{"a"}},
		{"a merge of three", "not a pair", tokens, special, []string{"a b c"}},
		{"a merge of nothing known", "not in the vocabulary", tokens, special, []string{"a zzzzzzzzzzz"}},
	} {
		if _, err := New(SplitLines, c.tokens, c.special, c.merges); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if m := MissingBytes(slices.DeleteFunc(slices.Clone(tokens), func(s string) bool { return s == "Ċ" })); !slices.Equal(m, []string{"Ċ"}) {
		t.Errorf("missing %q, a newline is", m)
	}
}

// Whatever a vocabulary is cut to, every text decodes to itself, no token is one that
// nothing merges into, and tokens of the new ids are those of the old. Without this a
// pruned model could be asked for a token that no text ever becomes.
func TestAdapt(t *testing.T) {
	tok := load(t)
	rapid.Check(t, func(t *rapid.T) {
		counts := make([]int64, tok.Size())
		seed := rapid.Uint32().Draw(t, "seed")
		for i := range counts {
			seed = seed*1664525 + 1013904223
			counts[i] = int64(seed >> 20)
		}
		size := rapid.IntRange(300, 2000).Draw(t, "size")
		cut, from, err := tok.Adapt([]string{"<x>", "<y>"}, counts, size)
		if err != nil {
			t.Fatal(err)
		}
		if cut.Size() != size || len(from) != size || cut.Split() != tok.Split() || !slices.Equal(cut.SpecialNames(), []string{"<x>", "<y>"}) {
			t.Fatalf("%d tokens for %d, special ones %q", cut.Size(), size, cut.SpecialNames())
		}
		made := map[int32]bool{}
		for _, m := range cut.merges {
			made[m.into] = true
		}
		for id, old := range from {
			switch {
			case id < 2:
				if old != -1 {
					t.Fatalf("special token %d is said to be %d", id, old)
				}
			case string(cut.Token(int32(id))) != string(tok.Token(old)):
				t.Fatalf("token %d is %q, but %d was %q", id, cut.Token(int32(id)), old, tok.Token(old))
			case cut.Len(int32(id)) > 1 && !made[int32(id)]:
				t.Fatalf("nothing merges into token %d, %q", id, cut.Token(int32(id)))
			}
		}
		text := rapid.String().Draw(t, "text") + "func f(err error) {\n\t\treturn nil\n}"
		if got := string(Decode(cut, nil, Encode[int32](cut, nil, text))); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
		// The file holds it, too.
		var b strings.Builder
		if err := cut.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Load(strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		if x, y := Encode[int32](cut, nil, text), Encode[int32](again, nil, text); !slices.Equal(x, y) {
			t.Fatalf("%v before and %v after a file", x, y)
		}
	})
	whole, from, err := tok.Adapt([]string{"<x>"}, nil, 0)
	if err != nil || whole.Size() != tok.Size()+1 || from[0] != -1 || from[1] != 0 || len(whole.SpecialNames()) != len(tok.SpecialNames())+1 {
		t.Errorf("all of it: %d tokens, special %q, %v", whole.Size(), whole.SpecialNames(), err)
	}
	for want, call := range map[string]func() error{
		"already": func() error { _, _, err := tok.Adapt([]string{"<|mask|>"}, nil, 0); return err },
		"bytes":   func() error { _, _, err := tok.Adapt(nil, make([]int64, tok.Size()), 255); return err },
		"counts":  func() error { _, _, err := tok.Adapt(nil, nil, 300); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// A file says how its texts are cut, and keeps it.
func TestSplitInFile(t *testing.T) {
	tok := load(t)
	tokens, special, merges := written(tok)
	words, err := New(SplitWords, tokens, special, merges)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := words.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Load(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if again.Split() != SplitWords || tok.Split() != SplitLines {
		t.Errorf("split %d, and of ours %d", again.Split(), tok.Split())
	}
	if _, err := Load(strings.NewReader(strings.Replace(b.String(), `"individual_digits": true`, `"individual_digits": false`, 1))); err == nil || !strings.Contains(err.Error(), "pre_tokenizer") {
		t.Errorf("digits in runs are taken: %v", err)
	}
}
