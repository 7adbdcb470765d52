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
  c->k = malloc(n * sizeof *c->k);
  c->v = malloc(n * sizeof *c->k);
  if (!c->k || !c->v) { free(c->k); free(c->v); free(c); return 0; }
  return c;
}
static void free_cache(sl_cache *c) { if (c) { free(c->k); free(c->v); free(c); } }
static void copy_cache(const sl_shape *s, sl_cache *to, const sl_cache *from, int len) {
  size_t head = (size_t)s->positions * s->hd, n = sizeof *to->k * len * s->hd;
  for (int i = 0; i < s->layers * s->kv; i++) {
    memcpy(to->k + i * head, from->k + i * head, n);
    memcpy(to->v + i * head, from->v + i * head, n);
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
var Sets = []string{"avx512vnni", "avxvnni", "avx2", "neondot", "portable"}

// Register makes a further set known by its name: isa points to an sl_isa of C that lives
// for ever. For package emulated; not safe for concurrent use.
func Register(isa unsafe.Pointer) { C.sl_isa_register(isa) }

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
	CanvasMark, QKNorm                                  bool
	Mask                                                int
	Eps                                                 float32
}

// Matrix is an int8 weight [Rows, Cols] with a scale a row.
type Matrix struct {
	Rows, Cols int
	I8         []int8
	Scale      []float32
}

// Layer is a transformer block's weights. QNorm and KNorm are nil without [Shape].QKNorm.
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

// MaxDepth is the longest product whose sums fit 32 bits in every set: 255·127·K < 2³¹.
const MaxDepth = 1 << 16

// check holds what [NewNet] is given to the shape: C reads as many values as that says.
func (s Shape) check(layers []Layer, embed Matrix, norm, rope []float32) error {
	if s.KV <= 0 || s.Heads%s.KV != 0 || s.HeadDim <= 0 || s.HeadDim%8 != 0 || s.D <= 0 || s.FF <= 0 || s.Vocab <= 0 || s.Positions <= 0 {
		return fmt.Errorf("%+v is no shape of a network", s)
	}
	if s.Mask < 0 || s.Mask >= s.Vocab {
		return fmt.Errorf("mask token %d is not in the vocabulary of %d", s.Mask, s.Vocab)
	}
	if depth := max(s.D, s.FF, s.Heads*s.HeadDim); depth > MaxDepth {
		return fmt.Errorf("a product over %d values: int8 sums hold %d; no model this wide is supported", depth, MaxDepth)
	}
	if len(layers) != s.Layers || s.Layers == 0 {
		return fmt.Errorf("%d layers, the shape says %d", len(layers), s.Layers)
	}
	vec := func(name string, v []float32, n int) error {
		if len(v) != n {
			return fmt.Errorf("%s: %d values, the shape asks for %d", name, len(v), n)
		}
		return nil
	}
	mat := func(name string, m Matrix, rows, cols int) error {
		if m.Rows != rows || m.Cols != cols || len(m.I8) != rows*cols || len(m.Scale) != rows {
			return fmt.Errorf("%s: [%d %d] with %d values and %d scales, the shape asks for [%d %d]", name, m.Rows, m.Cols, len(m.I8), len(m.Scale), rows, cols)
		}
		return nil
	}
	q, kv := s.Heads*s.HeadDim, s.KV*s.HeadDim
	headNorm := 0
	if s.QKNorm {
		headNorm = s.HeadDim
	}
	err := errors.Join(mat("embedding", embed, s.Vocab, s.D), vec("norm", norm, s.D), vec("rope", rope, s.Positions*s.HeadDim))
	for i, l := range layers {
		at := func(name string) string { return fmt.Sprintf("layer %d: %s", i, name) }
		err = errors.Join(err, vec(at("input norm"), l.InNorm, s.D), vec(at("post norm"), l.PostNorm, s.D),
			vec(at("q norm"), l.QNorm, headNorm), vec(at("k norm"), l.KNorm, headNorm),
			mat(at("q"), l.Q, q, s.D), mat(at("k"), l.K, kv, s.D), mat(at("v"), l.V, kv, s.D), mat(at("o"), l.O, s.D, q),
			mat(at("gate"), l.Gate, s.FF, s.D), mat(at("up"), l.Up, s.FF, s.D), mat(at("down"), l.Down, s.D, s.FF))
	}
	return err
}

// Net is a packed network.
type Net struct {
	n     *C.sl_net
	shape C.sl_shape
}

// NewNet packs a network for an instruction set. rope is [positions, headDim].
func NewNet(isa string, s Shape, layers []Layer, embed Matrix, norm, rope []float32) (*Net, error) {
	if !Runs(isa) {
		return nil, fmt.Errorf("this processor cannot run %q", isa)
	}
	if err := s.check(layers, embed, norm, rope); err != nil {
		return nil, err
	}
	var mem cMemory
	defer mem.free()
	mark := C.int(0)
	if s.CanvasMark {
		mark = 1
	}
	shape := C.sl_shape{d: C.int(s.D), ff: C.int(s.FF), layers: C.int(s.Layers), heads: C.int(s.Heads), kv: C.int(s.KV), hd: C.int(s.HeadDim),
		vocab: C.int(s.Vocab), positions: C.int(s.Positions), canvas_mark: mark, mask: C.int(s.Mask), eps: C.float(s.Eps)}
	ls := (*C.sl_layer)(mem.take(len(layers) * int(unsafe.Sizeof(C.sl_layer{}))))
	if ls == nil {
		return nil, ErrMemory
	}
	for i, l := range layers {
		c := C.at_layer(ls, C.int(i))
		c.in_norm, c.post_norm = mem.floats(l.InNorm), mem.floats(l.PostNorm)
		c.q_norm, c.k_norm = nil, nil
		if s.QKNorm {
			c.q_norm, c.k_norm = mem.floats(l.QNorm), mem.floats(l.KNorm)
		}
		c.q, c.k, c.v, c.o = mem.matrix(l.Q), mem.matrix(l.K), mem.matrix(l.V), mem.matrix(l.O)
		c.gate, c.up, c.down = mem.matrix(l.Gate), mem.matrix(l.Up), mem.matrix(l.Down)
	}
	e := mem.matrix(embed)
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	cn, cr := mem.floats(norm), mem.floats(rope)
	if mem.failed {
		return nil, ErrMemory
	}
	n := C.sl_net_new(name, &shape, ls, &e, cn, cr)
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
func NewFlag() (Flag, error) {
	p := (*int32)(C.calloc(1, 4))
	if p == nil {
		return Flag{}, ErrMemory
	}
	return Flag{p}, nil
}

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
