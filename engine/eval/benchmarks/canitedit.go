package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Instructed is one task of CanItEdit (Cassano et al., arXiv 2312.12450), as its files have it:
// a Python program, two instructions for the same change of it, and tests of the changed one.
type Instructed struct {
	Name        string `json:"full_name"`
	Before      string `json:"before"`
	After       string `json:"after"`
	Tests       string `json:"tests"`
	Descriptive string `json:"instruction_descriptive"`
	Lazy        string `json:"instruction_lazy"`
	Taxonomy    struct {
		Kind string `json:"change_kind"` // adaptive, corrective or perfective
	} `json:"taxonomy"`
}

// Instructions are the names of the two, in the order in which they are asked.
var Instructions = []string{"descriptive", "lazy"}

func (p Instructed) instruction(name string) string {
	if name == "lazy" {
		return p.Lazy
	}
	return p.Descriptive
}

// program is a changed program with the tests: it passes if it ends with exit code 0.
func (p Instructed) program(changed string) string { return changed + "\n" + p.Tests }

// CanItEditFile reads a file of the benchmark, .jsonl or .jsonl.gz.
func CanItEditFile(path string) ([]Instructed, error) {
	return read(path, func(p Instructed) error {
		if p.Name == "" || p.Before == "" || p.After == "" || p.Tests == "" || p.Descriptive == "" || p.Lazy == "" {
			return errors.New("no problem of CanItEdit: it has full_name, before, after, tests, instruction_descriptive and instruction_lazy")
		}
		return nil
	})
}

// Limits of the benchmark's runs by the clock; memory is ample for the libraries that some
// problems need.
var (
	judging  = sandbox.Limits{Time: 15 * time.Second, Memory: 8 << 30, FileSize: 64 << 20}
	covering = sandbox.Limits{Time: time.Minute, Memory: 8 << 30, FileSize: 64 << 20}
)

// rounds bounds the edits that are made of one program, one after another.
const rounds = 8

// edit changes a program as a person would with Seedling's suggestions: the instruction
// stands above it as a comment, the program is the draft, and the change that is suggested
// first is taken until none is.
func (p Instructed) edit(ctx context.Context, g eval.Editor, parser *treesitter.Parser, instruction string) (string, int, error) {
	head := comment("#", p.instruction(instruction)) + "\n"
	text, forwards := head+p.Before, 0
	seen := []string{text}
	for range rounds {
		tree, err := parser.Parse(treesitter.Python, nil, text)
		if err != nil {
			return "", forwards, err
		}
		best, sum, err := infill.Repair(infill.Document{Path: "main.py", Language: treesitter.Python, Text: text, Tree: tree},
			infill.ByteOffset(len(head)), infill.ByteOffset(len(text)),
			infill.EditOptions{Priority: engine.Invoked, Document: p.Name + " " + instruction, PrefixBytes: 12 << 10}, parser,
			func(r engine.EditRequest) (engine.EditResult, error) { return g.Edit(ctx, r) })
		tree.Close()
		forwards += sum.Forwards
		if err != nil {
			return "", forwards, err
		}
		if len(best.Edits) == 0 {
			break
		}
		if text = infill.ApplyEdits(text, best.Edits); slices.Contains(seen, text) {
			break // it goes to and fro
		}
		seen = append(seen, text)
	}
	return strings.TrimPrefix(text, head), forwards, nil
}

// edited is what became of one program.
type edited struct {
	outcome
	Excess *excess `json:"excess,omitempty"` // of one that passed, if it could be measured
}

// CanItEdit has every program changed by both instructions and runs the tests. Problems of
// which the benchmark's own solution does not pass here (a library is missing, say) are left
// out. Of r the generator and the decoding are not used.
func CanItEdit(ctx context.Context, r Run, g eval.Editor, problems []Instructed) (EditReport, error) {
	rep := EditReport{Benchmark: "CanItEdit", Model: r.Model, Seed: r.Seed, Instructions: map[string]*EditScore{}}
	if err := sandbox.Check(ctx); err != nil {
		return rep, err
	}
	py, err := python()
	if err != nil {
		return rep, err
	}
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	for i, p := range problems {
		res, err := runPython(ctx, py, p.program(p.After), judging)
		if err != nil {
			return rep, fmt.Errorf("%s: %w", p.Name, err)
		}
		if !res.Passed {
			rep.leave(res)
			r.progress(i + 1)
			continue
		}
		for _, name := range Instructions {
			e, err := kept(r.Kept, func() (edited, error) { return p.judge(ctx, g, parser, py, name) }, rep.Benchmark, r.Model, name, p)
			if err != nil {
				return rep, fmt.Errorf("%s, %s: %w", p.Name, name, err)
			}
			rep.count(name, p, e)
			rep.count("all", p, e)
		}
		r.progress(i + 1)
	}
	rep.finish()
	return rep, nil
}

// judge has a program changed, and says what came of it.
func (p Instructed) judge(ctx context.Context, g eval.Editor, parser *treesitter.Parser, py, name string) (e edited, err error) {
	if e.Text, e.Forwards, err = p.edit(ctx, g, parser, name); err != nil {
		return e, err
	}
	res, err := runPython(ctx, py, p.program(e.Text), judging)
	if err != nil {
		return e, err
	}
	if e.Passed, e.TimedOut = res.Passed, res.TimedOut; e.Passed {
		e.Excess, err = measureExcess(ctx, py, p.Before, p.program(e.Text))
	}
	return e, err
}
