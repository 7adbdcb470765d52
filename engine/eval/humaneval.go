package eval

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
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

// Problems reads a file of the benchmark, .jsonl or .jsonl.gz.
func Problems(path string) ([]Problem, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReader(f)
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	var all []Problem
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var p Problem
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		if p.ID == "" || p.Entry == "" || p.Test == "" || p.Prompt+p.Suffix == "" {
			return nil, fmt.Errorf("%s, line %d: no problem of HumanEval-Infilling: it has task_id, prompt, suffix, entry_point and test", path, n)
		}
		all = append(all, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no problems", path)
	}
	return all, nil
}

// DrawProblems draws n of them, or all if there are no more, in their order.
func DrawProblems(all []Problem, n int, seed uint64) []Problem {
	if n <= 0 || n >= len(all) {
		return all
	}
	picked := rand.New(rand.NewPCG(seed, 1)).Perm(len(all))[:n]
	slices.Sort(picked)
	var out []Problem
	for _, i := range picked {
		out = append(out, all[i])
	}
	return out
}

// Passed is the answer of `seedling eval humaneval`: pass@1 of one greedy answer, the
// benchmark's own metric.
type Passed struct {
	Model  string                  `json:"model"`
	Seed   uint64                  `json:"seed"`
	Decode string                  `json:"decode"`
	Kinds  map[string]*PassedScore `json:"kinds"`
}

// PassedScore is of the problems of one kind.
type PassedScore struct {
	N        int        `json:"n"`
	PassAt1  float64    `json:"pass_at_1"`
	CI95     [2]float64 `json:"ci95"`
	Exact    float64    `json:"exact"` // answers that are the file's solution
	TimedOut int        `json:"timed_out"`
	Empty    int        `json:"empty"`
	Forwards float64    `json:"forwards"`

	passed, exact, forwards int
}

// python finds the interpreter that programs are run with.
func python() (string, error) {
	for _, name := range []string{"python3", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		// What is found may be a shim that starts another: the interpreter knows itself.
		out, err := exec.Command(path, "-I", "-c", "import sys; print(sys.executable)").Output()
		if real := strings.TrimSpace(string(out)); err == nil && filepath.IsAbs(real) {
			return real, nil
		}
	}
	return "", errors.New("no python3 on the PATH: the benchmark's tests are Python")
}

// HumanEval fills the gaps and runs the tests, each in a sandbox: what the model wrote does
// not run anywhere else. progress is told the problems done.
func HumanEval(ctx context.Context, g Generator, name string, problems []Problem, mode Named, seed uint64, progress func(done int)) (Passed, error) {
	rep := Passed{Model: name, Seed: seed, Decode: mode.Name, Kinds: map[string]*PassedScore{}}
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
		s := rep.Kinds[p.kind()]
		if s == nil {
			s = &PassedScore{}
			rep.Kinds[p.kind()] = s
		}
		text, forwards, err := p.fill(ctx, g, parser, mode.Mode)
		if err != nil {
			return rep, fmt.Errorf("%s: %w", p.ID, err)
		}
		s.N++
		s.forwards += forwards
		if strings.TrimSpace(text) == "" {
			s.Empty++
		}
		if strings.TrimSpace(text) == strings.TrimSpace(p.Solution) {
			s.exact++
		}
		res, err := run(ctx, py, p.program(text))
		if err != nil {
			return rep, fmt.Errorf("%s: %w", p.ID, err)
		}
		if res.Passed {
			s.passed++
		}
		if res.TimedOut {
			s.TimedOut++
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	for _, s := range rep.Kinds {
		s.PassAt1, s.CI95 = float64(s.passed)/float64(s.N), wilson(s.passed, s.N)
		s.Exact, s.Forwards = float64(s.exact)/float64(s.N), float64(s.forwards)/float64(s.N)
	}
	return rep, nil
}

// run runs a Python program in a folder of its own.
func run(ctx context.Context, py, program string) (sandbox.Result, error) {
	dir, err := os.MkdirTemp("", "seedling-eval-")
	if err != nil {
		return sandbox.Result{}, fmt.Errorf("a folder to run programs in: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "program.py")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		return sandbox.Result{}, fmt.Errorf("a program to run: %w", err)
	}
	return sandbox.Run(ctx, dir, sandbox.Limits{}, py, "-I", "-B", file)
}

// fill asks for a problem's gap as an editor would, and gives what belongs between prompt
// and suffix. Where the gap is of whole lines, the file has no line there: an editor does,
// an empty one, indented by the editor as the line before asks, that the cursor stands in.
func (p Problem) fill(ctx context.Context, g Generator, parser *treesitter.Parser, mode denoise.Mode) (string, int, error) {
	lines := (p.Prompt == "" || strings.HasSuffix(p.Prompt, "\n")) && p.Suffix != "" && !strings.HasPrefix(p.Suffix, "\n")
	indent, end := "", ""
	if lines {
		indent, end = autoIndent(p.Prompt), "\n"
	}
	before := p.Prompt + indent
	text := before + end + p.Suffix
	tree, err := parser.Parse(treesitter.Python, nil, text)
	if err != nil {
		return "", 0, err
	}
	defer tree.Close()
	plan := infill.NewPlan(infill.Document{Path: "main.py", Language: treesitter.Python, Text: text, Tree: tree}, infill.ByteOffset(len(before)),
		infill.Options{Mode: p.mode(), Priority: engine.Invoked, Document: p.ID})
	_, res, err := plan.Answers(1, func(r engine.Request) (engine.Result, error) {
		r.Decode = mode
		return g.Generate(ctx, r)
	})
	if err != nil {
		return "", 0, err
	}
	s := plan.Finish(res)
	wrote := s.Text
	if int(s.End) > len(before) { // it wrote the right of the cursor anew
		wrote = strings.TrimSuffix(wrote, text[len(before):s.End])
	}
	return indent + strings.TrimSuffix(wrote, end) + end, res.Forwards, nil
}

// autoIndent is what editors put at the start of a line of Python after these: the
// indentation of the last line that is not empty, and a level more after a colon.
func autoIndent(before string) string {
	last := ""
	for line := range strings.Lines(before) {
		if strings.TrimSpace(line) != "" {
			last = strings.TrimRight(line, " \t\n")
		}
	}
	indent := last[:len(last)-len(strings.TrimLeft(last, " \t"))]
	if strings.HasSuffix(last, ":") {
		indent += "    "
	}
	return indent
}

func (p Problem) mode() infill.Mode {
	if strings.HasPrefix(p.ID, "SingleLine") {
		return infill.Line
	}
	return infill.Block
}

// Table is the report for a person.
func (r Passed) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, %s\tn\tpass@1\t95 %%\texact\ttimed out\tempty\tforwards\t\n", r.Model, r.Decode)
	for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
		s := r.Kinds[k]
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t%.1f–%.1f\t%.1f %%\t%d\t%d\t%.1f\t\n", k, s.N, 100*s.PassAt1, 100*s.CI95[0], 100*s.CI95[1], 100*s.Exact, s.TimedOut, s.Empty, s.Forwards)
	}
	w.Flush()
	return b.String()
}
