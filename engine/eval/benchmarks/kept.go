package benchmarks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Kept are results in a file, so that a run that was stopped, at any moment, goes on. A
// result is of a benchmark, a model by its name, a way of decoding and a problem with all its
// text: another of these is asked anew. nil keeps nothing. Not safe for concurrent use.
type Kept struct {
	known map[string]json.RawMessage
	file  *os.File
}

type keptLine struct {
	Key    string          `json:"key"`
	Result json.RawMessage `json:"result"`
}

// OpenKept reads path, if it exists, and appends to it. Close it. A last line that was not
// written to its end is dropped.
func OpenKept(path string) (*Kept, error) {
	k := &Kept{known: map[string]json.RawMessage{}}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading kept results: %w", err)
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	for n, line := range bytes.Split(b[:max(whole-1, 0)], []byte("\n")) {
		var l keptLine
		if err := json.Unmarshal(line, &l); whole > 0 && (err != nil || l.Key == "") {
			return nil, fmt.Errorf("%s, line %d, is no kept result: name another file, or remove it to ask the model again", path, n+1)
		}
		k.known[l.Key] = l.Result
	}
	if k.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, fmt.Errorf("keeping results: %w", err)
	}
	if err = k.file.Truncate(int64(whole)); err == nil {
		_, err = k.file.Seek(int64(whole), 0)
	}
	if err != nil {
		k.file.Close()
		return nil, fmt.Errorf("keeping results: %w", err)
	}
	return k, nil
}

// Close closes the file.
func (k *Kept) Close() error {
	if k == nil {
		return nil
	}
	return k.file.Close()
}

// kept is the result that is kept under a name, or the one that is made, and kept, now.
func kept[T any](k *Kept, make func() (T, error), name ...any) (T, error) {
	if k == nil {
		return make()
	}
	var r T
	b, err := json.Marshal(name)
	if err != nil {
		return r, fmt.Errorf("keeping a result: %w", err)
	}
	sum := sha256.Sum256(b)
	key := hex.EncodeToString(sum[:])
	if b, ok := k.known[key]; ok {
		if err := json.Unmarshal(b, &r); err != nil {
			return r, fmt.Errorf("a kept result: %w", err)
		}
		return r, nil
	}
	if r, err = make(); err != nil {
		return r, err
	}
	l := keptLine{Key: key}
	if l.Result, err = json.Marshal(r); err != nil {
		return r, fmt.Errorf("keeping a result: %w", err)
	}
	if b, err = json.Marshal(l); err != nil {
		return r, fmt.Errorf("keeping a result: %w", err)
	}
	if _, err := k.file.Write(append(b, '\n')); err != nil {
		return r, fmt.Errorf("keeping a result: %w", err)
	}
	k.known[key] = l.Result
	return r, nil
}
