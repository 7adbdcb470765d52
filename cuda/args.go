package cuda

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/seedling-lsp/seedling/cuda/driver"
)

// The structs that the kernels take, field by field as kernels/ declares them.

type headerArg struct {
	Rows, Asked, Set, _ int32
}

type rowArg struct {
	Token, Pos, Page, Canvas  int32
	Context, Canvas0, Canvas1 int32
	Target, Ask               int32
	_, _, _                   int32
}

type itemArg struct {
	Row0, P0, P1, Table, Context, Canvas0, Canvas1 int32
	T0, T1, Part, Parts, First                     int32
}

type xArg struct {
	Data, Scale driver.Ptr
	Stride, _   int32
}

type gemmArg struct {
	X                                            xArg
	W, Scale, Parts, Counts, Squares, Info, Head driver.Ptr
	Steps, Tiles, Group, Splits, Stride, Width   int32
	Eps                                          float32
	_                                            int32
}

type qkvArg struct {
	G                         gemmArg
	Q, K, V, CanvasK, CanvasV driver.Ptr
	QNorm, KNorm, Rope        driver.Ptr
	Page                      int64
	Heads, KV, HD, Padded     int32
}

type streamArg struct {
	Y       driver.Ptr
	Copy    xArg
	Squares driver.Ptr
	N, _    int32
}

type residualArg struct {
	G  gemmArg
	To streamArg
}

type mlpArg struct {
	Up, Down      gemmArg
	H             xArg
	To            streamArg
	Ticket, Ready driver.Ptr
	Blocks, _     int32
}

type headArg struct {
	G                         gemmArg
	Forbid, Best, IDs, Target driver.Ptr
	Vocab, Words              int32
}

type answerArg struct {
	Best, IDs, Target, Out, Head driver.Ptr
	Tiles, _                     int32
}

type embedArg struct {
	Table, Info, Head      driver.Ptr
	To                     streamArg
	Width, Stride, Mark, _ int32
}

type attentionArg struct {
	Q, K, V, CanvasK, CanvasV, Info, Items, Pages driver.Ptr
	Out                                           xArg
	Parts, Counts                                 driver.Ptr
	Page                                          int64
	Heads, KV, HD, HStride                        int32
	Scale                                         float32
	_                                             int32
}

// canvasArg is a canvas as the kernel decide has it between passes.
type canvasArg struct {
	Cells, Limit              int32
	Revise, Passes            int32
	Tried, Over               int32
	Step, Stride              int32
	Cap, Lead                 int32
	Pos, Context, Pages       int32
	Mask, End, Erase, Insert  int32
	Threshold, Factor, Change float32
}

const canvasBytes = 80

type decideArg struct {
	Canvas, Cells, Tried, Out, Log, Head, Info, Items, Pages, Plan, Own driver.Ptr
	Count, Share                                                        int32
}

// encode is v as device memory holds it.
func encode(v any) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, v) // of fixed size: it cannot fail
	return b.Bytes()
}

// raw is s as memory holds it: cards and the processors they stand beside are little-endian.
func raw[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}
