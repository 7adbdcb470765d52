package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

// right says whether an output is one of the right ones, as the judge of SAFIM (ExecEval)
// compares them: line by line without the white space around lines, or else word by word,
// numbers within 1e-12 and yes, no, true and false in any case.
func (u unitTest) right(out string) bool {
	for _, want := range u.Output {
		if sameOutput(want, out) {
			return true
		}
	}
	return false
}

func sameOutput(a, b string) bool {
	a, b = strings.TrimSpace(strings.ReplaceAll(a, "\r\n", "\n")), strings.TrimSpace(strings.ReplaceAll(b, "\r\n", "\n"))
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	same := len(linesA) == len(linesB)
	for i := 0; same && i < len(linesA); i++ {
		same = strings.TrimSpace(linesA[i]) == strings.TrimSpace(linesB[i])
	}
	if same {
		return true
	}
	wordsA, wordsB := strings.Fields(a), strings.Fields(b)
	if len(wordsA) != len(wordsB) {
		return false
	}
	for i := range wordsA {
		if !sameWord(wordsA[i], wordsB[i]) {
			return false
		}
	}
	return true
}

// near is by how much numbers may differ.
var near = big.NewFloat(1e-12)

func sameWord(a, b string) bool {
	if a == b {
		return true
	}
	x, _, errX := big.ParseFloat(a, 10, 129, big.ToNearestEven)
	y, _, errY := big.ParseFloat(b, 10, 129, big.ToNearestEven)
	if errX != nil || errY != nil || x.IsInf() || y.IsInf() {
		loose := func(s string) string {
			switch l := strings.ToLower(s); l {
			case "yes", "no", "true", "false":
				return l
			}
			return s
		}
		return loose(a) == loose(b)
	}
	d := x.Sub(x, y)
	return d.Abs(d).Cmp(near) <= 0
}

// sameCall says whether an answer is the call that the truth is, as SAFIM compares them: all
// white space goes first; in Python two calls are the same when their arguments are, as
// Python itself reads them (whatever it is that is called), all else when the texts are.
func (j safimJudge) sameCall(ctx context.Context, language, text, truth string) (bool, error) {
	text, truth = bare(text), bare(truth)
	if language != "python" {
		return text == truth, nil
	}
	input, err := json.Marshal([2]string{text, truth})
	if err != nil {
		return false, fmt.Errorf("comparing calls: %w", err)
	}
	var same bool
	err = folder(func(dir string) error {
		argv, _, err := j.tools[language].build(ctx, dir, sameCallProgram)
		if err != nil {
			return err
		}
		out, res, err := feed(ctx, dir, string(input), j.tools[language].limits, argv...)
		if err == nil && !res.Passed && !res.TimedOut {
			// What Python can not read (too deep, say) is no call: texts are compared.
			out = fmt.Sprint(text == truth)
		}
		same = strings.TrimSpace(out) == "true"
		return err
	})
	return same, err
}

// sameCallProgram reads two expressions in JSON and says true or false.
const sameCallProgram = `import ast, json, sys

a, b = json.load(sys.stdin)


def call(text):
    try:
        body = ast.parse(text, mode="eval").body
    except Exception:
        return None
    if not isinstance(body, ast.Call):
        return None
    return [ast.dump(x) for x in body.args], {k.arg: ast.dump(k.value) for k in body.keywords}


x, y = call(a), call(b)
same = a == b if x is None or y is None else x == y
print("true" if same else "false")
`

// bare is a text without white space, as Python's \s has it.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f {
			return -1
		}
		return r
	}, s)
}
