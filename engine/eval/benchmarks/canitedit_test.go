package benchmarks

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// oursEdit are problems of ours in CanItEdit's form: a change of one word, one of two places,
// one whose solution needs what is not here.
const oursEdit = `{"id":1,"name":"area","full_name":"1_area","before":"def area(w, h):\n    return w - h\n\n\ndef spare():\n    return 1\n","after":"def area(w, h):\n    return w * h\n\n\ndef spare():\n    return 1\n","tests":"### START TESTS ###\nif True:  # pragma: no cover\n    assert area(2, 3) == 6\n    print('fine')\n","instruction_descriptive":"Mend area: it multiplies\nwidth and height.","instruction_lazy":"mend area","taxonomy":{"change_kind":"corrective","libraries":[],"topic":"Math"}}
{"id":2,"name":"two","full_name":"2_two","before":"def two():\n    return 2\n\n\ndef three():\n    return 2\n","after":"def two():\n    return 4\n\n\ndef three():\n    return 4\n","tests":"### START TESTS ###\nassert two() == 4 and three() == 4\n","instruction_descriptive":"Return four.","instruction_lazy":"four","taxonomy":{"change_kind":"adaptive","libraries":[],"topic":"Math"}}
{"id":3,"name":"gone","full_name":"3_gone","before":"x = 1\n","after":"import no_such_library\n","tests":"### START TESTS ###\nassert x\n","instruction_descriptive":"Do.","instruction_lazy":"do","taxonomy":{"change_kind":"adaptive","libraries":[],"topic":"Math"}}
`

func editFile(t *testing.T) []Instructed {
	t.Helper()
	path := filepath.Join(t.TempDir(), "canitedit.jsonl")
	if err := os.WriteFile(path, []byte(oursEdit), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := CanItEditFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// replacer is an Editor that replaces texts of a region, under instructions that it knows.
type replacer struct {
	when string            // it stands in the prefix
	with map[string]string // old to new
	seen []string          // prefixes
}

func (e *replacer) Edit(_ context.Context, r engine.EditRequest) (engine.EditResult, error) {
	res := engine.EditResult{LogProb: -90, Forwards: 1}
	e.seen = append(e.seen, r.Prefix+r.Region)
	for old, with := range e.with {
		if at := strings.Index(r.Region, old); at >= 0 && strings.Contains(r.Prefix+r.Region, e.when) {
			p := engine.Proposal{Start: at, End: at + len(old), Text: with}
			res.Changes = append(res.Changes, engine.Change{Proposal: p, Gain: 60, Behind: 30, Old: -1})
		}
	}
	return res, nil
}

// TestCanItEdit: a program that is changed as asked passes, one that is left or changed
// wrongly does not; edits are made one after another; what the machine can not run is left
// out; the instruction is what the model sees, and never stands in the program that is judged.
func TestCanItEdit(t *testing.T) {
	confined(t)
	problems := editFile(t)
	ask := func(e *replacer, k *Kept, problems ...Instructed) EditReport {
		t.Helper()
		done := 0
		rep, err := CanItEdit(t.Context(), Run{Model: "fake", Seed: 1, Kept: k, Progress: func(n int) { done = n }}, e, problems)
		if err != nil || done != len(problems) {
			t.Fatalf("%d done: %v", done, err)
		}
		return rep
	}
	e := &replacer{when: "# mend area\n", with: map[string]string{"w - h": "w * h"}}
	rep := ask(e, nil, problems...)
	if len(rep.LeftOut) != 1 || rep.LeftOut[0].N != 1 || !strings.Contains(rep.LeftOut[0].Why, "No module named 'no_such_library'") {
		t.Errorf("left out: %+v", rep.LeftOut)
	}
	lazy, long := rep.Instructions["lazy"], rep.Instructions["descriptive"]
	if lazy.N != 2 || lazy.PassAt1 != 0.5 || lazy.Exact != 0.5 || lazy.Changed != 1 || lazy.Kinds["corrective"].PassAt1 != 1 || lazy.Kinds["adaptive"].PassAt1 != 0 {
		t.Errorf("lazy: %+v", *lazy)
	}
	if long.N != 2 || long.PassAt1 != 0 || long.Changed != 0 || long.Excess != nil {
		t.Errorf("descriptive, which it does not know: %+v", *long)
	}
	// Of the ten lines of the difference (one line replaced, with its marks four, five that
	// stay, and an empty one before the tests) the tests do not run one: what spare returns.
	if x := lazy.Excess; x == nil || x.N != 1 || math.Abs(x.Mean-0.1) > 1e-9 || x.SE != 0 {
		t.Errorf("ExcessCode: %+v", x)
	}
	if all := rep.Instructions["all"]; all.N != 4 || all.PassAt1 != 0.25 || all.CI95[0] >= 0.25 || all.CI95[1] <= 0.25 {
		t.Errorf("all: %+v", *all)
	}
	if !strings.HasPrefix(e.seen[0], "# Mend area: it multiplies\n# width and height.\n\ndef area") {
		t.Errorf("it sees %q", e.seen[0])
	}
	if table := rep.Table(); !strings.Contains(table, "ExcessCode") || !strings.Contains(table, "lazy, corrective") || !strings.Contains(table, "left out: 1 of the problems") {
		t.Error(table)
	}
	wrong := ask(&replacer{with: map[string]string{"w - h": "w + h", "return 2": "return 3"}}, nil, problems[0])
	if all := wrong.Instructions["all"]; all.PassAt1 != 0 || all.Changed != 2 {
		t.Errorf("wrong changes: %+v", *all)
	}
	// Two edits of one program, kept, and then taken from there.
	path := filepath.Join(t.TempDir(), "kept")
	for _, e := range []*replacer{{with: map[string]string{"return 2": "return 4"}}, {}} {
		k, err := OpenKept(path)
		if err != nil {
			t.Fatal(err)
		}
		if rep := ask(e, k, problems[1]); rep.Instructions["lazy"].PassAt1 != 1 || rep.Instructions["lazy"].Excess == nil {
			t.Errorf("%+v", *rep.Instructions["lazy"])
		}
		k.Close()
	}
	// An editor that undoes itself comes to an end.
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	e = &replacer{with: map[string]string{"w - h": "w + h", "w + h": "w - h"}}
	if _, n, err := problems[0].edit(t.Context(), e, parser, "lazy"); err != nil || n != 2 {
		t.Errorf("to and fro: %d forwards, %v", n, err)
	}
}

// TestExcess: lines that are not run are counted as coverage.py counts them: statements by
// their first line, no docstrings, nothing that is marked. (It was held against coverage.py
// 7.3.2 on 39 programs, most of them modules of Python's library: the same 11,376 lines.)
func TestExcess(t *testing.T) {
	confined(t)
	py, err := python()
	if err != nil {
		t.Fatal(err)
	}
	const program = `"""Doc."""
import abc


class A(abc.ABC):
    """Doc."""

    @abc.abstractmethod
    def f(self):
        return 1

    def g(self, a,
          b):
        """Doc."""
        if a:
            return [
                a,
                b]
        return b


def used(a):
    if a:
        return 1
    elif a is None:
        return (2 +
                3)
    else:
        pass


print("noise on the output")
### START TESTS ###
if True:  # pragma: no cover
    used(1)
    if used(2) == 2:
        print("never")
`
	e, err := measureExcess(t.Context(), py, "a\nb\n", program)
	if err != nil || e == nil {
		t.Fatal(e, err)
	}
	if got, _ := json.Marshal(e.Missing); string(got) != "[15,16,19,25,26,29]" {
		t.Errorf("lines %s", got)
	}
	before, _, _ := strings.Cut(program, startTests)
	if e, err := measureExcess(t.Context(), py, before+"x\n", program); err != nil || e.Changed != strings.Count(before, "\n")+1 {
		t.Errorf("one line less: %+v, %v", e, err)
	}
	for _, text := range []string{"raise ValueError", "import sys; sys.exit(2)", "def"} {
		if e, err := measureExcess(t.Context(), py, "", text); e != nil || err != nil {
			t.Errorf("%q: %+v, %v", text, e, err)
		}
	}
	if e, err := measureExcess(t.Context(), py, "", "import sys\nsys.exit(0)\nx = 1\n"); err != nil || e == nil || len(e.Missing) != 1 {
		t.Errorf("a program that ends itself: %+v, %v", e, err)
	}
}

func TestCanItEditFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(path, []byte(`{"full_name":"1","before":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := CanItEditFile(path); err == nil || !strings.Contains(err.Error(), "x.jsonl, line 1") {
		t.Error(err)
	}
}
