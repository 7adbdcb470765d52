package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// wordEnds are the offsets at which the chunks of SplitWords end.
func wordEnds(text string) []int32 {
	var ends []int32
	for from := 0; from < len(text); {
		from = SplitWords.chunkEnd(text, from)
		ends = append(ends, int32(from))
	}
	return ends
}

// unassigned says whether Go's tables have no category for r.
func unassigned(r rune) bool {
	return unicode.Is(unicode.Cn, r)
}

// Without this test an imported vocabulary would be fed pieces that it has never seen cut
// that way: 10,000 texts must be cut as the tokenizers library cuts them
// (testdata/make_golden_words.py).
func TestWordsAsTokenizersLibrary(t *testing.T) {
	f, err := os.Open("testdata/golden.texts.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("testdata/golden.words.crc32")
	if err != nil {
		t.Fatal(err)
	}
	n, wrong, excused := 0, 0, 0
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan(); n++ {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			t.Fatal(err)
		}
		var raw []byte
		ends := wordEnds(text)
		for _, end := range ends {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(end))
		}
		if crc32.ChecksumIEEE(raw) != binary.LittleEndian.Uint32(sums[4*n:]) {
			if strings.ContainsFunc(text, unassigned) {
				excused++ // a character that is a letter in a newer Unicode than Go's
				continue
			}
			if wrong++; wrong <= 10 {
				t.Errorf("text %d: cut otherwise than by the tokenizers library: %q at %d", n, text, ends)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if excused > 10 {
		t.Errorf("%d texts differ and have characters that Go does not know: too many to be chance", excused)
	}
	if n != 10_000 || len(sums) != 4*n {
		t.Fatalf("read %d texts and %d sums: the golden files are damaged", n, len(sums)/4)
	}
	if wrong > 0 {
		t.Errorf("%d of %d texts differ", wrong, n)
	}
}

// Chunks make the text, bytes that are no UTF-8 too, and none is empty: encoding would not
// end.
func TestWordsCover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.SampledFrom([]byte("a'ls 1\n\t(\xff\xc3\xa9\xc2\xa0\xe4\xbd\xa0")), 0, 40).Draw(t, "text"))
		last := int32(0)
		for _, end := range wordEnds(text) {
			if end <= last {
				t.Fatalf("%q: a chunk from %d ends at %d", text, last, end)
			}
			last = end
		}
		if int(last) != len(text) {
			t.Fatalf("%q is cut until %d", text, last)
		}
	})
}
