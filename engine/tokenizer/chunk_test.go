package tokenizer

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// chunkyText draws texts in which everything that matters to chunks is dense.
func chunkyText() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "foo", "(", " ", "\t", "\n", "\r", "\r\n", "    ", "é", "\x80", "\u2028"}), 0, 40),
		func(parts []string) string { return strings.Join(parts, "") })
}

func chunkEnds(text string) []int {
	var ends []int
	for from := 0; from < len(text); {
		from = ChunkEnd(text, from)
		ends = append(ends, from)
	}
	return ends
}

// The scanner is what we encode by, the pattern what others do: were they different,
// our ids would differ from those of the same tokenizer.json elsewhere. (The pattern
// works on characters and the scanner on bytes; the regexp package takes each invalid
// byte for a character, so the two are compared on such texts as well.)
func TestScannerIsThePattern(t *testing.T) {
	pattern := regexp.MustCompile(ChunkPattern)
	rapid.Check(t, func(t *rapid.T) {
		text := chunkyText().Draw(t, "text")
		var want []int
		for _, m := range pattern.FindAllStringIndex(text, -1) {
			want = append(want, m[1])
		}
		if got := chunkEnds(text); !slices.Equal(got, want) {
			t.Fatalf("chunks of %q end at %d, by the pattern at %d", text, got, want)
		}
	})
}

// Callers that encode a file in pieces cut it where ChunkStart says. If that were not a
// chunk's start the pieces would have other tokens than the whole.
func TestChunkStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := chunkyText().Draw(t, "text")
		ends := chunkEnds(text)
		for at := range len(text) + 2 {
			want := 0
			for _, end := range ends {
				if end <= at && end < len(text) {
					want = end
				}
			}
			if got := ChunkStart(text, at); got != want {
				t.Fatalf("ChunkStart(%q, %d) = %d, want %d", text, at, got, want)
			}
		}
	})
}

// Words are what stage one of training sees; that they are the ones the documentation
// names decides the vocabulary.
func TestWords(t *testing.T) {
	for _, test := range []struct {
		chunk string
		want  []string
	}{
		{"if err != nil {\n\t\t", []string{"if", " err", " !=", " nil", " {", "\n\t\t"}},
		{"x_1 = foo2(12, -3.5)\n    ", []string{"x_1", " =", " foo2", "(", "1", "2", ",", " -", "3", ".", "5", ")", "\n    "}},
		{"a   = b  1  \n", []string{"a", "  ", " =", " b", "  ", "1", "  \n"}},
		{"\tnaïve 世界", []string{"\t", "naïve", " 世界"}},
		{"\r\n", []string{"\r\n"}},
		{" ", []string{" "}},
	} {
		var got []string
		for from := 0; from < len(test.chunk); {
			to := wordEnd(test.chunk, from)
			got = append(got, test.chunk[from:to])
			from = to
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("words of %q: %q, want %q", test.chunk, got, test.want)
		}
	}
}
