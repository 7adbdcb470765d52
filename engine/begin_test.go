package engine

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// What is cut off a prefix is what is being written, and its space: less would leave the
// model a stub, more would make it write again what is settled.
func TestBegun(t *testing.T) {
	for prefix, word := range map[string]string{
		"\tret": "ret", "\treturn ": " ", "\treturn x": " x", "x := fo": " fo", "fmt.Pri": "Pri", "f(": "f(", "x.foo(": "foo(", "return fmt.": " fmt.", "a := []": " []", `t.Error("`: `Error("`, "f(((((": "((((",
		"a\n//": "//", "x[i]": "i]", "if x {\n\t": "",
		"": "", " ": "", "  ": "", "x  ": "", "x\n ": "", "é": "é", "// größ": " größ", "a1_b": "a1_b", "\t x": "x",
		strings.Repeat("z", 33): "", strings.Repeat("z", 32): strings.Repeat("z", 32), "x \xffa": "", "self, ": " ",
	} {
		context, got := begun(prefix, tokenizer.SplitLines)
		if got != word || context+got != prefix {
			t.Errorf("%q: context %q, word %q, want %q", prefix, context, got, word)
		}
	}
	// Where words are chunks, white space before the word is cut otherwise once it is there.
	for prefix, word := range map[string]string{
		"\tret": "\tret", "x {\n\t\t": "\n\t\t", "x {\n    return x": " x", "a\n": "\n", "if x :=  ": "  ", "f(": "f(", "x": "x", "": "", "a" + strings.Repeat(" ", 33): "",
	} {
		context, got := begun(prefix, tokenizer.SplitWords)
		if got != word || context+got != prefix {
			t.Errorf("words: %q: context %q, word %q, want %q", prefix, context, got, word)
		}
	}
}

// A word that a longer token begins with is not written yet: without this `if err != ` was gone on
// with as anything but nil, because the model had learned that text as the start of one token.
func TestUnfinished(t *testing.T) {
	tok := vocabulary()
	ids := func(text string) []backend.TokenID { return tokenizer.Encode[backend.TokenID](tok, nil, text) }
	for prefix, want := range map[string]string{
		"\tinfo, err := os.Stat(path)\n\tif err != ": "if err != ",
		"\tinfo, err := os.Stat(path)\n\tif err":     "if err",
		"\tx := 1\n\treturn nil, ":                   "return nil, ",
		"\tx := 1\n":                                 "",
		"":                                           "",
	} {
		context, word := begun(prefix, tok.Split())
		kept, got := unfinished(tok, ids(context), word)
		if got != want || string(tokenizer.Decode(tok, nil, kept))+got != prefix {
			t.Errorf("%q: %q is left to be written, want %q", prefix, got, want)
		}
	}
	// Nothing is lost or added, and what is cut off is short and of one line.
	rapid.Check(t, func(t *rapid.T) {
		prefix := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"if err", " != ", "nil", " {", "\n\t", "return ", "f(x", ", ", "größe", "é", "é\xff", " := ", "\"a\"", "for "}), 0, 8).Draw(t, "parts"), "")
		context, word := begun(prefix, tok.Split())
		kept, got := unfinished(tok, ids(context), word)
		if string(tokenizer.Decode(tok, nil, kept))+got != prefix {
			t.Fatalf("%q became %q and %q", prefix, tokenizer.Decode(tok, nil, kept), got)
		}
		if more := strings.TrimSuffix(got, word); len(got) > longestBegun || strings.Contains(more, "\n") || more != "" && !tok.Extends(got) {
			t.Fatalf("%q: %q is cut off", prefix, got)
		}
	})
}

// Whatever the model prefers among what it is left, the answer begins with the word, and
// is free no later than a token a byte. A mistake here would change what people typed.
func TestBeginning(t *testing.T) {
	tok := vocabulary()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{" ", "ret", `t.Error("`, "((((", " err", "größe", " 漢", "x9_", " Seedling", "🙂"}).Draw(t, "word")
		next := beginning(tok, word)
		var decided []backend.TokenID
		for {
			forbid, free := next(decided)
			text := string(tokenizer.Decode(tok, nil, decided))
			if free {
				if !strings.HasPrefix(text, word) {
					t.Fatalf("%q does not begin with %q", text, word)
				}
				return
			}
			no := map[backend.TokenID]bool{}
			for _, x := range forbid {
				no[x] = true
			}
			var left []backend.TokenID
			for id := range backend.TokenID(tok.Size()) {
				if !no[id] {
					left = append(left, id)
				}
				if tok.IsSpecial(int32(id)) && !no[id] {
					t.Fatalf("special token %d is left", id)
				}
			}
			if len(left) == 0 || len(decided) > len(word) {
				t.Fatalf("%d tokens are left after %q of %q", len(left), text, word)
			}
			decided = append(decided, rapid.SampledFrom(left).Draw(t, "next"))
		}
	})
	if beginning(tok, "") != nil {
		t.Error("nothing is begun, but constrains")
	}
}

// At every character of a line, inside words and behind spaces, the answer is the rest of
// the line: no byte that stands there comes again, none is lost, in every mode, by a canvas
// that foretells its own tokens and by one that foretells the next.
func TestEveryPlaceOfALine(t *testing.T) {
	for _, shift := range []bool{false, true} {
		s := newScript(play)
		s.shift = shift
		e := New(s.model(false), s, Options{MemoryTokens: -1})
		defer e.Close()
		from := strings.Index(play, "\tvalue7")
		to := from + strings.IndexByte(play[from:], '\n')
		for _, m := range modes {
			for at := from; at < to; at++ {
				if !utf8.RuneStart(play[at]) {
					continue
				}
				done := ""
				res, err := e.Generate(context.Background(), Request{Prefix: play[:at], MaxTokens: 100, Stop: oneLine, Decode: m, Score: true,
					Watch: func(s Step) { done = s.Done }})
				if err != nil {
					t.Fatal(err)
				}
				if want := play[at:to]; res.Text != want || res.Stop != "line" || !strings.HasPrefix(want+"\n", done) {
					t.Errorf("%v, shift %t, after %q: %q (%s), watched as %q, want %q", m, shift, play[at-5:at], res.Text, res.Stop, done, want)
				}
			}
		}
	}
}

// What a person writes stands, whatever the model would rather have: the sequence goes on
// from the very bytes of the prefix. Were the beginning not forced, the answer would be the
// end of another word than the one begun.
func TestAnotherWordThanTheModels(t *testing.T) {
	for _, m := range modes {
		for _, word := range []string{"vaX", "other.", " q", "größer"} {
			s := newScript(play)
			e := New(s.model(false), s, Options{MemoryTokens: -1})
			prefix := play[:strings.Index(play, "value7")] + word
			if _, err := e.Generate(context.Background(), Request{Prefix: prefix, MaxTokens: 30, Stop: oneLine, Decode: m, Score: true}); err != nil {
				t.Fatal(err)
			}
			for q, tokens := range s.seqs {
				if text := string(tokenizer.Decode(s.tok, nil, tokens)); q != backend.Root && !strings.HasPrefix(text, prefix[:len(prefix)-1]) {
					t.Errorf("%v: after %q the sequence holds %q", m, word, text[max(0, len(text)-20):])
				}
			}
			e.Close()
		}
	}
}

// The bound of a request is the likelihood of its answer's first line, all of it and
// nothing after it; typing along it shrinks with what is left.
func TestLineLogProb(t *testing.T) {
	for text, n := range map[string]int{"": 0, "a": 1, "a\nb": 1, "\n  a\nb": 4, "\n\n": 2} {
		if got := firstLine(text); got != n {
			t.Errorf("the first line of %q ends at %d, want %d", text, got, n)
		}
	}
	s := newScript(play)
	e := New(s.model(false), s, Options{MemoryTokens: -1})
	defer e.Close()
	at := strings.Index(play, "\tvalue7")
	req := Request{Document: "a", Prefix: play[:at+1], MaxTokens: 60, Decode: denoise.Causal}
	long, err := e.Generate(context.Background(), req)
	if err != nil || !strings.Contains(long.Text, "\n") {
		t.Fatalf("%+v, %v", long, err)
	}
	req.Document, req.Stop = "b", oneLine
	line, err := e.Generate(context.Background(), req)
	if err != nil || line.LineLogProb >= 0 || line.LineLogProb < long.LineLogProb-1e-6 || line.LineLogProb > long.LineLogProb+0.05 {
		t.Errorf("of one line %g, of several %g, %v", line.LineLogProb, long.LineLogProb, err)
	}
	req.Prefix += "val"
	rest, err := e.Generate(context.Background(), req)
	if err != nil || rest.Forwards != 0 || rest.LineLogProb < line.LineLogProb || rest.LineLogProb >= 0 {
		t.Errorf("of the rest %g, of the line %g, %d forwards, %v", rest.LineLogProb, line.LineLogProb, rest.Forwards, err)
	}
	for _, c := range []struct {
		bound float64
		stop  string
	}{{line.LineLogProb - 0.01, "line"}, {line.LineLogProb + 0.01, "withheld"}} {
		req.Document, req.MinLogProb, req.Prefix = "", c.bound, play[:at+1]
		if res, err := e.Generate(context.Background(), req); err != nil || res.Stop != c.stop {
			t.Errorf("from %g on: %s, %v; the line has %g", c.bound, res.Stop, err, line.LineLogProb)
		}
	}
}
