package infill

import (
	"strings"

	"github.com/seedling-lsp/seedling/engine"
)

// Answer asks generate for the plan's gap and finishes what it says. A plan of Mode
// Nothing asks nothing. Errors are generate's.
func (p Plan) Answer(generate func(engine.Request) (engine.Result, error)) (Suggestion, engine.Result, error) {
	res := engine.Result{Stop: "none"}
	if p.Mode != Nothing {
		var err error
		if res, err = generate(p.Request()); err != nil {
			return Suggestion{}, res, err
		}
	}
	return p.Finish(res), res, nil
}

// Answers is Answer for up to n suggestions that differ in more than white space, the
// likeliest first. None is empty.
func (p Plan) Answers(n int, generate func(engine.Request) (engine.Result, error)) ([]Suggestion, engine.Result, error) {
	first, res, err := p.Answer(func(r engine.Request) (engine.Result, error) {
		if n > 1 {
			r.Candidates = n
			r.Show = func(res engine.Result) string { return seen(p.Finish(res)) }
		}
		return generate(r)
	})
	if err != nil {
		return nil, res, err
	}
	var out []Suggestion
	known := map[string]bool{"": true}
	for i := range 1 + len(res.Alternatives) {
		s := first
		if i > 0 {
			s = p.Finish(res.Alternatives[i-1])
		}
		if see := seen(s); !known[see] && len(out) < max(n, 1) {
			known[see] = true
			out = append(out, s)
		}
	}
	return out, res, nil
}

// seen is what a person sees of a suggestion: its signs and words, however they are spaced.
func seen(s Suggestion) string { return strings.Join(strings.Fields(s.Text), " ") }
