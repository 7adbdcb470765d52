package infill

import (
	"strings"

	"github.com/seedling-lsp/seedling/engine"
)

// A vocabulary's words carry the space before them: of `return s` the tokens are `return`
// and ` s`. A context that ends in the space just typed is therefore cut where the model
// has hardly ever seen text cut, and it answers badly. So Answer first leaves a single
// space before the cursor out of the context, and expects the answer to begin with it (a
// case of token healing). The question is then the one that was asked before the space was
// typed: mostly its answer is at hand.

// heals says whether the text before the cursor ends in a space that belongs to the word
// to come: a single one, behind something else on its line.
func heals(before string) bool {
	n := len(before)
	return n >= 2 && before[n-1] == ' ' && strings.IndexByte(" \t\r\n\v\f", before[n-2]) < 0
}

// Answer asks generate for the plan's gap and finishes what it says. A single space before
// the cursor is left out of the context first; should the answer not begin with it, generate
// is asked once more, with the space in the context, and the result then counts the forwards and the time of
// both. A plan of Mode Nothing asks nothing. Errors are generate's.
func (p Plan) Answer(generate func(engine.Request) (engine.Result, error)) (Suggestion, engine.Result, error) {
	if p.Mode == Nothing {
		none := engine.Result{Stop: "none"}
		return p.Finish(none), none, nil
	}
	q := p
	q.space = heals(p.prefix.of(p.doc.Text))
	res, err := generate(q.Request())
	if err != nil {
		return Suggestion{}, res, err
	}
	if !q.space || strings.HasPrefix(res.Text, " ") || res.Stop == "deadline" || res.Stop == "withheld" {
		return q.Finish(res), res, nil
	}
	first := res
	if res, err = generate(p.Request()); err != nil {
		return Suggestion{}, res, err
	}
	res.Forwards += first.Forwards
	res.Prefill += first.Prefill
	res.Denoise += first.Denoise
	return p.Finish(res), res, nil
}
