package denoise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/memory"
)

// Defaults of Settings.
const (
	DefaultThreshold      = 0.9
	DefaultRevise         = 0.9
	DefaultRevisePasses   = 4
	DefaultDraftThreshold = 0.3
)

// Settings say how bold decoding is. Zero fields take the default.
type Settings struct {
	// Threshold: a masked position whose best token has at least this probability is
	// unmasked (method.md, section 6). Default 0.9; above 1 one position a step.
	Threshold float32
	// Factor, if above 0, replaces Threshold by the rule of Fast-dLLM: with the masked
	// positions sorted by probability p, the n best are unmasked for the largest n with
	// (n+1)·(1-p_n) < Factor. 1 is careful, 2 is bold.
	Factor float32
	// Revise: a placed token is replaced, deleted or opened where its best alternative
	// has at least this probability. Default 0.9; LLaDA2.1 goes down to 0.5. Above 1
	// nothing is revised.
	Revise float32
	// RevisePasses is how many steps of a block may revise. Default 4; below 0 none.
	RevisePasses int
	// DraftThreshold: in Verify a draft goes on as long as its tokens have at least this
	// probability: every drafted token costs a row. Default 0.3.
	DraftThreshold float32
}

// Or fills the zero fields of s from t.
func (s Settings) Or(t Settings) Settings {
	or := func(a *float32, b float32) {
		if *a == 0 {
			*a = b
		}
	}
	or(&s.Threshold, t.Threshold)
	or(&s.Factor, t.Factor)
	or(&s.Revise, t.Revise)
	or(&s.DraftThreshold, t.DraftThreshold)
	if s.RevisePasses == 0 {
		s.RevisePasses = t.RevisePasses
	}
	return s
}

var defaults = Settings{
	Threshold:      DefaultThreshold,
	Revise:         DefaultRevise,
	RevisePasses:   DefaultRevisePasses,
	DraftThreshold: DefaultDraftThreshold,
}

// Tokens are the special tokens of a vocabulary as decoding meets them.
type Tokens struct {
	Mask, End      backend.TokenID
	Delete, Insert backend.TokenID // backend.NoToken where a scheme has none
	// Never lists further tokens that are no answer: markers of the layout.
	Never []backend.TokenID
}

// Options of a run. MaxTokens, BlockSize and Tokens must be set.
type Options struct {
	Settings
	Mode      Mode
	BlockSize int // positions of a canvas
	MaxTokens int // of the answer, the end token not counted
	Positions int // tokens that context and answer may take together; 0: what the backend holds
	Tokens    Tokens
	// Memory is mixed into every causal prediction, and gives Verify its first drafts. nil:
	// there is none. Diffusion decides without it.
	Memory *memory.Recollection
	// Shift: a canvas row of the model foretells the token after it (model.Scheme.Shift).
	Shift bool
	// Revises: the model was trained to revise. Without it nothing is revised.
	Revises bool
	// Score reads the last block causally, too, for Result.LogProbs of every token: one
	// forward more in Diffusion, none otherwise.
	Score bool
	// Deadline: at it the run ends with what is decided. Zero: none. The deadline of the
	// run's context is an error instead.
	Deadline time.Time
	// Stop looks at the decided tokens, one more at a time, and says how many of them to
	// keep and whether to stop. It must be a pure function and not keep the slice. nil:
	// only the end token or the budget stops.
	Stop func(decided []backend.TokenID) (keep int, stop bool)
	// Hopeless looks at the decided tokens where Stop goes on, and at the causal
	// log-probabilities of their beginning, as far as they are known (of all of them in Causal
	// and Verify): true ends the run, since nobody wants the answer any more. It must be a pure
	// function and not keep the slices. nil: every answer is written to its end.
	Hopeless func(decided []backend.TokenID, logs []float32) bool
	// Begin says what the answer has to begin with: given the tokens decided so far, all
	// that may not come next (special tokens, too), or that from here on the answer is
	// free. Until then tokens are decided one by one by the causal reading, whatever the
	// mode. At least one token of text must be left. nil: free at once.
	Begin func(decided []backend.TokenID) (forbid []backend.TokenID, free bool)
	// Given are tokens that the answer begins with, decided before: the last of them is the
	// last of the pending tokens of Run. They count as tokens of the answer. GivenLogs are
	// their causal log-probabilities.
	Given     []backend.TokenID
	GivenLogs []float32
	// Not are tokens that may not come next after Given. With any, that token is decided by
	// a forward of its own, as those of Begin are.
	Not []backend.TokenID
	// Rivals asks for Result.Rivals, which costs no row that is not read anyway.
	Rivals bool
	// Watch is called after each forward. It must not keep the slices. nil: not.
	Watch func(State)
}

// State is what people watch: the canvas after a forward.
//
// In Causal and Verify the cells are the tokens accepted by the forward (Changed), and
// after them the draft that the next one will read.
type State struct {
	Forward int // from 1
	Block   int // from 0; in Causal and Verify, of the forward
	Phase   Phase
	Done    []backend.TokenID // before the canvas
	Cells   []Cell
}

// Cell is one position of a canvas.
type Cell struct {
	Token   backend.TokenID // the mask token while masked
	Masked  bool
	Changed bool    // decided or revised by this forward
	Prob    float32 // at which it was decided; 0 in a draft from what repeats
}

// Reason says why a run ended.
type Reason uint8

const (
	// Ended: the model wrote the end token.
	Ended Reason = iota
	// Stopped: Options.Stop said so.
	Stopped
	// Budget: MaxTokens are decided, or no position is left.
	Budget
	// Deadline: time is up.
	Deadline
	// Unlikely: Options.Hopeless said so.
	Unlikely
)

// String is the reason as engine.Result.Stop has it; of Stopped, "stopped".
func (r Reason) String() string {
	return [...]string{"end", "stopped", "budget", "deadline", "withheld"}[r]
}

// Result of a run.
type Result struct {
	Tokens   []backend.TokenID // the answer, without the end token: a beginning of Decided
	Decided  []backend.TokenID // all that was decided before the first undecided position
	Reason   Reason
	Forwards int
	Blocks   int
	// LogProbs holds the causal log-probability (nats, by model and memory together; where Begin holds, among what it
	// leaves) of each token of Decided, from the first on, as far as they were read: all of
	// Tokens with Options.Score (unless the run was hopeless), in Causal and in Verify, unless the deadline came.
	LogProbs []float32
	// EndLogProb is the log-probability of the end token in its place; 0 where the run did not
	// end with it, and in Diffusion, which does not read it causally.
	EndLogProb float32
	// Rivals are, with Options.Rivals, the best tokens by the causal reading that were not
	// taken: one for each of LogProbs (none for those of Given), and one for the end token
	// where EndLogProb is known.
	Rivals []Rival
}

// Rival is a token that might have stood in the place of another.
type Rival struct {
	Token   backend.TokenID // backend.NoToken: there is none
	LogProb float32         // in that place, by the causal reading, nats
}

// Run writes on after a context. The sequence seq of b holds the context but for its last
// tokens, pending, of which there must be at least one (see the package comment).
//
// An error is the cause of ctx's end or the backend's. The sequence may then hold some of
// pending and decided tokens; its length in b tells how many.
func Run(ctx context.Context, b backend.Backend, seq backend.Sequence, pending []backend.TokenID, opt Options) (Result, error) {
	if len(pending) == 0 {
		return Result{}, errors.New("denoise: no pending token: leave the last token of the context unread")
	}
	if opt.BlockSize < 1 {
		return Result{}, fmt.Errorf("denoise: block size is %d: must be at least 1", opt.BlockSize)
	}
	opt.Settings = opt.Settings.Or(defaults)
	d := newDecoder(b, seq, pending, opt)
	if !opt.Deadline.IsZero() {
		until, cancel := context.WithDeadline(ctx, opt.Deadline)
		defer cancel()
		d.until = until
	} else {
		d.until = ctx
	}
	over, err := len(d.out) > 0 && d.settle(d.out, false), error(nil)
	if !over {
		over, err = d.begin(ctx)
	}
	switch {
	case over || err != nil:
	case opt.Mode == Diffusion:
		err = d.diffusion(ctx)
	default:
		err = d.causal(ctx)
	}
	if err != nil {
		return Result{Forwards: d.forwards}, err
	}
	return d.result(ctx)
}
