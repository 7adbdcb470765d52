package train

import "github.com/seedling-lsp/seedling/engine/train/kernels"

// LossKind tells the three losses of the recipe apart (method.md, section 2).
type LossKind uint8

const (
	LossAR   LossKind = iota // next token of the clean stream
	LossMask                 // own token of a masked canvas position
	LossEdit                 // edit target of a position in a corrupted draft
	lossKinds
)

// String is the column name in curves.
func (k LossKind) String() string { return [...]string{"ar", "mask", "edit"}[k] }

// Asked is one row that carries a loss.
type Asked struct {
	Row    int32
	Target int32
	Weight float32
	Kind   LossKind
}

// Micro is a micro-batch: clean rows of all documents first, document after document,
// then the noised rows in the same order. Slices indexed by row have Clean+Noised
// elements.
type Micro struct {
	Clean, Noised int
	Token         []int32
	Mark          []bool  // a visible canvas token: the mask's embedding is added
	Pos           []int32 // true position, in both streams
	Lim           []int32 // noised rows: how many clean rows of the document they see
	From, To      []int32 // noised rows: their block, counted from the document's first noised row
	Docs          []kernels.Doc
	Asked         []Asked
	Bytes         int // bytes of text behind the clean rows that carry a loss
}

// Rows is the number of rows of both streams.
func (m *Micro) Rows() int { return m.Clean + m.Noised }
