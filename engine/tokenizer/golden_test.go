package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"testing"
)

// trainedFile is the built-in model's vocabulary. After a new one, run make_golden.py.
const trainedFile = "../weights/tokenizer.json"

// load reads it.
func load(t testing.TB) *Tokenizer {
	t.Helper()
	f, err := os.Open(trainedFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Without this test the model could be trained, by us or by others, on other tokens
// than it is served with: 10,000 texts must give the ids that Hugging Face's tokenizers
// library gives them from the built-in tokenizer.json (testdata/make_golden.py).
func TestSameIDsAsTokenizersLibrary(t *testing.T) {
	tok := load(t)
	f, err := os.Open("testdata/golden.texts.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("testdata/golden.crc32")
	if err != nil {
		t.Fatal(err)
	}

	n, long, wrong := 0, 0, 0
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan(); n++ {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			t.Fatal(err)
		}
		if len(text) > longChunk {
			long++
		}
		ids := Encode(tok, []int32(nil), text)
		var raw []byte
		for _, id := range ids {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(id))
		}
		if got, want := crc32.ChecksumIEEE(raw), binary.LittleEndian.Uint32(sums[4*n:]); got != want {
			if wrong++; wrong <= 5 {
				t.Errorf("text %d: other ids than the tokenizers library for\n%q\nours: %d", n, text, ids)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if n != 10_000 || len(sums) != 4*n || long < 100 {
		t.Fatalf("read %d texts (%d of them long) and %d sums: the golden files are damaged", n, long, len(sums)/4)
	}
	if wrong > 0 {
		t.Errorf("%d of %d texts differ", wrong, n)
	}
}
