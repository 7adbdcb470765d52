package backend

import (
	"context"
	"errors"
)

// Sequence names one token sequence whose keys and values a backend keeps.
// The zero Sequence is the empty one: it is always valid, never extended, and is
// what a caller forks to begin.
type Sequence int32

// Root is the empty sequence. Fork(Root) makes a new, empty sequence.
const Root Sequence = 0

// TokenID is an index into the model's vocabulary.
type TokenID int32

// NoToken stands where no token is meant.
const NoToken TokenID = -1

// Kind is the role in which a row is read (DESIGN.md, "The model").
type Kind uint8

const (
	// Context rows are read causally and extend the cache of their sequence.
	Context Kind = iota
	// Canvas rows see the whole cache of their sequence (context rows of the same
	// batch included) and every canvas row of the same sequence in the same batch,
	// in both directions.
	Canvas
)

// Want says what is asked of a row. The zero value asks for nothing: such a row
// costs no part of the head.
type Want uint8

const (
	// WantTop asks for the best token, the runner-up and the log-partition.
	WantTop Want = 1 << iota
	// WantTarget asks for the log-probability of Row.Target.
	WantTarget
)

// Row is one token of a batch.
type Row struct {
	Seq    Sequence
	Token  TokenID // what stands there; the mask token for an undecided canvas position
	Pos    int32   // 0-based position in the sequence, the angle of RoPE
	Kind   Kind
	Want   Want
	Target TokenID // with WantTarget
}

// Batch is what one forward pass computes. Context rows of a sequence must be
// contiguous in position and start at the length of its cache; its canvas rows must
// follow them in position.
type Batch struct {
	Rows []Row
	// Forbid lists tokens whose probability is zero in every row: the mask token
	// always, and whatever else can be no answer here (delete and insert while
	// infilling; while the beginning of an answer is given, all tokens but the few that
	// agree with it). They take no part in the log-partition. In any order; at
	// least one token must be left.
	Forbid []TokenID
}

// Top is what is known of one asked row, in natural logarithms. Answers come in
// the order of the rows that asked.
type Top struct {
	Row        int     // index into Batch.Rows
	Best       TokenID // the most probable token; the lower id of equals
	Prob       float32 // its probability, in [0, 1]
	Second     TokenID // the runner-up
	SecondProb float32
	LogZ       float32 // log-partition of the row's logits, without forbidden tokens
	TargetLog  float32 // log-probability of Row.Target, if asked
}

// Backend runs a network on a device. It is not safe for concurrent use: the
// engine's scheduler owns it.
type Backend interface {
	// Forward runs one batch and answers for each row that wants something, in
	// order. When ctx ends before or during the pass it returns ctx's error within
	// the pass, and the caches are as they were before the call. Any other error
	// leaves the caches as they were, too.
	Forward(ctx context.Context, b Batch) ([]Top, error)
	// Truncate forgets the tokens of seq from index n on. n beyond its length is an error.
	Truncate(seq Sequence, n int) error
	// Fork makes a new sequence that begins as a copy of seq (shared where the
	// backend can).
	Fork(seq Sequence) (Sequence, error)
	// Release forgets seq. Releasing Root does nothing.
	Release(seq Sequence) error
	// Len is the number of cached tokens of seq.
	Len(seq Sequence) int
	// Limits tells what the backend can hold.
	Limits() Limits
	// Close frees the device. The backend is not used after it.
	Close() error
}

// Limits is what a backend can hold at a time.
type Limits struct {
	Positions int // tokens per sequence, context and canvas together
	Sequences int // sequences at a time
	Rows      int // rows per Forward; longer prefills are cut into several
}

// Info describes a backend for `seedling doctor` and for the "backend" key of JSON answers.
type Info struct {
	Name    string // "cpu", "cuda"
	Kernels string // the instruction set in use, e.g. "avx512vnni", "avx2", "portable"
	Threads int
}

// Describer is implemented by backends that can say what they run on.
type Describer interface{ Info() Info }

// Errors that callers look for.
var (
	// ErrSequence is returned for a sequence that does not exist.
	ErrSequence = errors.New("backend: no such sequence")
	// ErrFull is returned when no further sequence or position fits.
	ErrFull = errors.New("backend: cache is full")
	// ErrBatch is returned for a batch that breaks the rules stated at Batch.
	ErrBatch = errors.New("backend: malformed batch")
)
