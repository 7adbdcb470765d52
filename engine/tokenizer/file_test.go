package tokenizer

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// What is written must be what was read, byte for byte: a vocabulary that changes on
// its way through us would no longer fit its weights.
func TestWriteJSONIsWhatLoadRead(t *testing.T) {
	want, err := os.ReadFile(trainedFile)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := load(t).WriteJSON(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("tokenizer.json of %d bytes is written back as %d other bytes", len(want), got.Len())
	}
}

// Tools older than 2024 write merges as "left right".
func TestLoadReadsTheOlderMerges(t *testing.T) {
	tok := tiny(t)
	data := edit(t, tok, func(m map[string]any) {
		merges := model(m)["merges"].([]any)
		for i, pair := range merges {
			p := pair.([]any)
			merges[i] = p[0].(string) + " " + p[1].(string)
		}
	})
	old, err := Load(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := tok.WriteJSON(&a); err != nil {
		t.Fatal(err)
	}
	if err := old.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Error("the tokenizer read from older merges differs")
	}
}

// edit returns the file of tok with a change made to it.
func edit(t testing.TB, tok *Tokenizer, change func(m map[string]any)) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tok.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func model(m map[string]any) map[string]any { return m["model"].(map[string]any) }
func vocab(m map[string]any) map[string]any { return model(m)["vocab"].(map[string]any) }

// A tokenizer that is read wrongly does not fail: it gives the model other tokens, and
// the model answers nonsense. So every way in which a file may be broken, or mean
// something that we do not do, is one clear error.
func TestLoadRefuses(t *testing.T) {
	tok := tiny(t)
	if _, err := Load(bytes.NewReader(edit(t, tok, func(map[string]any) {}))); err != nil {
		t.Fatalf("the unchanged file is refused: %v", err)
	}
	pre := func(m map[string]any, i int) map[string]any {
		return m["pre_tokenizer"].(map[string]any)["pretokenizers"].([]any)[i].(map[string]any)
	}
	added := func(m map[string]any) map[string]any { return m["added_tokens"].([]any)[0].(map[string]any) }
	for name, test := range map[string]struct {
		change func(m map[string]any)
		want   string
	}{
		"another model":         {func(m map[string]any) { model(m)["type"] = "Unigram" }, "Unigram"},
		"no model":              {func(m map[string]any) { delete(m, "model") }, "model type"},
		"version":               {func(m map[string]any) { m["version"] = "2.0" }, "version"},
		"unknown setting":       {func(m map[string]any) { m["surprise"] = 1 }, "surprise"},
		"unknown model setting": {func(m map[string]any) { model(m)["surprise"] = 1 }, "surprise"},
		"dropout":               {func(m map[string]any) { model(m)["dropout"] = 0.1 }, "dropout"},
		"word suffix":           {func(m map[string]any) { model(m)["end_of_word_suffix"] = "</w>" }, "end_of_word_suffix"},
		"ignored merges":        {func(m map[string]any) { model(m)["ignore_merges"] = true }, "ignore_merges"},
		"normalizer":            {func(m map[string]any) { m["normalizer"] = map[string]any{"type": "NFC"} }, "normalizer"},
		"truncation":            {func(m map[string]any) { m["truncation"] = map[string]any{"max_length": 5} }, "truncation"},
		"no pre-tokenizer":      {func(m map[string]any) { m["pre_tokenizer"] = nil }, "pre_tokenizer"},
		"another pattern":       {func(m map[string]any) { pre(m, 0)["pattern"] = map[string]any{"Regex": `\s+`} }, "pre_tokenizer"},
		"inverted pattern":      {func(m map[string]any) { pre(m, 0)["invert"] = true }, "pre_tokenizer"},
		"prefix space":          {func(m map[string]any) { pre(m, 1)["add_prefix_space"] = true }, "pre_tokenizer"},
		"GPT-2's own regex":     {func(m map[string]any) { pre(m, 1)["use_regex"] = true }, "pre_tokenizer"},
		"no decoder":            {func(m map[string]any) { m["decoder"] = nil }, "decoder"},
		"id twice":              {func(m map[string]any) { vocab(m)["aa"] = vocab(m)["ab"] }, "is given to both"},
		"gap in the ids":        {func(m map[string]any) { vocab(m)["ab"] = 100000 }, "no gaps"},
		"huge id":               {func(m map[string]any) { vocab(m)["ab"] = 1e15 }, "no gaps"},
		"negative id":           {func(m map[string]any) { vocab(m)["ab"] = -1 }, "no gaps"},
		"id is no integer":      {func(m map[string]any) { vocab(m)["ab"] = 1.5 }, "not an integer"},
		"no byte": {func(m map[string]any) {
			vocab(m)["zzz"] = vocab(m)["!"]
			delete(vocab(m), "!")
		}, "no token for byte 0x21"},
		"not in the alphabet": {func(m map[string]any) {
			vocab(m)["世"] = vocab(m)["!"]
			delete(vocab(m), "!")
		}, "byte alphabet"},
		"giant token":          {func(m map[string]any) { vocab(m)[strings.Repeat("z", 5000)] = len(vocab(m)) }, "5000 bytes"},
		"merge of unknown":     {func(m map[string]any) { model(m)["merges"].([]any)[3] = []any{"q", "zzz"} }, `"zzz", which is not in the vocabulary`},
		"merge into unknown":   {func(m map[string]any) { model(m)["merges"].([]any)[3] = []any{"z", "z"} }, `"zz", which is not in the vocabulary`},
		"merge of three":       {func(m map[string]any) { model(m)["merges"].([]any)[3] = []any{"a", "b", "c"} }, "not a pair"},
		"merge of a number":    {func(m map[string]any) { model(m)["merges"].([]any)[3] = 3 }, "not a pair"},
		"merge twice":          {func(m map[string]any) { ms := model(m)["merges"].([]any); ms[3] = ms[0] }, "second time"},
		"merge of special":     {func(m map[string]any) { model(m)["merges"].([]any)[3] = []any{"<|mask|>", "a"} }, "special token"},
		"added token unknown":  {func(m map[string]any) { added(m)["content"] = "<|other|>" }, "<|other|>"},
		"added token's id":     {func(m map[string]any) { added(m)["id"] = 7 }, "has id 7"},
		"added token is text":  {func(m map[string]any) { added(m)["special"] = false }, "only special"},
		"added token strips":   {func(m map[string]any) { added(m)["lstrip"] = true }, "only special"},
		"added token twice":    {func(m map[string]any) { a := m["added_tokens"].([]any); m["added_tokens"] = append(a, a[0]) }, "twice"},
		"vocabulary is a list": {func(m map[string]any) { model(m)["vocab"] = []any{"a", "b"} }, "vocab must be an object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(bytes.NewReader(edit(t, tok, test.change)))
			if err == nil {
				t.Fatal("the file is accepted")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "tokenizer.json: ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q does not say %q", err, test.want)
			}
		})
	}
}

// Faults that a JSON writer does not make.
func TestLoadRefusesBrokenJSON(t *testing.T) {
	var b bytes.Buffer
	if err := tiny(t).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for name, bad := range map[string]string{
		"empty":             "",
		"not JSON":          "hello",
		"cut":               good[:len(good)/2],
		"more after it":     good + "{}",
		"a name twice":      strings.Replace(good, `"a": `, `"b": `, 1),
		"a setting twice":   strings.Replace(good, `"version": "1.0",`, `"version": "1.0", "version": "1.0",`, 1),
		"invalid UTF-8":     strings.Replace(good, "Isolated", "Isolated\xff", 1),
		"deep nesting":      strings.Repeat("[", 1_000_000),
		"wrong type inside": strings.Replace(good, `"merges": [`, `"merges": 3, "x": [`, 1),
	} {
		if _, err := Load(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: the file is accepted", name)
		} else if len(err.Error()) > 500 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

// endless is a file that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestLoadStopsAtAnAbsurdSize(t *testing.T) {
	if _, err := Load(endless{}); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("an endless file: %v", err)
	}
}

// Whatever the file holds, Load answers, and what it accepts works. (Fuzz it with
// -fuzzminimizetime=20x: else each find of these 10 KB files is minimized for a minute.)
func FuzzLoad(f *testing.F) {
	var b bytes.Buffer
	if err := tiny(f).WriteJSON(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"version":"1.0","model":{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]]}}`))
	f.Add([]byte(`{"added_tokens":[{"id":0}],"model":{"vocab":{"\u0000":0}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Load(bytes.NewReader(data))
		if err != nil {
			return
		}
		const text = "for i := 0; i < n; i++ {\n\t\xff}\r\n"
		if got := Decode(tok, nil, Encode(tok, []int32(nil), text)); string(got) != text {
			t.Fatalf("a file that is accepted encodes %q to what decodes to %q", text, got)
		}
		var out bytes.Buffer
		if err := tok.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(&out); err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
	})
}
