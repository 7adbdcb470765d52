package benchmarks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Safim is one task of SAFIM (Gong et al., arXiv 2403.04814), as its files have it: a program
// in Python, C++, Java or C# with a gap.
type Safim struct {
	ID          string `json:"task_id"`
	Language    string `json:"lang"`         // python, cpp, java or csharp
	Prompt      string `json:"prompt"`       // what to program, then the program, with a comment in the gap
	EvalPrompt  string `json:"eval_prompt"`  // the program, {{completion}} in the gap
	GroundTruth string `json:"ground_truth"` // what stood there
	UnitTests   tests  `json:"unit_tests"`   // none: the answer is compared with the truth
}

// unitTest is an input of a program, and the outputs that are right.
type unitTest struct {
	Input  string   `json:"input"`
	Output []string `json:"output"`
}

// tests are a list in JSON, or a string that holds it, as the files have it.
type tests []unitTest

func (t *tests) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		if b = []byte(s); strings.TrimSpace(s) == "" {
			b = []byte("null")
		}
	}
	var list []unitTest
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("unit_tests: %w", err)
	}
	*t = list
	return nil
}

// Split is a part of SAFIM: what its gaps are.
type Split string

const (
	BlockSplit   Split = "block"   // statements (block, block_v2)
	ControlSplit Split = "control" // the head of a loop or a branch
	APISplit     Split = "api"     // a call
)

// SplitOf is the split that a file's name tells, e.g. block_v2.jsonl.gz.
func SplitOf(path string) (Split, error) {
	name := strings.ToLower(filepath.Base(path))
	for _, s := range []Split{BlockSplit, ControlSplit, APISplit} {
		if strings.Contains(name, string(s)) {
			return s, nil
		}
	}
	return "", fmt.Errorf("%s does not tell the split of SAFIM that it is of: say --split block, control or api", name)
}

const completion = "{{completion}}"

// placeholders stand in the gap of a prompt.
var placeholders = map[string]string{"python": "# TODO: Your code here", "java": "/* TODO: Your code here */", "cpp": "/* TODO: Your code here */", "csharp": "/* TODO: Your code here */"}

// SafimFile reads a file of the benchmark, .jsonl or .jsonl.gz.
func SafimFile(path string) ([]Safim, error) {
	return read(path, func(p Safim) error {
		if p.ID == "" || placeholders[p.Language] == "" || p.GroundTruth == "" || strings.Count(p.EvalPrompt, completion) != 1 {
			return errors.New("no problem of SAFIM: it has task_id, lang, prompt, eval_prompt with one {{completion}}, ground_truth and unit_tests")
		}
		return nil
	})
}

// files of the languages: what the model is told that it is in.
var safimFiles = map[string]string{"python": "main.py", "cpp": "main.cpp", "java": "Main.java", "csharp": "Program.cs"}

// gap is the problem as an editor has it: the program with nothing in the gap and, if
// described, what the prompt says before the program as a comment above it.
func (p Safim) gap(split Split, described bool) gap {
	before, after, _ := strings.Cut(p.EvalPrompt, completion)
	g := gap{id: p.ID, path: safimFiles[p.Language], after: after, mode: infill.Block}
	g.language = treesitter.Detect(g.path, "")
	switch split {
	case ControlSplit:
		g.mode = infill.Line
	case APISplit:
		g.mode = infill.Statement
	}
	if described {
		before = p.description(before) + before
	}
	g.before = before
	return g
}

// description is what a prompt says before the program, as a comment; empty where it says
// nothing, or where its program is another than the one that is tried.
func (p Safim) description(before string) string {
	said, _, ok := strings.Cut(p.Prompt, placeholders[p.Language])
	said, same := strings.CutSuffix(said, before)
	if said = strings.TrimSpace(said); !ok || !same || said == "" {
		return ""
	}
	mark := "//"
	if p.Language == "python" {
		mark = "#"
	}
	return comment(mark, said) + "\n"
}

// comment makes lines of comments.
func comment(mark, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(mark+" "+line, " \t\r\n") + "\n")
	}
	return b.String()
}

// cut ends an answer where SAFIM's own rule for the split ends it. It has one for blocks, too,
// in place of which stand the stop rules of infill, which are of the syntax as well.
func (s Split) cut(language, text string) string {
	switch {
	case s == ControlSplit && language == "python": // the first line that is not empty
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) != "" {
				return strings.TrimRight(line, "\r\n")
			}
		}
		return ""
	case s == ControlSplit: // what the brackets around the gap hold
		depth := 0
		for i, c := range text {
			if c == '(' {
				depth++
			} else if c == ')' {
				if depth--; depth < 0 {
					return text[:i]
				}
			}
		}
	case s == APISplit: // one call
		depth := 0
		for i, c := range text {
			if c == '(' {
				depth++
			} else if c == ')' {
				if depth--; depth <= 0 {
					return text[:i+1]
				}
			}
		}
	}
	return text
}

// SAFIM fills the gaps of a split, and runs the tests or, where there are none, compares calls.
// Problems in a language without its compiler here are left out. described puts what a prompt
// says above the program.
func SAFIM(ctx context.Context, r Run, split Split, described bool, problems []Safim) (Report, error) {
	rep := Report{Benchmark: "SAFIM " + string(split), Model: r.Model, Seed: r.Seed, Decode: r.Decode.Name, Kinds: map[string]*Score{}}
	judge, problems, left, err := newSafimJudge(ctx, problems)
	if err != nil {
		return rep, err
	}
	rep.LeftOut = left
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	for i, p := range problems {
		o, err := kept(r.Kept, func() (o outcome, err error) {
			if o.Text, o.Forwards, err = p.gap(split, described).fill(ctx, r.Generator, parser, r.Decode.Mode); err != nil {
				return o, err
			}
			o.Text = split.cut(p.Language, o.Text)
			o.Passed, o.TimedOut, err = judge.passes(ctx, p, o.Text)
			return o, err
		}, rep.Benchmark, r.Model, r.Decode.Name, described, p)
		if err != nil {
			return rep, fmt.Errorf("%s: %w", p.ID, err)
		}
		rep.count(p.Language, o, p.GroundTruth)
		rep.count("all", o, p.GroundTruth)
		r.progress(i + 1)
	}
	rep.finish()
	return rep, nil
}

// safimJudge says which answers are right, as SAFIM's evaluation does.
type safimJudge struct {
	tools  map[string]toolchain
	python string
}

// newSafimJudge finds the compilers that problems need, and gives the problems that can be
// judged with them.
func newSafimJudge(ctx context.Context, problems []Safim) (j safimJudge, can []Safim, left []LeftOut, err error) {
	j.tools = map[string]toolchain{}
	missing, at := map[string]string{}, map[string]int{}
	confined := false
	for _, p := range problems {
		runs := len(p.UnitTests) > 0
		if !runs && p.Language != "python" { // texts are compared
			can = append(can, p)
			continue
		}
		if !confined {
			if err := sandbox.Check(ctx); err != nil {
				return j, nil, nil, err
			}
			confined = true
		}
		if _, known := j.tools[p.Language]; !known && missing[p.Language] == "" {
			t, why := tools(p.Language)
			if missing[p.Language] = why; why == "" {
				j.tools[p.Language] = t
			}
		}
		if why := missing[p.Language]; why != "" {
			if _, seen := at[p.Language]; !seen {
				at[p.Language] = len(left)
				left = append(left, LeftOut{What: p.Language, Why: why})
			}
			left[at[p.Language]].N++
			continue
		}
		can = append(can, p)
	}
	return j, can, left, nil
}

// passes judges an answer: the truth passes as it is; else all tests must, or, where there are
// none, the call must be the truth's.
func (j safimJudge) passes(ctx context.Context, p Safim, text string) (passed, late bool, err error) {
	switch {
	case text == p.GroundTruth:
		return true, false, nil
	case len(p.UnitTests) == 0:
		passed, err = j.sameCall(ctx, p.Language, text, p.GroundTruth)
		return passed, false, err
	}
	t := j.tools[p.Language]
	err = folder(func(dir string) error {
		argv, ok, err := t.build(ctx, dir, strings.ReplaceAll(p.EvalPrompt, completion, text))
		if err != nil || !ok {
			return err
		}
		for _, u := range p.UnitTests {
			out, res, err := feed(ctx, dir, u.Input, t.limits, argv...)
			if err != nil {
				return err
			}
			if !res.Passed || !u.right(out) {
				late = res.TimedOut
				return nil
			}
		}
		passed = true
		return nil
	})
	return passed, late, err
}
