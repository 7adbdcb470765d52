package engine

import (
	"time"

	"github.com/seedling-lsp/seedling/engine/denoise"
)

// Priority orders requests that wait for the device.
type Priority uint8

const (
	Speculative Priority = iota // done in idle time, dropped first
	Typed                       // automatic, while a person types
	Invoked                     // asked for by hand
)

// Snippet is a piece of another file that stands before the document.
type Snippet struct{ Path, Text string }

// Request is one infill: what stands before and after the gap, and when to stop.
// The engine knows nothing of files, editors or syntax: all of that is in the strings
// and in Stop.
type Request struct {
	// Document is an opaque identity: a newer request for the same one cancels an
	// older one that still waits or runs, and finds its cache.
	Document string
	Path     string    // name of the file as the model sees it; may be empty
	Snippets []Snippet // pieces of other files, shown to the model and remembered as Above is
	Prefix   string    // text before the gap, already windowed by the caller
	Suffix   string    // text after the gap, likewise
	// Above and Below are the document's text before Prefix and after Suffix, or what of it
	// is at hand: for the memory alone. They should stay the same while a person types. Clean
	// is applied to them before they are remembered; nil: they are as they should be.
	Above, Below string
	Clean        func(string) string
	// Own is the id under which a copy of the document is remembered (Engine.Remember): the
	// request does not see it, it may be out of date. Empty: Document.
	Own string

	Priority Priority

	Decode    denoise.Mode
	BlockSize int // 0: the model's own
	MaxTokens int // 0: 64
	// Deadline bounds the answer: at it, what is decided is returned. Zero: none.
	Deadline time.Time
	// Stop looks at the decided text so far and says how many of its bytes to keep
	// and under which name to stop ("line", "block", …); an empty name goes on.
	// It must be a pure function. nil: only the end token or the budget stops.
	Stop func(decided string) (keep int, name string)
	// Candidates is how many different answers are wanted: the likeliest is the result, the
	// others are its Alternatives, fewer where there are fewer. 0 and 1 ask for the one that
	// decoding comes to first, which need not be the likeliest. It implies Score.
	Candidates int
	// Show is what a person would be shown of an answer: of those that show the same, or
	// nothing, none is an alternative to another. It must be a pure function. nil: the text.
	Show func(Result) string
	// Watch is called after each denoising step with the canvas as it stands, but not of
	// alternatives. nil: not.
	Watch func(Step)
	// Settings say how bold decoding is; zero fields take the engine's.
	Settings denoise.Settings
	// Score asks for Result.LogProb even where it costs a forward: in Diffusion the last
	// block is else not read causally. MinLogProb implies it.
	Score bool
	// MinLogProb withholds answers whose first line has a log-probability (nats, by the
	// causal reading, summed over its tokens) below it: of the whole line, since that is
	// what a person takes or leaves, and foretells better than a mean whether it is right.
	// An answer without Candidates is given up as soon as what is decided of that line is below.
	// 0: none is withheld.
	MinLogProb float64
}

// Step is a state of the canvas, for people to watch.
type Step struct {
	Forward int    // number of the forward pass, from 1
	Block   int    // index of the block, from 0
	Cells   []Cell // the canvas, in order
	Done    string // text of the blocks committed so far; it and a cell may end inside a character
	Phase   denoise.Phase
}

// Cell is one canvas position.
type Cell struct {
	Text    string // decoded bytes of the token; empty while masked
	Masked  bool
	Changed bool    // decided or revised in this step
	Prob    float32 // probability at which it was decided; 0: part of a draft that was found, not foretold
}

// Result is an answer. An empty Text with Stop "none" is an answer too.
type Result struct {
	Text          string
	Stop          string  // line, statement, block, function, end, budget, deadline, withheld, none
	Tokens        int     // tokens of Text
	Forwards      int     // forward passes, prefill included
	ContextTokens int     // tokens of the context
	CachedTokens  int     // of them, already in the cache
	LogProb       float64 // mean log-probability per token by the causal reading, nats; 0 if unknown
	LineLogProb   float64 // log-probability of the first line of Text, nats; 0 if unknown
	Prefill       time.Duration
	Denoise       time.Duration
	// Alternatives are further answers (Request.Candidates), the likeliest first. Their
	// forwards and their time are counted in the answer's.
	Alternatives []Result
	// EndedLogProb is LineLogProb and what the end of that line has, be it a line end or the
	// end of the answer: by it answers of different length can be compared. 0 if unknown.
	EndedLogProb float64
}
