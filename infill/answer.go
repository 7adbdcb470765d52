package infill

import "github.com/seedling-lsp/seedling/engine"

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
