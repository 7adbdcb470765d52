package eval

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seedling-lsp/seedling/engine"
)

// Answers is a Generator that keeps what another one says in a file, and says it from
// there the next time: to change a rule of the finish and measure it again without the
// model. It knows a request by its model, path, prefix and suffix alone, so it is for
// [Finish] and nothing else. Not safe for concurrent use.
type Answers struct {
	from  Generator
	model string
	known map[string]kept
	file  *os.File
}

type kept struct {
	Key         string  `json:"key"`
	Text        string  `json:"text"`
	Stop        string  `json:"stop"`
	LineLogProb float64 `json:"line_logprob"`
}

// OpenAnswers reads path, if it exists, and appends to it. Close it.
func OpenAnswers(path string, from Generator, model string) (*Answers, error) {
	a := &Answers{from: from, model: model, known: map[string]kept{}}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var k kept
			if err := json.Unmarshal(lines.Bytes(), &k); err != nil {
				return nil, fmt.Errorf("reading kept answers: %w; remove %s to ask the model again", err, path)
			}
			a.known[k.Key] = k
		}
		err = lines.Err()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading kept answers: %w", err)
	}
	if a.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, fmt.Errorf("keeping answers: %w", err)
	}
	return a, nil
}

// Generate gives the kept answer, or asks for one and keeps it.
func (a *Answers) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q%q%q%q", a.model, r.Path, r.Prefix, r.Suffix))
	key := hex.EncodeToString(sum[:])
	if k, ok := a.known[key]; ok {
		return engine.Result{Text: k.Text, Stop: k.Stop, LineLogProb: k.LineLogProb}, nil
	}
	res, err := a.from.Generate(ctx, r)
	if err != nil {
		return res, err
	}
	k := kept{key, res.Text, res.Stop, res.LineLogProb}
	a.known[key] = k
	b, err := json.Marshal(k)
	if err != nil {
		return res, fmt.Errorf("keeping an answer: %w", err)
	}
	if _, err := a.file.Write(append(b, '\n')); err != nil {
		return res, fmt.Errorf("keeping an answer: %w", err)
	}
	return res, nil
}

// Close closes the file.
func (a *Answers) Close() error { return a.file.Close() }
