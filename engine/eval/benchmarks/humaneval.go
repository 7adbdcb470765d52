package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Problem is one task of HumanEval-Infilling (Bavarian et al., arXiv 2207.14255), as its
// files have it: Python functions with a gap, and tests that tell whether it was filled.
type Problem struct {
	ID       string `json:"task_id"` // SingleLineInfilling/HumanEval/0/L0
	Entry    string `json:"entry_point"`
	Prompt   string `json:"prompt"` // before the gap
	Suffix   string `json:"suffix"` // after it
	Solution string `json:"canonical_solution"`
	Test     string `json:"test"` // defines check(candidate)
}

// kind is the first part of the id: the benchmark that the problem is of.
func (p Problem) kind() string {
	kind, _, _ := strings.Cut(p.ID, "/")
	return kind
}

// program is what tells whether a gap is filled rightly, by its exit code: the benchmark's
// own check.
func (p Problem) program(completion string) string {
	return p.Prompt + completion + p.Suffix + "\n" + p.Test + "\ncheck(" + p.Entry + ")\n"
}

// HumanEvalFile reads a file of the benchmark, .jsonl or .jsonl.gz.
func HumanEvalFile(path string) ([]Problem, error) {
	return read(path, func(p Problem) error {
		if p.ID == "" || p.Entry == "" || p.Test == "" || p.Prompt+p.Suffix == "" {
			return errors.New("no problem of HumanEval-Infilling: it has task_id, prompt, suffix, entry_point and test")
		}
		return nil
	})
}

// HumanEval fills the gaps and runs the tests.
func HumanEval(ctx context.Context, r Run, problems []Problem) (Report, error) {
	rep := Report{Benchmark: "HumanEval-Infilling", Model: r.Model, Seed: r.Seed, Decode: r.Decode.Name, Kinds: map[string]*Score{}}
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
		o, err := kept(r.Kept, func() (o outcome, err error) {
			if o.Text, o.Forwards, err = p.gap().fill(ctx, r.Generator, parser, r.Decode.Mode); err != nil {
				return o, err
			}
			res, err := runPython(ctx, py, p.program(o.Text), sandbox.Limits{})
			o.Passed, o.TimedOut = res.Passed, res.TimedOut
			return o, err
		}, rep.Benchmark, r.Model, r.Decode.Name, p)
		if err != nil {
			return rep, fmt.Errorf("%s: %w", p.ID, err)
		}
		rep.count(p.kind(), o, p.Solution)
		r.progress(i + 1)
	}
	rep.finish()
	return rep, nil
}

func (p Problem) gap() gap {
	mode := infill.Block
	if strings.HasPrefix(p.ID, "SingleLine") {
		mode = infill.Line
	}
	return gap{id: p.ID, path: "main.py", language: treesitter.Python, before: p.Prompt, after: p.Suffix, mode: mode}
}
