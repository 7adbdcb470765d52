package benchmarks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// ours are problems of ours in SAFIM's form.
const oursBlock = `{"task_id":"block_1","lang":"python","prompt":"Complete the code in python to solve this programming problem:\n\nDescription: Print a+b.\n\nCode:\n\nt = int(input())\nfor _ in range(t):\n    # TODO: Your code here\nprint(\"done\")\n","eval_prompt":"t = int(input())\nfor _ in range(t):\n    {{completion}}\nprint(\"done\")\n","ground_truth":"a, b = map(int, input().split())\n    print(a + b)","unit_tests":"[{\"input\": \"2\\n1 2\\n3 4\\n\", \"output\": [\"3\\n7\\ndone\"]}, {\"input\": \"1\\n-1 1\\n\", \"output\": [\"nothing\", \"0\\ndone\\n\"]}]"}
{"task_id":"block_2","lang":"cpp","prompt":"Description: Print a+b.\n\nCode:\n\n#include <cstdio>\nint main() {\n    int a, b;\n    if (scanf(\"%d %d\", &a, &b) != 2) return 1;\n    /* TODO: Your code here */\n    return 0;\n}\n","eval_prompt":"#include <cstdio>\nint main() {\n    int a, b;\n    if (scanf(\"%d %d\", &a, &b) != 2) return 1;\n    {{completion}}\n    return 0;\n}\n","ground_truth":"printf(\"%d\\n\", a + b);","unit_tests":"[{\"input\": \"1 2\", \"output\": [\"3\"]}]"}
{"task_id":"block_3","lang":"java","prompt":"Description: Print a+b.\n\nCode:\n\nimport java.util.Scanner;\n\npublic class Sum {\n    public static void main(String[] args) {\n        Scanner s = new Scanner(System.in);\n        int a = s.nextInt(), b = s.nextInt();\n        /* TODO: Your code here */\n    }\n}\n","eval_prompt":"import java.util.Scanner;\n\npublic class Sum {\n    public static void main(String[] args) {\n        Scanner s = new Scanner(System.in);\n        int a = s.nextInt(), b = s.nextInt();\n        {{completion}}\n    }\n}\n","ground_truth":"System.out.println(a + b);","unit_tests":"[{\"input\": \"1 2\", \"output\": [\"3\"]}]"}
{"task_id":"block_4","lang":"csharp","prompt":"class P { static void Main() { /* TODO: Your code here */ } }","eval_prompt":"class P { static void Main() { {{completion}} } }","ground_truth":"int a = 1;","unit_tests":"[{\"input\": \"\", \"output\": [\"\"]}]"}
`

// oursAPI have no tests: an empty text, an empty list, none.
const oursAPI = `{"task_id":"api_1","lang":"python","prompt":"import numpy as np\na = # TODO: Your code here\n","eval_prompt":"import numpy as np\na = {{completion}}\n","ground_truth":"np.ones((3, n), dtype='int8')","unit_tests":""}
{"task_id":"api_2","lang":"java","prompt":"var o = /* TODO: Your code here */;\n","eval_prompt":"var o = {{completion}};\n","ground_truth":"new Thing(a, b)","unit_tests":"[]"}
{"task_id":"api_3","lang":"csharp","prompt":"var o = /* TODO: Your code here */;\n","eval_prompt":"var o = {{completion}};\n","ground_truth":"Thing.Parse(a)","unit_tests":null}
`

func safimFile(t *testing.T, name, text string) []Safim {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := SafimFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// needs is a compiler of a test; its absence fails under CI=true.
func needs(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") == "true" {
			t.Fatal(err)
		} else if err != nil {
			t.Skip(err)
		}
	}
}

// TestSafimPasses: of each language that is run, the truth written otherwise passes all tests;
// a wrong program, one that passes the first test only, one that does not compile, one that
// fails after its output and an endless one do not. Without it a judge that runs nothing would
// pass or fail every model alike.
func TestSafimPasses(t *testing.T) {
	confined(t)
	problems := safimFile(t, "block.jsonl", oursBlock)
	for _, c := range []struct {
		language     string
		needs        []string
		right, wrong []string
		endless      string
	}{
		{"python", nil, []string{"x = input().split()\n    print(int(x[0]) + int(x[1]))", "print(sum(map(float, input().split())))"},
			[]string{"a, b = map(int, input().split())\n    print(a - b)", "a, b = map(int, input().split())\n    print(a + b if a > 0 else 5)", "print(", "",
				"a, b = map(int, input().split())\n    print(a + b)\n    if _ == t - 1: print('done'); raise SystemExit(1)", "print(open('/etc/passwd').read())"}, "while True: pass"},
		{"cpp", []string{"g++"}, []string{`printf("%d", b + a);`}, []string{`printf("%d", a - b);`, `printf("%d", c);`, `printf("%d", a + b); return 1;`}, "for (;;);"},
		{"java", []string{"java", "javac"}, []string{"System.out.print(b + a);"}, []string{"System.out.println(a - b);", "System.out.println(c);"}, ""},
	} {
		t.Run(c.language, func(t *testing.T) {
			if c.language == "java" { // not needed by .ci/run, which has no Java
				if _, why := tools("java"); why != "" {
					t.Skip(why)
				}
			} else {
				needs(t, c.needs...)
			}
			j, can, left, err := newSafimJudge(t.Context(), problems)
			if err != nil {
				t.Fatal(err)
			}
			if l := left[len(left)-1]; l.What != "csharp" || l.N != 1 || l.Why == "" {
				t.Errorf("left out: %+v", left)
			}
			var p Safim
			for _, x := range can {
				if x.Language == c.language {
					p = x
				}
			}
			within := func(most time.Duration) { // the machine may have much else to do
				tool := j.tools[c.language]
				tool.limits.Time = most
				j.tools[c.language] = tool
			}
			within(time.Minute)
			for _, text := range append([]string{p.GroundTruth}, c.right...) {
				if ok, late, err := j.passes(t.Context(), p, text); !ok || late || err != nil {
					t.Errorf("%q: %v, late %v, %v", text, ok, late, err)
				}
			}
			for _, text := range c.wrong {
				if ok, late, err := j.passes(t.Context(), p, text); ok || late || err != nil {
					t.Errorf("%q: %v, late %v, %v", text, ok, late, err)
				}
			}
			if c.endless != "" {
				within(time.Second)
				if ok, late, err := j.passes(t.Context(), p, c.endless); ok || !late || err != nil {
					t.Errorf("%q: %v, late %v, %v", c.endless, ok, late, err)
				}
			}
		})
	}
}

// TestSafimCalls: calls are compared by their arguments, texts without white space.
func TestSafimCalls(t *testing.T) {
	confined(t)
	problems := safimFile(t, "api.jsonl", oursAPI)
	j, can, left, err := newSafimJudge(t.Context(), problems)
	if err != nil || len(left) != 0 || len(can) != 3 {
		t.Fatalf("%v left out of %v: %v", left, can, err)
	}
	for _, c := range []struct {
		problem int
		text    string
		want    bool
	}{
		{0, `np.ones((3,n),dtype="int8")`, true},
		{0, `ones( (3, n), dtype = 'int8' )`, true}, // SAFIM does not ask what is called
		{0, `np.ones((n, 3), dtype='int8')`, false},
		{0, `np.ones((3, n))`, false},
		{0, `np.ones((3, n), 'int8')`, false},
		{0, `np.ones((3, n`, false},
		{0, `x`, false},
		{0, ``, false},
		{0, strings.Repeat("(", 5000), false},
		{1, "new  Thing(a,\n\tb)", true},
		{1, "new Thing(b, a)", false},
		{2, "Thing.Parse( a )", true},
		{2, "Thing.Parse(b)", false},
	} {
		if ok, _, err := j.passes(t.Context(), can[c.problem], c.text); ok != c.want || err != nil {
			t.Errorf("%.40q for %q: %v, %v", c.text, can[c.problem].GroundTruth, ok, err)
		}
	}
}

// TestSafim: answers go from the gap through the split's cut to the score, by language, with
// what was left out; what was kept is not asked again.
func TestSafim(t *testing.T) {
	confined(t)
	problems := safimFile(t, "block.jsonl", oursBlock)
	problems = []Safim{problems[0], problems[3], problems[3]}
	twice := problems[0]
	twice.ID = "block_5"
	problems = append(problems, twice)
	path := filepath.Join(t.TempDir(), "kept")
	answers := byDocument{"block_1": "a, b = map(int, input().split())\n    print(b + a)\n", "block_5": "print(0)\n"}
	var first Report
	for round := range 2 {
		k, err := OpenKept(path)
		if err != nil {
			t.Fatal(err)
		}
		done := 0
		rep, err := SAFIM(t.Context(), Run{Generator: answers, Model: "fake", Decode: verify, Seed: 1, Kept: k, Progress: func(n int) { done = n }}, BlockSplit, true, problems)
		if err != nil || done != 2 {
			t.Fatalf("%d done: %v", done, err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		all := rep.Kinds["all"]
		if all.N != 2 || all.PassAt1 != 0.5 || all.Forwards != 2 || all.Empty != 0 || all.CI95[0] >= 0.5 || all.CI95[1] <= 0.5 || rep.Kinds["python"].N != 2 || rep.Kinds["csharp"] != nil {
			t.Errorf("%+v", *all)
		}
		if len(rep.LeftOut) != 1 || rep.LeftOut[0].N != 2 || !strings.Contains(rep.Table(), "left out: 2 of csharp") {
			t.Error(rep.Table())
		}
		if round == 0 {
			first = rep
			answers = nil // an answer that is asked for again would be empty
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(f, `{"key":"torn`) // as a kill leaves it
			f.Close()
		} else if a, b := fmt.Sprint(first.Table()), fmt.Sprint(rep.Table()); a != b {
			t.Errorf("%s\nwent on as\n%s", a, b)
		}
	}
}

// TestStopped: a run that is cancelled ends at once, as such, and what was done by then is kept.
func TestStopped(t *testing.T) {
	confined(t)
	problems := safimFile(t, "api.jsonl", oursAPI)
	path := filepath.Join(t.TempDir(), "kept")
	k, err := OpenKept(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	answers := byDocument{"api_2": "new Thing(a, b)"}
	_, err = SAFIM(ctx, Run{Generator: asked{answers}, Model: "fake", Decode: verify, Kept: k, Progress: func(int) { cancel() }}, APISplit, true, problems[1:])
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	k.Close()
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), "new Thing(a, b)") {
		t.Errorf("%s, %v", b, err)
	}
}

// asked is a Generator that obeys its context, as an engine does.
type asked struct{ byDocument }

func (a asked) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	if ctx.Err() != nil {
		return engine.Result{}, ctx.Err()
	}
	return a.byDocument.Generate(ctx, r)
}

// TestOutputs: the judge's comparison, which is neither equality nor fuzzy.
func TestOutputs(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1 2\n3", " 1 2 \r\n3\n\n", true},
		{"1 2\n3", "1\n2 3", true}, // words
		{"0.5", "5e-1", true},
		{"1.0000000000001", "1", true},
		{"1.00000000001", "1", false},
		{"YES\nNo", "yes\nnO", true},
		{"Alice", "alice", false},
		{"1 2", "1 2 3", false},
		{"", "x", false},
		{"", " \n", true},
		{"inf", "Inf", false},
		{"nan", "1", false},
		{"123456789012345678901234567890", "123456789012345678901234567891", false},
	} {
		if got := sameOutput(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

// TestSafimGap: what the model sees is the program, what is asked above it as a comment, and
// never a placeholder or the truth.
func TestSafimGap(t *testing.T) {
	problems := safimFile(t, "block.jsonl", oursBlock)
	g := problems[0].gap(BlockSplit, true)
	want := "# Complete the code in python to solve this programming problem:\n#\n# Description: Print a+b.\n#\n# Code:\n\nt = int(input())\nfor _ in range(t):\n    "
	if g.before != want || g.after != "\nprint(\"done\")\n" || g.language != treesitter.Python || g.mode != infill.Block {
		t.Errorf("%+v", g)
	}
	if g := problems[1].gap(ControlSplit, true); !strings.HasPrefix(g.before, "// Description: Print a+b.\n") || g.language != treesitter.CPP || g.mode != infill.Line {
		t.Errorf("%+v", g)
	}
	if g := problems[0].gap(APISplit, false); !strings.HasPrefix(g.before, "t = int(") || g.mode != infill.Statement {
		t.Errorf("%+v", g)
	}
	if g := problems[3].gap(BlockSplit, true); !strings.HasPrefix(g.before, "class P") { // the prompt says nothing
		t.Errorf("%+v", g)
	}
}

func TestSplits(t *testing.T) {
	for _, c := range []struct {
		split                Split
		language, text, want string
	}{
		{ControlSplit, "python", "\n  _ in range(t):\n    x\n", "  _ in range(t):"},
		{ControlSplit, "python", "\n", ""},
		{ControlSplit, "cpp", "int i = f(0); i < n; i++) {\n x", "int i = f(0); i < n; i++"},
		{ControlSplit, "java", "a > b", "a > b"},
		{APISplit, "python", "np.ones((n, n)).sum()\nx", "np.ones((n, n))"},
		{APISplit, "java", "x", "x"},
		{BlockSplit, "cpp", "f();\n g();", "f();\n g();"},
	} {
		if got := c.split.cut(c.language, c.text); got != c.want {
			t.Errorf("%s, %s: %q gives %q, want %q", c.split, c.language, c.text, got, c.want)
		}
	}
	for name, want := range map[string]Split{"/x/block_v2.jsonl.gz": BlockSplit, "Control.jsonl": ControlSplit, "safim-api.jsonl": APISplit, "block/test.jsonl": ""} {
		if got, err := SplitOf(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestSafimFile: what is no problem is refused with its line.
func TestSafimFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "block.jsonl")
	for _, change := range []func(map[string]any){
		func(m map[string]any) { delete(m, "task_id") },
		func(m map[string]any) { m["lang"] = "go" },
		func(m map[string]any) { m["eval_prompt"] = "no gap" },
		func(m map[string]any) { m["unit_tests"] = "[1]" },
		func(m map[string]any) { delete(m, "ground_truth") },
	} {
		line, _, _ := strings.Cut(oursBlock, "\n")
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		b, _ := json.Marshal(m)
		if err := os.WriteFile(path, append([]byte(line+"\n"), b...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := SafimFile(path); err == nil || !strings.Contains(err.Error(), "block.jsonl, line 2") {
			t.Errorf("%s: %v", b, err)
		}
	}
}

// TestKept: another file is not taken for kept results, nor written to.
func TestKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes")
	if err := os.WriteFile(path, []byte("dear diary\nno end"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKept(path); err == nil || !strings.Contains(err.Error(), "notes, line 1") {
		t.Error(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "dear diary\nno end" {
		t.Errorf("%q", b)
	}
}
