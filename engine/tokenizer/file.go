package tokenizer

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// tokenizer.json. Reading is strict: members we do not know, names given twice,
// invalid UTF-8 and any setting that would make the tokenizers library encode
// differently from us are errors, never ignored.
type (
	file struct {
		Version       string         `json:"version"`
		Truncation    jsontext.Value `json:"truncation"`
		Padding       jsontext.Value `json:"padding"`
		AddedTokens   []addedToken   `json:"added_tokens"`
		Normalizer    jsontext.Value `json:"normalizer"`
		PreTokenizer  jsontext.Value `json:"pre_tokenizer"`
		PostProcessor jsontext.Value `json:"post_processor"`
		Decoder       jsontext.Value `json:"decoder"`
		Model         bpeModel       `json:"model"`
	}

	addedToken struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	}

	bpeModel struct {
		Type                    string         `json:"type"`
		Dropout                 jsontext.Value `json:"dropout"`
		UnkToken                jsontext.Value `json:"unk_token"`
		ContinuingSubwordPrefix jsontext.Value `json:"continuing_subword_prefix"`
		EndOfWordSuffix         jsontext.Value `json:"end_of_word_suffix"`
		FuseUnk                 bool           `json:"fuse_unk"`
		ByteFallback            bool           `json:"byte_fallback"`
		IgnoreMerges            bool           `json:"ignore_merges"`
		Vocab                   vocabulary     `json:"vocab"`
		Merges                  mergeList      `json:"merges"`
	}

	// mergeList lists the merges by rank: ["left","right"]; older files have "left right".
	mergeList    []writtenMerge
	writtenMerge struct{ left, right string }

	// vocabulary lists the names of the tokens by id.
	vocabulary []string

	splitSequence struct {
		Type          string     `json:"type"`
		PreTokenizers []splitter `json:"pretokenizers"`
	}
	splitter struct {
		Type     string `json:"type"`
		Pattern  *regex `json:"pattern,omitempty"`
		Behavior string `json:"behavior,omitempty"`
		Invert   *bool  `json:"invert,omitempty"`
		// Of Digits: every digit is a piece of its own.
		IndividualDigits *bool `json:"individual_digits,omitempty"`
		AddPrefixSpace   *bool `json:"add_prefix_space,omitempty"`
		TrimOffsets      *bool `json:"trim_offsets,omitempty"`
		UseRegex         *bool `json:"use_regex,omitempty"`
	}
	regex struct {
		Regex string `json:"Regex"`
	}
)

// WriteJSON writes t as a tokenizer.json, the same bytes each time.
func (t *Tokenizer) WriteJSON(w io.Writer) error {
	f := file{
		Version:      "1.0",
		AddedTokens:  []addedToken{},
		PreTokenizer: mustMarshal(t.split.written()),
		Decoder:      mustMarshal(ourByteLevel()),
		Model:        bpeModel{Type: "BPE", Vocab: make(vocabulary, len(t.tokens)), Merges: make(mergeList, len(t.merges))},
	}
	names := make([]string, len(t.tokens))
	for id, token := range t.tokens {
		if t.special[id] {
			names[id] = string(token)
			f.AddedTokens = append(f.AddedTokens, addedToken{ID: int32(id), Content: names[id], Special: true})
		} else {
			names[id] = string(appendWritten(nil, string(token)))
		}
	}
	copy(f.Model.Vocab, names)
	for i, m := range t.merges {
		f.Model.Merges[i] = writtenMerge{names[m.left], names[m.right]}
	}
	data, err := json.Marshal(f, jsontext.EscapeForHTML(false))
	if err != nil {
		return fmt.Errorf("tokenizer: write: %w", err)
	}
	if err := (*jsontext.Value)(&data).Indent(jsontext.WithIndent(" ")); err != nil {
		return fmt.Errorf("tokenizer: write: %w", err)
	}
	if _, err := w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("tokenizer: write: %w", err)
	}
	return nil
}

// written is the pre-tokenizer as the tokenizers library has it: what cuts into chunks,
// and what writes their bytes in GPT-2's alphabet.
func (s Split) written() splitSequence {
	no, yes := false, true
	if s == SplitWords {
		return splitSequence{"Sequence", []splitter{
			{Type: "Digits", IndividualDigits: &yes},
			{Type: "ByteLevel", AddPrefixSpace: &no, TrimOffsets: &yes, UseRegex: &yes},
		}}
	}
	return splitSequence{"Sequence", []splitter{
		{Type: "Split", Pattern: &regex{ChunkPattern}, Behavior: "Isolated", Invert: &no},
		ourByteLevel(),
	}}
}

func ourByteLevel() splitter {
	f := false
	return splitter{Type: "ByteLevel", AddPrefixSpace: &f, TrimOffsets: &f, UseRegex: &f}
}

// Load reads a tokenizer.json of our kind: byte-level BPE over the chunks of a [Split].
// Anything else is refused with one error that says what is wrong with
// the file; no text is ever encoded by rules other than the file's.
func Load(r io.Reader) (*Tokenizer, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("tokenizer.json: larger than %d MB; this is no tokenizer of ours", maxFileBytes>>20)
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	if err := f.checkSettings(); err != nil {
		return nil, err
	}
	return f.build()
}

// checkSettings refuses every setting under which the file would mean something else
// than what this package does.
func (f *file) checkSettings() error {
	for _, s := range []struct {
		name  string
		value jsontext.Value
	}{
		{"truncation", f.Truncation}, {"padding", f.Padding}, {"normalizer", f.Normalizer},
		{"post_processor", f.PostProcessor}, {"model.dropout", f.Model.Dropout}, {"model.unk_token", f.Model.UnkToken},
		{"model.continuing_subword_prefix", f.Model.ContinuingSubwordPrefix}, {"model.end_of_word_suffix", f.Model.EndOfWordSuffix},
	} {
		if s.value != nil && s.value.Kind() != 'n' && string(s.value) != `""` {
			return fmt.Errorf("%s is set, which is not supported: expected null", s.name)
		}
	}
	switch {
	case f.Version != "1.0":
		return fmt.Errorf("version %q is not supported: expected \"1.0\"", f.Version)
	case f.Model.Type != "BPE":
		return fmt.Errorf("model type %q is not supported: expected \"BPE\"", f.Model.Type)
	case f.Model.ByteFallback, f.Model.IgnoreMerges, f.Model.FuseUnk:
		return errors.New("byte_fallback, ignore_merges and fuse_unk are not supported")
	}
	var decoder splitter
	if err := json.Unmarshal(f.Decoder, &decoder, json.RejectUnknownMembers(true)); err != nil || decoder.Type != "ByteLevel" {
		return errors.New("decoder is not supported: expected ByteLevel")
	}
	return nil
}

// split finds the Split that the file's pre-tokenizer is.
func (f *file) split() (Split, error) {
	var s splitSequence
	if err := json.Unmarshal(f.PreTokenizer, &s, json.RejectUnknownMembers(true)); err == nil && s.Type == "Sequence" && len(s.PreTokenizers) == 2 {
		is := func(b *bool, want bool) bool { return b != nil && *b == want }
		a, b := s.PreTokenizers[0], s.PreTokenizers[1]
		level := b.Type == "ByteLevel" && is(b.AddPrefixSpace, false)
		switch {
		case a.Type == "Split" && a.Pattern != nil && a.Pattern.Regex == ChunkPattern && a.Behavior == "Isolated" && is(a.Invert, false) && level && is(b.UseRegex, false):
			return SplitLines, nil
		case a.Type == "Digits" && is(a.IndividualDigits, true) && level && is(b.UseRegex, true):
			return SplitWords, nil
		}
	}
	return 0, fmt.Errorf("pre_tokenizer is not supported: expected a Sequence of Split by %s (Isolated) and ByteLevel without prefix space or regex, or of Digits (individual) and ByteLevel with its regex", ChunkPattern)
}

// build makes the tokenizer from the names in the file.
func (f *file) build() (*Tokenizer, error) {
	split, err := f.split()
	if err != nil {
		return nil, err
	}
	names := f.Model.Vocab
	ids := make(map[string]int32, len(names))
	for id, name := range names {
		ids[name] = int32(id)
	}
	special := make([]int32, 0, len(f.AddedTokens))
	isSpecial := make(map[int32]bool, len(f.AddedTokens))
	for _, a := range f.AddedTokens {
		id, ok := ids[a.Content]
		switch {
		case a.Content == "":
			return nil, fmt.Errorf("added token %d is empty", a.ID)
		case !ok || id != a.ID:
			return nil, fmt.Errorf("added token %q has id %d, but the vocabulary does not", a.Content, a.ID)
		case !a.Special || a.SingleWord || a.LStrip || a.RStrip || a.Normalized:
			return nil, fmt.Errorf("added token %q: only special tokens without stripping, word matching and normalizing are supported", a.Content)
		case isSpecial[id]:
			return nil, fmt.Errorf("added token %q stands twice", a.Content)
		}
		isSpecial[id] = true
		special = append(special, id)
	}
	return assemble(split, names, ids, special, f.Model.Merges)
}

// assemble makes a tokenizer of names by id, ids by name, special tokens and merges.
func assemble(split Split, names []string, ids map[string]int32, special []int32, written []writtenMerge) (*Tokenizer, error) {
	special = slices.Clone(special)
	slices.Sort(special)
	isSpecial := make(map[int32]bool, len(special))
	for _, id := range special {
		isSpecial[id] = true
	}

	tokens := make([][]byte, len(names))
	for id, name := range names {
		text := name
		if !isSpecial[int32(id)] {
			var ok bool
			if text, ok = readWritten(name); !ok || text == "" {
				return nil, fmt.Errorf("token %d, %q, is not written in GPT-2's byte alphabet", id, name)
			}
		}
		if len(text) > maxTokenBytes {
			return nil, fmt.Errorf("token %d is %d bytes long, more than %d", id, len(text), maxTokenBytes)
		}
		tokens[id] = []byte(text)
	}

	merges := make([]merge, len(written))
	for rank, w := range written {
		var m merge
		for _, part := range []struct {
			name string
			id   *int32
		}{{w.left, &m.left}, {w.right, &m.right}, {w.left + w.right, &m.into}} {
			id, ok := ids[part.name]
			if !ok {
				return nil, fmt.Errorf("merge %d, of %q and %q, names %q, which is not in the vocabulary", rank, w.left, w.right, part.name)
			}
			if isSpecial[id] {
				return nil, fmt.Errorf("merge %d, of %q and %q, would make text of the special token %q", rank, w.left, w.right, part.name)
			}
			*part.id = id
		}
		merges[rank] = m
	}
	return newTokenizer(split, tokens, special, merges)
}

func mustMarshal(v any) jsontext.Value {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own literals
	}
	return data
}

// MarshalJSONTo writes {"name": id, ...} by ascending id.
func (v vocabulary) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for id, name := range v {
		if err := e.WriteToken(jsontext.String(name)); err != nil {
			return err
		}
		if err := e.WriteToken(jsontext.Int(int64(id))); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// UnmarshalJSONFrom reads {"name": id, ...}; the ids must be 0 to n-1, each once, in
// any order. (That no name stands twice is the decoder's care.)
func (v *vocabulary) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if t, err := d.ReadToken(); err != nil {
		return err
	} else if t.Kind() != '{' {
		return errors.New("vocab must be an object of names and ids")
	}
	type entry struct {
		name string
		id   int64
	}
	var entries []entry
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		text := name.String() // before the next read, which invalidates the token
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		id, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("the id of token %.40q, %.40s, is not an integer", text, value)
		}
		if len(entries) == maxVocabulary {
			return fmt.Errorf("the vocabulary has more than %d tokens", maxVocabulary)
		}
		entries = append(entries, entry{text, id})
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	names := make([]string, len(entries))
	taken := make([]bool, len(entries))
	for _, e := range entries {
		if e.id < 0 || e.id >= int64(len(entries)) {
			return fmt.Errorf("token %q has id %d, outside 0 to %d: ids must have no gaps", e.name, e.id, len(entries)-1)
		}
		if taken[e.id] {
			return fmt.Errorf("id %d is given to both %q and %q", e.id, names[e.id], e.name)
		}
		names[e.id], taken[e.id] = e.name, true
	}
	*v = names
	return nil
}

// MarshalJSONTo writes [["left","right"], ...].
func (l mergeList) MarshalJSONTo(e *jsontext.Encoder) error {
	tokens := []jsontext.Token{jsontext.BeginArray}
	for _, m := range l {
		tokens = append(tokens, jsontext.BeginArray, jsontext.String(m.left), jsontext.String(m.right), jsontext.EndArray)
	}
	for _, t := range append(tokens, jsontext.EndArray) {
		if err := e.WriteToken(t); err != nil {
			return err
		}
	}
	return nil
}

// UnmarshalJSONFrom reads [["left","right"], ...] or ["left right", ...].
func (l *mergeList) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if t, err := d.ReadToken(); err != nil {
		return err
	} else if t.Kind() != '[' {
		return errors.New("merges must be a list of pairs of tokens")
	}
	for d.PeekKind() != ']' {
		parts := make([]string, 0, 2)
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		switch t.Kind() {
		case '"':
			parts = strings.Split(t.String(), " ")
		case '[':
			for d.PeekKind() == '"' && len(parts) < 3 {
				t, err := d.ReadToken()
				if err != nil {
					return err
				}
				parts = append(parts, t.String())
			}
			if t, err = d.ReadToken(); err != nil {
				return err
			}
			if t.Kind() != ']' {
				parts = nil
			}
		}
		if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
			return fmt.Errorf("merge %d is not a pair of tokens", len(*l))
		}
		if len(*l) == maxMerges {
			return fmt.Errorf("there are more than %d merges", maxMerges)
		}
		*l = append(*l, writtenMerge{parts[0], parts[1]})
	}
	_, err := d.ReadToken()
	return err
}
