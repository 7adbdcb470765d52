package infill

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// A space before the cursor must not reach the model as the end of its context, nor come
// back twice; and a model that does not take it up must be asked with it. Otherwise
// `return ` gets no answer, or `return  x`.
func TestAnswerHealsSpaces(t *testing.T) {
	said := func(text, stop string) engine.Result {
		return engine.Result{Text: text, Stop: stop, Forwards: 3, Prefill: time.Millisecond, Denoise: time.Millisecond}
	}
	for _, tt := range []struct {
		name, before, after string
		answers             []engine.Result
		prefixes            []string // the ends of those asked
		want                string
		forwards            int
	}{
		{"taken up", "\treturn ", "\n", []engine.Result{said(" nil, err", "line")}, []string{"return"}, "nil, err", 3},
		{"not taken up", "\ti < ", "\n", []engine.Result{said("", "none"), said("n {", "line")}, []string{"i <", "i < "}, "n {", 6},
		{"nothing without it", "\treturn ", "\n", []engine.Result{said("", "end"), said("nil", "line")}, []string{"return", "return "}, "nil", 6},
		{"too late", "\treturn ", "\n", []engine.Result{said("", "deadline")}, []string{"return"}, "", 3},
		{"withheld", "\treturn ", "\n", []engine.Result{said("", "withheld")}, []string{"return"}, "", 3},
		{"no space", "\treturn", "\n", []engine.Result{said(" nil", "line")}, []string{"return"}, " nil", 3},
		{"two spaces", "\tx  ", "\n", []engine.Result{said("// y", "line")}, []string{"x  "}, "// y", 3},
		{"indentation", "if x {\n ", "\n", []engine.Result{said("y()", "line")}, []string{"{\n "}, "y()", 3},
		{"CR LF before", "x\r\n ", "\n", []engine.Result{said("y()", "line")}, []string{"\n "}, "y()", 3},
		{"only a space", " ", "", []engine.Result{said("x", "line")}, []string{" "}, "x", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPlan(Document{Path: "a.go", Language: treesitter.Go, Text: tt.before + tt.after}, ByteOffset(len(tt.before)), Options{Mode: Line})
			n := 0
			s, res, err := p.Answer(func(r engine.Request) (engine.Result, error) {
				if n == len(tt.prefixes) || !strings.HasSuffix(r.Prefix, tt.prefixes[n]) {
					t.Fatalf("question %d ends in %q", n+1, r.Prefix)
				}
				n++
				if a := tt.answers[n-1]; a.Text != "" {
					if keep, name := r.Stop(a.Text + "\nmore"); keep != len(a.Text) || name != "line" {
						t.Fatalf("the rule keeps %d of %q (%s)", keep, a.Text, name)
					}
				}
				return tt.answers[n-1], nil
			})
			if err != nil || n != len(tt.prefixes) || s.Text != tt.want || res.Forwards != tt.forwards || int(s.Start) != len(tt.before) {
				t.Errorf("%q after %d questions, %+v, %v; want %q after %d", s.Text, n, res, err, tt.want, len(tt.prefixes))
			}
		})
	}
}

// The rule must end a text that does not begin with the space at its first byte: else the
// wrong text is decided to its end before it is thrown away.
func TestWrongBeginningsStop(t *testing.T) {
	p := NewPlan(Document{Path: "a.go", Language: treesitter.Go, Text: "\treturn "}, 8, Options{Mode: Line})
	asked := 0
	lost := errors.New("device lost")
	_, _, err := p.Answer(func(r engine.Request) (engine.Result, error) {
		if asked++; asked == 2 {
			return engine.Result{}, lost
		}
		if keep, name := r.Stop(""); keep != 0 || name != "" {
			t.Errorf("the rule stops before there is anything: %d, %q", keep, name)
		}
		if keep, name := r.Stop("ed"); keep != 0 || name != "none" {
			t.Errorf("the rule keeps %d bytes (%q)", keep, name)
		}
		return engine.Result{Stop: "none"}, nil
	})
	if !errors.Is(err, lost) || asked != 2 {
		t.Errorf("%v after %d questions", err, asked)
	}
	inside := NewPlan(Document{Path: "a.go", Language: treesitter.Go, Text: "abcd "}, 2, Options{})
	s, res, err := inside.Answer(func(engine.Request) (engine.Result, error) {
		t.Error("asked for nothing")
		return engine.Result{}, nil
	})
	if err != nil || s.Text != "" || res.Stop != "none" || inside.Mode != Nothing {
		t.Errorf("%+v, %+v, %v of a plan of mode %v", s, res, err, inside.Mode)
	}
}
