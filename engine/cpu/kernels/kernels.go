package kernels

/*
#cgo CFLAGS: -O3 -Wno-psabi
#cgo LDFLAGS: -lm -lpthread
#include <stdlib.h>
#include <string.h>
#include "kernels.h"
#include "pool.h"

static sl_layer *at_layer(sl_layer *l, int i) { return l + i; }
static sl_cache *new_cache(const sl_shape *s) {
  size_t n = (size_t)s->layers * s->positions * s->kv * s->hd;
  sl_cache *c = calloc(1, sizeof *c);
  if (!c) return 0;
  // Pages are touched as the sequence grows, so a short one costs little.
  c->k = malloc(n * sizeof(float));
  c->v = malloc(n * sizeof(float));
  if (!c->k || !c->v) { free(c->k); free(c->v); free(c); return 0; }
  return c;
}
static void free_cache(sl_cache *c) { if (c) { free(c->k); free(c->v); free(c); } }
static void copy_cache(const sl_shape *s, sl_cache *to, const sl_cache *from, int len) {
  size_t row = (size_t)s->kv * s->hd, layer = row * s->positions;
  for (int l = 0; l < s->layers; l++) {
    memcpy(to->k + l * layer, from->k + l * layer, sizeof(float) * row * len);
    memcpy(to->v + l * layer, from->v + l * layer, sizeof(float) * row * len);
  }
  to->len = len;
}
static void set_len(sl_cache *c, int n) { c->len = n; }
static int get_len(const sl_cache *c) { return c->len; }
*/
import "C"

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Instruction sets, best first.
var Sets = []string{"avx512vnni", "avx2", "portable"}

// Runs says whether this machine can run an instruction set.
func Runs(isa string) bool {
	s := C.CString(isa)
	defer C.free(unsafe.Pointer(s))
	return C.sl_isa_ok(s) != 0
}

// ErrCancelled is returned by a pass whose flag was raised.
var ErrCancelled = errors.New("cancelled")

// ErrMemory is returned when C has no memory left.
var ErrMemory = errors.New("out of memory; use a smaller model, fewer sequences or a shorter context")

// Shape is the network's dimensions.
type Shape struct {
	D, FF, Layers, Heads, KV, HeadDim, Vocab, Positions int
	CanvasMark                                          bool
	Mask                                                int
	Eps                                                 float32
}

// Matrix is an int8 weight [Rows, Cols] with a scale a row.
type Matrix struct {
	Rows, Cols int
	I8         []int8
	Scale      []float32
}

// Layer is a transformer block's weights.
type Layer struct {
	InNorm, QNorm, KNorm, PostNorm []float32
	Q, K, V, O, Gate, Up, Down     Matrix
}

// Pool owns the threads of forward passes.
type Pool struct{ p *C.sl_pool }

// NewPool starts n threads, the caller's included.
func NewPool(n int) (*Pool, error) {
	p := C.sl_pool_new(C.int(max(n, 1)))
	if p == nil {
		return nil, ErrMemory
	}
	return &Pool{p}, nil
}

// Size is the number of threads that were started.
func (p *Pool) Size() int { return int(C.sl_pool_size(p.p)) }

// Close ends the threads.
func (p *Pool) Close() { C.sl_pool_free(p.p); p.p = nil }

// Net is a packed network.
type Net struct {
	n     *C.sl_net
	shape C.sl_shape
}

// cMemory copies slices into C's memory until it is freed.
type cMemory []unsafe.Pointer

func (m *cMemory) floats(s []float32) *C.float {
	p := C.malloc(C.size_t(4*len(s) + 4))
	*m = append(*m, p)
	copy(unsafe.Slice((*float32)(p), len(s)), s)
	return (*C.float)(p)
}

func (m *cMemory) matrix(w Matrix) C.sl_matrix {
	p := C.malloc(C.size_t(len(w.I8) + 1))
	*m = append(*m, p)
	copy(unsafe.Slice((*int8)(p), len(w.I8)), w.I8)
	return C.sl_matrix{rows: C.int(w.Rows), cols: C.int(w.Cols), w: (*C.int8_t)(p), scale: m.floats(w.Scale)}
}

func (m *cMemory) free() {
	for _, p := range *m {
		C.free(p)
	}
	*m = nil
}

// NewNet packs a network for an instruction set. rope is [positions, headDim].
func NewNet(isa string, s Shape, layers []Layer, embed Matrix, norm, rope []float32) (*Net, error) {
	if !Runs(isa) {
		return nil, fmt.Errorf("this processor cannot run %q", isa)
	}
	var mem cMemory
	defer mem.free()
	mark := C.int(0)
	if s.CanvasMark {
		mark = 1
	}
	shape := C.sl_shape{d: C.int(s.D), ff: C.int(s.FF), layers: C.int(s.Layers), heads: C.int(s.Heads), kv: C.int(s.KV), hd: C.int(s.HeadDim),
		vocab: C.int(s.Vocab), positions: C.int(s.Positions), canvas_mark: mark, mask: C.int(s.Mask), eps: C.float(s.Eps)}
	ls := (*C.sl_layer)(C.calloc(C.size_t(len(layers)), C.size_t(unsafe.Sizeof(C.sl_layer{}))))
	mem = append(mem, unsafe.Pointer(ls))
	for i, l := range layers {
		c := C.at_layer(ls, C.int(i))
		c.in_norm, c.q_norm, c.k_norm, c.post_norm = mem.floats(l.InNorm), mem.floats(l.QNorm), mem.floats(l.KNorm), mem.floats(l.PostNorm)
		c.q, c.k, c.v, c.o = mem.matrix(l.Q), mem.matrix(l.K), mem.matrix(l.V), mem.matrix(l.O)
		c.gate, c.up, c.down = mem.matrix(l.Gate), mem.matrix(l.Up), mem.matrix(l.Down)
	}
	e := mem.matrix(embed)
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	n := C.sl_net_new(name, &shape, ls, &e, mem.floats(norm), mem.floats(rope))
	if n == nil {
		return nil, ErrMemory
	}
	return &Net{n, shape}, nil
}

// Close frees the network.
func (n *Net) Close() { C.sl_net_free(n.n); n.n = nil }

// Cache is a sequence's keys and values.
type Cache struct{ c *C.sl_cache }

// NewCache makes an empty cache for the network.
func (n *Net) NewCache() (*Cache, error) {
	c := C.new_cache(&n.shape)
	if c == nil {
		return nil, ErrMemory
	}
	return &Cache{c}, nil
}

// Copy makes c hold the first length tokens of from.
func (n *Net) Copy(c, from *Cache, length int) {
	C.copy_cache(&n.shape, c.c, from.c, C.int(length))
}

// Len is the number of valid tokens.
func (c *Cache) Len() int { return int(C.get_len(c.c)) }

// SetLen moves the end of the valid tokens.
func (c *Cache) SetLen(n int) { C.set_len(c.c, C.int(n)) }

// Close frees the cache.
func (c *Cache) Close() { C.free_cache(c.c); c.c = nil }

// Row is one row of a batch; Group indexes the caches of the call.
type Row struct {
	Token, Pos, Canvas, Group, Want, Target int32
}

// Top is an answer, as in backend.Top.
type Top struct {
	Best, Second                      int32
	Prob, SecondProb, LogZ, TargetLog float32
}

// Flag is raised to stop a pass between layers.
type Flag struct{ p *int32 }

// NewFlag makes a lowered flag. Free it when no pass can use it any more.
func NewFlag() Flag { return Flag{(*int32)(C.calloc(1, 4))} }

// Raise stops the pass that was given the flag.
func (f Flag) Raise() { atomic.StoreInt32(f.p, 1) }

// Lower makes the flag fit for the next pass.
func (f Flag) Lower() { atomic.StoreInt32(f.p, 0) }

// Free releases the flag.
func (f Flag) Free() { C.free(unsafe.Pointer(f.p)) }

// Workspace carries one call's arrays in C's memory and grows as needed.
type Workspace struct {
	rows, tops, forbid, caches unsafe.Pointer
	cap, capForbid, capCaches  int
}

// Close frees the workspace.
func (w *Workspace) Close() {
	for _, p := range []unsafe.Pointer{w.rows, w.tops, w.forbid, w.caches} {
		C.free(p)
	}
	*w = Workspace{}
}

func grow(p *unsafe.Pointer, n, size int) error {
	q := C.realloc(*p, C.size_t(n*size))
	if q == nil {
		return ErrMemory
	}
	*p = q
	return nil
}

// Forward runs one pass and appends the answers of the asking rows to dst.
func (n *Net) Forward(p *Pool, w *Workspace, rows []Row, caches []*Cache, forbid []int32, flag Flag, dst []Top) ([]Top, error) {
	if len(rows) == 0 {
		return dst, nil
	}
	if len(rows) > w.cap {
		if err := errors.Join(grow(&w.rows, len(rows), int(unsafe.Sizeof(Row{}))), grow(&w.tops, len(rows), int(unsafe.Sizeof(Top{})))); err != nil {
			return dst, err
		}
		w.cap = len(rows)
	}
	if k := max(len(forbid), 1); k > w.capForbid {
		if err := grow(&w.forbid, k, 4); err != nil {
			return dst, err
		}
		w.capForbid = k
	}
	if k := len(caches); k > w.capCaches {
		if err := grow(&w.caches, k, int(unsafe.Sizeof(uintptr(0)))); err != nil {
			return dst, err
		}
		w.capCaches = k
	}
	copy(unsafe.Slice((*Row)(w.rows), len(rows)), rows)
	copy(unsafe.Slice((*int32)(w.forbid), len(forbid)), forbid)
	cs := unsafe.Slice((**C.sl_cache)(w.caches), len(caches))
	for i, c := range caches {
		cs[i] = c.c
	}
	code := C.sl_forward(n.n, p.p, (*C.sl_row)(w.rows), C.int(len(rows)), (**C.sl_cache)(w.caches), (*C.int)(w.forbid), C.int(len(forbid)),
		(*C.sl_top)(w.tops), (*C.int)(unsafe.Pointer(flag.p)))
	switch code {
	case C.SL_OK:
	case C.SL_CANCELLED:
		return dst, ErrCancelled
	default:
		return dst, ErrMemory
	}
	asked := 0
	for _, r := range rows {
		if r.Want != 0 {
			asked++
		}
	}
	return append(dst, unsafe.Slice((*Top)(w.tops), asked)...), nil
}

// MatMul is y [m, w.Rows] = x [m, w.Cols]·wᵀ through quantization, for tests.
func MatMul(isa string, w Matrix, m int, x []float32) ([]float32, error) {
	var mem cMemory
	defer mem.free()
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	cm := mem.matrix(w)
	y := mem.floats(make([]float32, m*w.Rows))
	if code := C.sl_matmul(name, &cm, C.int(m), mem.floats(x), y); code != C.SL_OK {
		return nil, fmt.Errorf("product on %s: code %d", isa, int(code))
	}
	out := make([]float32, m*w.Rows)
	copy(out, unsafe.Slice((*float32)(unsafe.Pointer(y)), len(out)))
	return out, nil
}

// Packed is a weight packed for one instruction set, for benchmarks.
type Packed struct {
	p          *C.sl_packed
	rows, cols int
}

// Pack packs w.
func Pack(isa string, w Matrix) (*Packed, error) {
	var mem cMemory
	defer mem.free()
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	cm := mem.matrix(w)
	p := C.sl_pack(name, &cm)
	if p == nil {
		return nil, ErrMemory
	}
	return &Packed{p, w.Rows, w.Cols}, nil
}

// Close frees the weight.
func (p *Packed) Close() { C.sl_packed_free(p.p) }

// Run multiplies m rows of x repeat times over.
func (p *Packed) Run(m, repeat int, x []float32) {
	var mem cMemory
	defer mem.free()
	C.sl_matmul_packed(p.p, C.int(m), mem.floats(x), mem.floats(make([]float32, m*p.rows)), C.int(repeat))
}

// PeakInt8 and PeakFP32 run a register-resident loop and return the operations done.
func PeakInt8(isa string, iters int) float64 {
	s := C.CString(isa)
	defer C.free(unsafe.Pointer(s))
	return float64(C.sl_peak_int8(s, C.long(iters)))
}

// PeakFP32: see PeakInt8.
func PeakFP32(isa string, iters int) float64 {
	s := C.CString(isa)
	defer C.free(unsafe.Pointer(s))
	return float64(C.sl_peak_fp32(s, C.long(iters)))
}

// ReadAll sums b, to measure what memory can deliver; it returns the bytes read.
func ReadAll(b []byte) float64 {
	return float64(C.sl_read_bytes(unsafe.Pointer(unsafe.SliceData(b)), C.long(len(b))))
}
