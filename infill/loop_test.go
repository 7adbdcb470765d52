package infill

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// A lost model's litany must not become ghost text, however sure the model is of it; what
// people repeat (rulers, padding, a table's zeros) must.
func TestLoop(t *testing.T) {
	for _, tt := range []struct {
		text string
		loop bool
	}{
		{`Error("got %v, want %v, want %v, want %v, want %v, want %v`, true},
		{"99999999999999999999999999999999999999999", true},
		{"a.b.a.b.a.b.a.b.a.b.a.b.a.b.a.b.a.b.a.b", true},
		{strings.Repeat("x++\n\t", 8), true},
		{"// " + strings.Repeat("-", 70), false},
		{"/* " + strings.Repeat("=-", 35), false},
		{"var zero = [8]int{0, 0, 0, 0, 0, 0, 0, 0}", false},
		{"x" + strings.Repeat(" ", 80) + "// y", false},
		{"fmt.Println(a, b); fmt.Println(c, d); fmt.Println(e, f); fmt.Println(g, h)", false},
		{"______________________________________", false},
		{"", false},
	} {
		if got := loop(tt.text); got >= 0 != tt.loop {
			t.Errorf("%q: %d", tt.text, got)
		}
	}
}

// TestLoopByDefinition holds the running counts to what they count: the tail is one unit,
// loopTimes times at least, and no shorter beginning ends so.
func TestLoopByDefinition(t *testing.T) {
	is := func(s string) bool {
		for p := 1; p <= loopPeriod; p++ {
			n := max(loopTimes*p, loopBytes)
			if n > len(s) {
				continue
			}
			tail := s[len(s)-n:]
			again := true
			for i := p; i < n; i++ {
				again = again && tail[i] == tail[i-p]
			}
			if again && strings.ContainsAny(tail[n-p:], "ab") {
				return true
			}
		}
		return false
	}
	rapid.Check(t, func(t *rapid.T) {
		s := ""
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			s += strings.Repeat(rapid.StringOfN(rapid.SampledFrom([]rune("ab .")), 1, 9, -1).Draw(t, "unit"), rapid.IntRange(1, 9).Draw(t, "times"))
		}
		want := -1
		for n := range len(s) + 1 {
			if is(s[:n]) {
				want = n
				break
			}
		}
		if got := loop(s); got != want {
			t.Fatalf("%q: %d, want %d", s, got, want)
		}
	})
}

// TestLoopsAreNotShown: through the plan a loop stops the model and leaves nothing; a line
// that ended before it is kept.
func TestLoopsAreNotShown(t *testing.T) {
	p := NewPlan(Document{Path: "a.go", Language: treesitter.Go, Text: "\tt."}, 3, Options{Mode: Line})
	lost := `Error("got` + strings.Repeat(", want %v", 12)
	if keep, name := p.Stop(lost); keep != 0 || name != "none" {
		t.Errorf("keeps %d bytes (%s)", keep, name)
	}
	if s := p.Finish(engine.Result{Text: lost, Stop: "budget"}); s.Text != "" {
		t.Errorf("shows %q", s.Text)
	}
	if s := p.Finish(engine.Result{Text: "Fatal(err)\n" + lost, Stop: "budget"}); s.Text != "Fatal(err)" || s.Stop != "line" {
		t.Errorf("shows %q (%s)", s.Text, s.Stop)
	}
}
