package backend

import "context"

// Ahead is implemented by devices that decide a canvas by themselves (engine/denoise says how),
// so that several passes are waited for once. What a device decides is a forecast: the caller
// decides by its own rules from the same answers, takes the passes as long as they are those
// it would have asked for, and forgets the rest.
type Ahead interface {
	// ForwardAhead is Forward of b and then of what the rule makes of the answers, n passes at
	// the most: it ends with the pass that decides the block, or where the device knows no
	// further. The last answers of b are those of the canvas's cells that are asked. b is of
	// one sequence. Errors are those of Forward, of all passes together; ctx is looked at
	// before the first. A device that a rule asks too much of makes one pass.
	ForwardAhead(ctx context.Context, b Batch, r Rule, n int) ([]Pass, error)
}

// Pass is one of several that a device made: what was asked, and the answers.
type Pass struct {
	Rows     []Row
	Revising bool // Rule.Full was forbidden and not Rule.Bounded
	Tops     []Top
}

// Rule is a canvas and how it is decided.
type Rule struct {
	Cells    []TokenID // the mask where nothing is decided
	Limit    int       // cells at the most
	Revising bool      // decided cells are asked, too, in the first pass
	Passes   int       // passes left that may revise
	Tried    []Tried
	// Threshold, Factor and Revise are denoise.Settings'.
	Threshold, Factor, Revise float32
	Mask, End, Delete, Insert TokenID
	// Bounded and Full are what is forbidden in passes that revise not and that do.
	Bounded, Full []TokenID
	// Lead is the token before a shifted canvas, which leads it; NoToken: it is not shifted.
	Lead TokenID
	// Context is how many cached tokens the passes after the first see, and the position of
	// their first row.
	Context int
}

// Tried is a token that stood in a cell before, or a deletion or insertion that was made there.
type Tried struct {
	Cell  int
	Token TokenID
}
