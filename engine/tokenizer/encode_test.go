package tokenizer

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// anyText draws byte strings: arbitrary ones, and ones made of pieces of the vocabulary,
// where merges meet and compete.
func anyText(tok *Tokenizer) *rapid.Generator[string] {
	piece := rapid.Map(rapid.Int32Range(0, int32(tok.Size())-1), func(id int32) string {
		if tok.IsSpecial(id) {
			return tok.Name(id)
		}
		return string(tok.Token(id))
	})
	return rapid.OneOf(
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.SliceOfN(piece, 0, 80), func(p []string) string { return strings.Join(p, "") }),
		rapid.String(),
	)
}

// A completion must leave the user's bytes as they are, and nothing that a user types
// may act as a special token.
func TestEveryByteStringRoundTrips(t *testing.T) {
	tok := load(t)
	rapid.Check(t, func(t *rapid.T) {
		text := anyText(tok).Draw(t, "text")
		ids := Encode(tok, []int32(nil), text)
		for _, id := range ids {
			if tok.IsSpecial(id) {
				t.Fatalf("%q encodes to the special token %s", text, tok.Name(id))
			}
		}
		if got := Decode(tok, nil, ids); string(got) != text {
			t.Fatalf("%q comes back as %q", text, got)
		}
		if n := Length(tok, ids); n != len(text) {
			t.Fatalf("Length is %d of %d bytes", n, len(text))
		}
	})
}

func TestEverySingleByteRoundTrips(t *testing.T) {
	tok := load(t)
	for b := range 256 {
		text := string([]byte{byte(b)})
		if got := Decode(tok, nil, Encode(tok, []int32(nil), text)); string(got) != text {
			t.Errorf("byte %#02x comes back as %q", b, got)
		}
	}
}

// slowEncode is BPE by its definition, for one chunk.
func slowEncode(tok *Tokenizer, chunk string) []int32 {
	var ids []int32
	for i := range len(chunk) {
		ids = append(ids, tok.bytes[chunk[i]])
	}
	for {
		best, at := -1, 0
		for i := 0; i+1 < len(ids); i++ {
			rank := slices.IndexFunc(tok.merges, func(m merge) bool { return m.left == ids[i] && m.right == ids[i+1] })
			if rank >= 0 && (best < 0 || rank < best) {
				best, at = rank, i
			}
		}
		if best < 0 {
			return ids
		}
		ids[at] = tok.merges[best].into
		ids = slices.Delete(ids, at+1, at+2)
	}
}

// Two algorithms merge, by the length of the chunk. If one had a flaw, a line would
// change all its tokens when it grows past the limit, and the model would not know it.
func TestBothMergesAreTheDefinition(t *testing.T) {
	tok := tiny(t)
	rapid.Check(t, func(t *rapid.T) {
		chunk := rapid.StringMatching(`[abc ]{1,300}`).Draw(t, "chunk")
		want := slowEncode(tok, chunk)
		s := new(scratch)
		if got := tok.mergeShort(s, chunk); !slices.Equal(got, want) {
			t.Fatalf("mergeShort of %q: %d, want %d", chunk, got, want)
		}
		if got := tok.mergeLong(s, chunk); !slices.Equal(got, want) {
			t.Fatalf("mergeLong of %q: %d, want %d", chunk, got, want)
		}
	})
}

// tiny trains a vocabulary whose tokens overlap in all ways: of abc and spaces only.
func tiny(t testing.TB) *Tokenizer {
	t.Helper()
	cfg := DefaultTrainConfig()
	cfg.Size = len(cfg.Special) + 256 + 60
	tok, err := Train(t.Context(), cfg, texts("abcabcaabbcc abc bca aaaa aaa bbbbb ab abab cab cabab\n bb cc ca aab aabcb bcbc"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestShortAndLongAgreeOnTheRealVocabulary(t *testing.T) {
	tok := load(t)
	rapid.Check(t, func(t *rapid.T) {
		text := anyText(tok).Draw(t, "text")
		if text == "" {
			return
		}
		s := new(scratch)
		short := slices.Clone(tok.mergeShort(s, text))
		if long := tok.mergeLong(s, text); !slices.Equal(short, long) {
			t.Fatalf("%q: short %d, long %d", text, short, long)
		}
	})
}

// "Edits are local" of the package comment: without it a keystroke in the middle of a
// file could change the tokens of the whole cached context.
func TestEditInsideALineChangesItsChunkOnly(t *testing.T) {
	tok := load(t)
	rapid.Check(t, func(t *rapid.T) {
		text := chunkyText().Draw(t, "text")
		starts := append([]int{0}, chunkEnds(text)...)
		c := rapid.IntRange(0, max(0, len(starts)-2)).Draw(t, "chunk")
		if len(starts) < 2 {
			return
		}
		from, to := starts[c], starts[c+1]
		line := strings.TrimRight(text[from:to], "\r\n\t ")
		if line == "" {
			return // nothing but a line end: editing it may join chunks
		}
		at := from + rapid.IntRange(1, len(line)).Draw(t, "at")
		insert := rapid.SampledFrom([]string{"x", " ", "foo(", "\t", "世"}).Draw(t, "insert")
		edited := text[:at] + insert + text[at:]

		before, after := Encode(tok, []int32(nil), text[:from]), Encode(tok, []int32(nil), text[to:])
		got := Encode(tok, []int32(nil), edited)
		middle := Encode(tok, []int32(nil), edited[from:to+len(insert)])
		if want := slices.Concat(before, middle, after); !slices.Equal(got, want) {
			t.Fatalf("editing %q at %d changed tokens outside the chunk [%d, %d)", text, at, from, to)
		}
	})
}

// Special tokens and ids of no token decode to nothing, so that a block that the model
// ended with <|end|> is its text.
func TestSpecialTokensDecodeToNothing(t *testing.T) {
	tok := load(t)
	for i, name := range DefaultTrainConfig().Special {
		if id, ok := tok.Special(name); !ok || id != int32(i) || !tok.IsSpecial(id) || tok.Token(id) != nil || tok.Name(id) != name {
			t.Errorf("special token %s has id %d, %v", name, id, ok)
		}
	}
	if _, ok := tok.Special("if"); ok {
		t.Error("an ordinary token passes for a special one")
	}
	end, _ := tok.Special("<|end|>")
	type id int32 // as callers have their own
	ids := append(Encode(tok, []id{id(end)}, "x := 1"), id(end), -1, id(tok.Size()), 1<<30)
	if got := Decode(tok, []byte("> "), ids); string(got) != "> x := 1" {
		t.Errorf("decoded to %q", got)
	}
}

// The server encodes several documents at once.
func TestConcurrentUse(t *testing.T) {
	tok := load(t)
	text := strings.Repeat("\tif err := f(a, b); err != nil {\n\t\treturn err\n\t}\n", 50)
	want := Encode(tok, []int32(nil), text)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got := Encode(tok, []int32(nil), text); !slices.Equal(got, want) {
					t.Error("concurrent Encode gives other tokens")
				}
			}
		})
	}
	wg.Wait()
}

// A minified file is one line of megabytes; quadratic merging would hang the server.
// The limit here is far from quadratic (hours) and far from what it takes (under a second).
func TestLongLine(t *testing.T) {
	tok := load(t)
	text := strings.Repeat("a=b+c;foo(bar);", 5<<20/15)
	ids := Encode(tok, []int32(nil), text)
	if got := Decode(tok, nil, ids); !bytes.Equal(got, []byte(text)) {
		t.Fatal("a line of 5 MB does not round-trip")
	}
}

func FuzzEncodeDecode(f *testing.F) {
	tok := load(f)
	for _, s := range []string{"", "\n", "\r\n\t<|mask|>", "a\xffb", "if x {\n\t\ty()\n\t}\n", strings.Repeat("ab ", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ids := Encode(tok, []int32(nil), text)
		if got := Decode(tok, nil, ids); string(got) != text {
			t.Fatalf("%q comes back as %q", text, got)
		}
		for _, id := range ids {
			if tok.IsSpecial(id) {
				t.Fatalf("%q encodes to %s", text, tok.Name(id))
			}
		}
	})
}
