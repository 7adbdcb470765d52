package eval

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// editFiles hold a place for every fault.
var editFiles = []File{
	{"a.go", treesitter.Go, "package p\n\nfunc f(first, last int) bool {\n\tfor i := 0; i < 10; i++ {\n\t\tif !ready(first, last) && i >= 2 {\n\t\t\tcontinue\n\t\t}\n\t\tuse(last, first)\n\t}\n\treturn true\n}\n\nfunc g() {}\n"},
	{"b.py", treesitter.Python, "def f(first, last):\n    # first and last\n    for i in range(1, 9):\n        if not ready(first, last) and i == 2:\n            break\n        use(last, first)\n    return True\n"},
}

// TestDrawFaults: faults are drawn by seed, change one place of a body and no comment, and
// every kind comes.
func TestDrawFaults(t *testing.T) {
	clean, broken, err := DrawFaults(editFiles, 40, 3)
	if err != nil {
		t.Fatal(err)
	}
	again, same, _ := DrawFaults(editFiles, 40, 3)
	if !reflect.DeepEqual(clean, again) || !reflect.DeepEqual(broken, same) {
		t.Error("the same seed draws other cases")
	}
	if _, other, _ := DrawFaults(editFiles, 40, 4); reflect.DeepEqual(broken, other) {
		t.Error("another seed draws the same cases")
	}
	if len(clean) != 2 {
		t.Errorf("%d clean functions of two", len(clean))
	}
	for _, c := range clean {
		if c.Fault != "" || c.Text[c.Start:c.End] != c.Truth {
			t.Errorf("a clean function is not: %+v", c)
		}
	}
	kinds := map[Fault]int{}
	for _, c := range broken {
		kinds[c.Fault]++
		got := c.Text[c.Start:c.End]
		var whole string
		for _, f := range editFiles {
			if f.Path == c.Path {
				whole = f.Text
			}
		}
		if got == c.Truth || c.Text[:c.Start]+c.Truth+c.Text[c.End:] != whole {
			t.Errorf("%s: %q is no fault of %q alone", c.Fault, got, c.Truth)
		}
		a, b := strings.Fields(got), strings.Fields(c.Truth)
		n := 0
		for n < min(len(a), len(b)) && a[n] == b[n] {
			n++
		}
		m := 0
		for m < min(len(a), len(b))-n && a[len(a)-1-m] == b[len(b)-1-m] {
			m++
		}
		if len(a)-n-m > 3 || len(b)-n-m > 3 || strings.Contains(strings.Join(b[n:len(b)-m], " "), "#") {
			t.Errorf("%s changes more than a place: %q of %q", c.Fault, got, c.Truth)
		}
	}
	for _, f := range Faults {
		if kinds[f] == 0 {
			t.Errorf("no %s among %v", f, kinds)
		}
	}
	if _, _, err := DrawFaults([]File{{"a.go", treesitter.Go, "package p\n"}}, 4, 1); err == nil {
		t.Error("no function is no error")
	}
}

// mender is an Editor that knows the truth of some cases.
type mender struct {
	truths map[string]string // by region
	gain   float64
}

func (m mender) Edit(_ context.Context, r engine.EditRequest) (engine.EditResult, error) {
	truth, ok := m.truths[r.Region]
	if !ok {
		return engine.EditResult{LogProb: -9}, nil
	}
	return engine.EditResult{LogProb: -9, Forwards: 2, Changes: []engine.Change{{Proposal: engine.Proposal{End: len(r.Region), Text: truth}, Gain: m.gain, Behind: m.gain / 2, Old: -m.gain}}}, nil
}

// TestEditReport: repairs, misses and false alarms are counted as what they are.
func TestEditReport(t *testing.T) {
	clean, broken, err := DrawFaults(editFiles, 20, 3)
	if err != nil {
		t.Fatal(err)
	}
	truths := map[string]string{}
	for _, c := range broken {
		truths[c.Text[c.Start:c.End]] = c.Truth
	}
	rep, err := Edit(context.Background(), mender{truths, 60}, "m", clean, broken, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Reachable.Share != 1 || rep.FalseAlarms.N != len(clean) || rep.FalseAlarms.Share != 0 || rep.Repaired.N != len(broken) {
		t.Errorf("%+v", rep)
	}
	sums := [2]int{}
	for _, l := range rep.ByLanguage {
		sums[0] += l.Repaired.N
		sums[1] += l.FalseAlarms.N
	}
	if len(rep.ByLanguage) != 2 || sums != [2]int{len(broken), len(clean)} || !strings.Contains(rep.Table(), "repaired: in python") {
		t.Errorf("by language %+v", rep.ByLanguage)
	}
	last := rep.Calibration[0]
	if last.Repaired != 1 || last.FalseAlarms != 0 {
		t.Errorf("at the lowest margin: %+v", last)
	}
	truths = map[string]string{}
	for _, c := range clean {
		truths[c.Truth] = strings.Replace(c.Truth, "first", "last", 1)
	}
	rep, err = Edit(context.Background(), mender{truths, 60}, "m", clean, broken, 3, nil)
	if err != nil || rep.Repaired.Share != 0 || rep.Reachable.Share != 0 || rep.Calibration[0].FalseAlarms < 0.99 || !strings.Contains(rep.Table(), "repaired") {
		t.Errorf("%+v, %v", rep, err)
	}
}
