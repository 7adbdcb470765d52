package kernels

/*
#cgo LDFLAGS: -lm
#cgo CFLAGS: -O3 -Wno-psabi
#include <stdlib.h>
#include "kernels.h"

static void call_gemm(const sl_ops *o, int m0, int m1, int N, int K, const float *A, long ars, long acs,
                      const float *B, long brs, long bcs, float *C, long ldc, int acc, float *work) {
  o->gemm(m0, m1, N, K, A, ars, acs, B, brs, bcs, C, ldc, acc, work);
}
static long call_gemm_work(const sl_ops *o, int N, int K) { return o->gemm_work(N, K); }
static long call_attn_work(const sl_ops *o, int keys, int D) { return o->attn_work(keys, D); }
static void call_attn(const sl_ops *o, int bwd, int H, int G, int D, float scale, const float *q, const float *k,
                      const float *v, float *out, float *lse, const float *dout, float *dq, float *dk, float *dv,
                      const int *lim, const int *from, const int *to, int clean, int n_clean, int noised,
                      int n_noised, int g, float *work) {
  sl_attn a = {H, G, D, scale, q, k, v, out, lse, dout, dq, dk, dv, lim, from, to};
  sl_doc d = {clean, n_clean, noised, n_noised};
  if (bwd) o->attn_bwd(&a, &d, g, work); else o->attn_fwd(&a, &d, g, work);
}
static void call_rms_fwd(const sl_ops *o, int n, int d, const float *x, long xs, const float *w, float eps, float *y, long ys, float *inv) {
  o->rms_fwd(n, d, x, xs, w, eps, y, ys, inv);
}
static void call_rms_bwd(const sl_ops *o, int n, int d, const float *x, long xs, const float *w, const float *inv,
                         const float *dy, long dys, float *dx, long dxs, int acc, float *dw) {
  o->rms_bwd(n, d, x, xs, w, inv, dy, dys, dx, dxs, acc, dw);
}
static void call_rope(const sl_ops *o, int n, int heads, int D, float *x, const int *pos, const float *cs, float sign) {
  o->rope(n, heads, D, x, pos, cs, sign);
}
static void call_swiglu_fwd(const sl_ops *o, long n, const float *g, const float *u, float *h) { o->swiglu_fwd(n, g, u, h); }
static void call_swiglu_bwd(const sl_ops *o, long n, float *g, float *u, const float *dh) { o->swiglu_bwd(n, g, u, dh); }
static void call_ce(const sl_ops *o, int n, int V, float *l, const int *t, const float *w, int forbid, float *loss, int *best) {
  o->cross_entropy(n, V, l, t, w, forbid, loss, best);
}
static void call_add(const sl_ops *o, long n, float *y, const float *x) { o->add(n, y, x); }
static void call_scale(const sl_ops *o, long n, float *y, float s) { o->scale(n, y, s); }
static void call_axpby(const sl_ops *o, long n, float *y, float a, const float *x, float b) { o->axpby(n, y, a, x, b); }
static double call_sumsq(const sl_ops *o, long n, const float *x) { return o->sumsq(n, x); }
static void call_adamw(const sl_ops *o, long n, float *w, const float *g, float *m, float *v, float lr, float b1,
                       float b2, float c1, float c2, float eps, float wd) {
  o->adamw(n, w, g, m, v, lr, b1, b2, c1, c2, eps, wd);
}
static double call_peak(const sl_ops *o, long iters) { return o->peak(iters); }
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

// Ops is the kernel table of one instruction set. Slices are in row-major order;
// lengths are the caller's to get right: the trainer checks shapes once, at its edge.
type Ops struct{ c *C.sl_ops }

// Pick returns the table named ("base", "avx2", "avx512", "avx512bf16"), or the best
// that this machine runs for "".
func Pick(name string) (*Ops, error) {
	cs := C.CString(name)
	defer C.free(unsafe.Pointer(cs))
	p := C.sl_pick(cs)
	if p == nil {
		return nil, fmt.Errorf("kernels: this processor cannot run %q; leave the instruction set empty to choose the best one", name)
	}
	return &Ops{p}, nil
}

// Names lists the tables this machine can run, the one that Pick prefers first.
func Names() []string {
	var names []string
	for i := C.int(0); ; i++ {
		p := C.sl_have(i)
		if p == nil {
			return names
		}
		names = append(names, C.GoString(p.name))
	}
}

// FromTable wraps a C table (kernels.h, sl_ops) that was compiled outside this package
// and lives as long as the program, as package emulated has them.
func FromTable(table unsafe.Pointer) *Ops { return &Ops{(*C.sl_ops)(table)} }

// Name is the instruction set of the table.
func (o *Ops) Name() string { return C.GoString(o.c.name) }

// PeakKind is the number format of the units that Gemm uses and [Ops.Peak] measures:
// "fp32" or "bf16".
func (o *Ops) PeakKind() string { return C.GoString(o.c.peak_kind) }

func fp(s []float32) *C.float {
	if len(s) == 0 {
		return nil
	}
	return (*C.float)(unsafe.Pointer(&s[0]))
}

func ip(s []int32) *C.int {
	if len(s) == 0 {
		return nil
	}
	return (*C.int)(unsafe.Pointer(&s[0]))
}

// Mat is a strided view of a matrix: element (i, j) is Data[i*RS+j*CS].
type Mat struct {
	Data   []float32
	RS, CS int
}

// Rows views contiguous data as a matrix whose rows have n elements.
func Rows(data []float32, n int) Mat { return Mat{data, n, 1} }

// T is the transposed view.
func (m Mat) T() Mat { return Mat{m.Data, m.CS, m.RS} }

// Gemm computes rows [m0, m1) of c (+)= a·b, a [*,k], b [k,n], c contiguous with rows
// of ldc elements. Each of a and b has one stride of 1. work holds GemmWork(n, k)
// floats. A row does not depend on the range it is computed in. A table of PeakKind
// "bf16" rounds a and b to bf16 first and sums in fp32.
func (o *Ops) Gemm(m0, m1, n, k int, a, b Mat, c []float32, ldc int, acc bool, work []float32) {
	if m0 >= m1 || n == 0 {
		return
	}
	flag := C.int(0)
	if acc {
		flag = 1
	}
	C.call_gemm(o.c, C.int(m0), C.int(m1), C.int(n), C.int(k), fp(a.Data), C.long(a.RS), C.long(a.CS),
		fp(b.Data), C.long(b.RS), C.long(b.CS), fp(c), C.long(ldc), flag, fp(work))
}

// GemmWork is the number of floats that Gemm needs for scratch.
func (o *Ops) GemmWork(n, k int) int { return int(C.call_gemm_work(o.c, C.int(n), C.int(k))) }

// Doc is one document of a micro-batch: Clean rows from row Clean on, Noised likewise.
type Doc struct{ Clean, NClean, Noised, NNoised int }

// Attention is one call's shapes and tensors (kernels.h, sl_attn).
type Attention struct {
	Heads, KVHeads, Dim int
	Scale               float32
	Q, K, V, O, LSE     []float32
	DO, DQ, DK, DV      []float32
	Lim, From, To       []int32
}

func (o *Ops) attention(bwd C.int, a *Attention, d Doc, g int, work []float32) {
	C.call_attn(o.c, bwd, C.int(a.Heads), C.int(a.KVHeads), C.int(a.Dim), C.float(a.Scale), fp(a.Q), fp(a.K), fp(a.V),
		fp(a.O), fp(a.LSE), fp(a.DO), fp(a.DQ), fp(a.DK), fp(a.DV), ip(a.Lim), ip(a.From), ip(a.To),
		C.int(d.Clean), C.int(d.NClean), C.int(d.Noised), C.int(d.NNoised), C.int(g), fp(work))
}

// AttnForward computes O and LSE of document d for the queries of key head g.
func (o *Ops) AttnForward(a *Attention, d Doc, g int, work []float32) { o.attention(0, a, d, g, work) }

// AttnBackward computes DQ, DK and DV of document d for key head g.
func (o *Ops) AttnBackward(a *Attention, d Doc, g int, work []float32) { o.attention(1, a, d, g, work) }

// AttnWork is the number of floats that attention over that many keys needs.
func (o *Ops) AttnWork(keys, dim int) int {
	return int(C.call_attn_work(o.c, C.int(keys), C.int(dim)))
}

// RMSForward normalises n rows of width d.
func (o *Ops) RMSForward(n, d int, x []float32, xs int, w []float32, eps float32, y []float32, ys int, inv []float32) {
	C.call_rms_fwd(o.c, C.int(n), C.int(d), fp(x), C.long(xs), fp(w), C.float(eps), fp(y), C.long(ys), fp(inv))
}

// RMSBackward writes (or adds, with acc) dx and adds to dw. dx may be dy.
func (o *Ops) RMSBackward(n, d int, x []float32, xs int, w, inv, dy []float32, dys int, dx []float32, dxs int, acc bool, dw []float32) {
	flag := C.int(0)
	if acc {
		flag = 1
	}
	C.call_rms_bwd(o.c, C.int(n), C.int(d), fp(x), C.long(xs), fp(w), fp(inv), fp(dy), C.long(dys), fp(dx), C.long(dxs), flag, fp(dw))
}

// RoPE rotates n rows of heads×dim in place; sign -1 rotates back.
func (o *Ops) RoPE(n, heads, dim int, x []float32, pos []int32, table []float32, sign float32) {
	C.call_rope(o.c, C.int(n), C.int(heads), C.int(dim), fp(x), ip(pos), fp(table), C.float(sign))
}

// SwiGLUForward is h = silu(gate)·up.
func (o *Ops) SwiGLUForward(gate, up, h []float32) {
	C.call_swiglu_fwd(o.c, C.long(len(h)), fp(gate), fp(up), fp(h))
}

// SwiGLUBackward turns gate and up into their gradients.
func (o *Ops) SwiGLUBackward(gate, up, dh []float32) {
	C.call_swiglu_bwd(o.c, C.long(len(dh)), fp(gate), fp(up), fp(dh))
}

// CrossEntropy turns logits [n, v] into gradients weighted by w (kernels.h).
func (o *Ops) CrossEntropy(n, v int, logits []float32, target []int32, w []float32, forbid int32, loss []float32, best []int32) {
	C.call_ce(o.c, C.int(n), C.int(v), fp(logits), ip(target), fp(w), C.int(forbid), fp(loss), ip(best))
}

// Add is y += x.
func (o *Ops) Add(y, x []float32) { C.call_add(o.c, C.long(len(y)), fp(y), fp(x)) }

// Scale is y *= s.
func (o *Ops) Scale(y []float32, s float32) { C.call_scale(o.c, C.long(len(y)), fp(y), C.float(s)) }

// AXPBY is y = a·x + b·y.
func (o *Ops) AXPBY(y []float32, a float32, x []float32, b float32) {
	C.call_axpby(o.c, C.long(len(y)), fp(y), C.float(a), fp(x), C.float(b))
}

// SumSq is Σ x².
func (o *Ops) SumSq(x []float32) float64 { return float64(C.call_sumsq(o.c, C.long(len(x)), fp(x))) }

// AdamW updates w in place.
func (o *Ops) AdamW(w, g, m, v []float32, lr, b1, b2, c1, c2, eps, wd float32) {
	C.call_adamw(o.c, C.long(len(w)), fp(w), fp(g), fp(m), fp(v), C.float(lr), C.float(b1), C.float(b2), C.float(c1), C.float(c2), C.float(eps), C.float(wd))
}

// peakFlops runs the FMA loop and returns the floating-point operations done.
func (o *Ops) peakFlops(iters int) float64 { return float64(C.call_peak(o.c, C.long(iters))) }

// Each runs f(worker) for worker in [0, n) at once and waits.
func Each(n int, f func(worker int)) {
	if n == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	for w := 1; w < n; w++ {
		wg.Go(func() { f(w) })
	}
	f(0)
	wg.Wait()
}
