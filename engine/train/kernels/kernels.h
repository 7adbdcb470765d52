// Kernels of the trainer. Every operator exists once, in a header (gemm.h, ops.h, attention.h), and is
// compiled once per instruction set (isa_*.c); pick.c picks the table at start. They
// are .h files because Go's build cache sees no other kind of included file.
//
// All tensors are row-major float32. Nothing here allocates, keeps state or aborts;
// sizes and pointers are the caller's to check. Unless a line says so, outputs must
// not overlap inputs.
#ifndef SEEDLING_TRAIN_KERNELS_H
#define SEEDLING_TRAIN_KERNELS_H

// sl_doc is one document of a micro-batch, as attention sees it. Its clean rows are
// [clean, clean+n_clean) and its noised rows [noised, noised+n_noised) of the batch.
// Row r of a noised block sees the first lim[r] clean rows and noised rows
// [from[r], to[r]); lim, from, to are indexed by batch row, from and to count from
// the document's first noised row. A row sees itself at least.
typedef struct {
  int clean, n_clean, noised, n_noised;
} sl_doc;

// sl_attn holds the shapes and tensors of one attention call. R rows, H query heads,
// G key heads, D a head's width. q [R,H*D], k and v [R,G*D], o [R,H*D], lse [R,H].
// The backward pass also reads do_ [R,H*D] and writes dq, dk, dv (all rows of the
// documents it is given; it does not accumulate).
typedef struct {
  int H, G, D;
  float scale;
  const float *q, *k, *v;
  float *o, *lse;
  const float *do_;
  float *dq, *dk, *dv;
  const int *lim, *from, *to;
} sl_attn;

typedef struct {
  const char *name;
  const char *peak_kind; // the number format whose units gemm and peak use
  // C[m0..m1, 0..N) (+)= A·B, where A(i,k) = A[i*ars + k*acs] and B(k,j) =
  // B[k*brs + j*bcs], one of each pair of strides being 1. C(i,j) = C[i*ldc + j].
  // acc: add to C instead of overwriting it. work: gemm_work(N,K) floats. A row's
  // result does not depend on m0 and m1. Table avx512bf16 rounds A and B to bf16
  // (nearest, ties to even) and sums in fp32.
  void (*gemm)(int m0, int m1, int N, int K, const float *A, long ars, long acs,
               const float *B, long brs, long bcs, float *C, long ldc, int acc,
               float *work);
  long (*gemm_work)(int N, int K);
  // One document, one key head g. work: attn_work(n_clean+n_noised, D) floats.
  void (*attn_fwd)(const sl_attn *a, const sl_doc *d, int g, float *work);
  void (*attn_bwd)(const sl_attn *a, const sl_doc *d, int g, float *work);
  long (*attn_work)(int keys, int D);
  // y[r] = x[r]/rms(x[r]) * w over n rows of width d, strides xs and ys between rows;
  // inv[r] = 1/rms.
  void (*rms_fwd)(int n, int d, const float *x, long xs, const float *w, float eps,
                  float *y, long ys, float *inv);
  // dx (+)= gradient, dw += gradient. dw is [d]. dx may be dy.
  void (*rms_bwd)(int n, int d, const float *x, long xs, const float *w,
                  const float *inv, const float *dy, long dys, float *dx, long dxs,
                  int acc, float *dw);
  // Rotate-half RoPE in place on n rows of heads*D, angle by pos[r]; sign -1 inverts.
  // cs holds [positions][D] = cos (D/2) then sin (D/2).
  void (*rope)(int n, int heads, int D, float *x, const int *pos, const float *cs,
               float sign);
  // h = silu(gate)*up on n floats.
  void (*swiglu_fwd)(long n, const float *gate, const float *up, float *h);
  // In place: gate and up become their gradients.
  void (*swiglu_bwd)(long n, float *gate, float *up, const float *dh);
  // Softmax cross entropy of n rows of logits [n,V], in place: a row becomes its
  // gradient times w[r] (softmax minus one-hot). loss[r] = -log p(target), unweighted.
  // forbid is a token whose probability is zero (-1: none). best[r] = argmax.
  void (*cross_entropy)(int n, int V, float *logits, const int *target,
                        const float *w, int forbid, float *loss, int *best);
  void (*add)(long n, float *y, const float *x);              // y += x
  void (*scale)(long n, float *y, float s);                   // y *= s
  void (*axpby)(long n, float *y, float a, const float *x, float b); // y = a*x + b*y
  double (*sumsq)(long n, const float *x);
  // AdamW with bias corrections c1 = 1-b1^t, c2 = 1-b2^t; wd is decoupled.
  void (*adamw)(long n, float *w, const float *g, float *m, float *v, float lr,
                float b1, float b2, float c1, float c2, float eps, float wd);
  double (*peak)(long iters); // flop count of a register-resident loop of multiply-adds
} sl_ops;

extern const sl_ops sl_ops_base;
#if defined(__x86_64__)
extern const sl_ops sl_ops_avx2, sl_ops_avx512, sl_ops_avx512bf16;
#endif
// The best table this machine can run, or the named one if it can; null if it cannot.
const sl_ops *sl_pick(const char *name);
// The i-th table this machine can run, best first; null past the last.
const sl_ops *sl_have(int i);
#endif
