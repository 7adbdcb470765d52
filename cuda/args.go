package cuda

import (
	"bytes"
	"encoding/binary"

	"github.com/seedling-lsp/seedling/cuda/driver"
)

// The structs that the kernels take, field by field as kernels/*.cu declares them.

type rowArg struct {
	Token, Pos, Slot, Canvas  int32
	Context, Canvas0, Canvas1 int32
	Target                    int32
}

type itemArg struct {
	Row0, P0, P1, Slot, Context, Canvas0, Canvas1, _ int32
}

type gemmArg struct {
	X, W, Parts, Counts, Squares, Info, Pick          driver.Ptr
	Rows, KTiles, Tiles, Group, Splits, Stride, Width int32
	Eps                                               float32
}

type qkvArg struct {
	G                                   gemmArg
	Q, K, V, CanvasK, CanvasV           driver.Ptr
	QNorm, KNorm, Rope                  driver.Ptr
	Heads, KV, HD, Padded, Positions, _ int32
}

type residualArg struct {
	G                gemmArg
	Y, Copy, Squares driver.Ptr
	N, _             int32
}

type swigluArg struct {
	G          gemmArg
	H          driver.Ptr
	HStride, _ int32
}

type headArg struct {
	G                         gemmArg
	Forbid, Best, IDs, Target driver.Ptr
	Vocab, _                  int32
}

type answerArg struct {
	Best, IDs, Target, Out driver.Ptr
	Tiles, Asked           int32
}

type embedArg struct {
	Table, Info, Y, Copy, Squares driver.Ptr
	N, Width, Stride, Mark        int32
}

type attentionArg struct {
	Q, K, V, CanvasK, CanvasV, Info, Items, Out driver.Ptr
	Heads, KV, HD, Positions, OStride           int32
	Scale                                       float32
}

// encode is v as device memory holds it.
func encode(v any) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, v) // of fixed size: it cannot fail
	return b.Bytes()
}
