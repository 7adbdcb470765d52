// Inference kernels of the CPU backend. A whole forward pass is one call, sl_forward,
// on a network whose weights were packed for one instruction set by sl_net_new.
//
// Rows: a batch is n rows in the order of backend.Batch. Activations are float32
// [n, width] row-major. Weights are int8 with one float scale per output row; an
// activation row is quantized to int8 by its own largest magnitude before each product,
// sums are exact int32 over the whole depth, so every instruction set gives the same
// integers.
//
// Functions return 0 or one of the codes below; nothing aborts and nothing reads
// memory that the caller did not give.
#ifndef SEEDLING_CPU_KERNELS_H
#define SEEDLING_CPU_KERNELS_H
#include <stdint.h>

enum { SL_OK = 0, SL_CANCELLED = 1, SL_NOMEM = 2, SL_NOISA = 3 };

typedef struct {
  int d, ff, layers, heads, kv, hd, vocab, positions, canvas_mark, mask;
  float eps;
} sl_shape;

// A weight as it is handed over: w [rows, cols] int8, scale [rows].
typedef struct {
  int rows, cols;
  const int8_t *w;
  const float *scale;
} sl_matrix;

// q_norm and k_norm are null in a network that does not normalise heads (Llama).
typedef struct {
  const float *in_norm, *q_norm, *k_norm, *post_norm;
  sl_matrix q, k, v, o, gate, up, down;
} sl_layer;

// A sequence's cache: k and v are bfloat16 [layers][kv][positions][hd]; len tokens are valid.
// Half the bytes of float32: at a thousand tokens a pass reads more of it than of weights.
typedef struct {
  uint16_t *k, *v;
  int len;
} sl_cache;

// One row of a batch. group numbers the sequence within the batch.
typedef struct {
  int token, pos, canvas, group, want, target;
} sl_row;

enum { SL_WANT_TOP = 1, SL_WANT_TARGET = 2 };

typedef struct {
  int best, second;
  float prob, second_prob, logz, target_log;
} sl_top;

typedef struct sl_net sl_net;
typedef struct sl_pool sl_pool;

// A pool of n threads, the caller's included. They spin briefly between the phases of a
// forward and after one, then sleep.
sl_pool *sl_pool_new(int n);
void sl_pool_free(sl_pool *p);

// isa: "avx512vnni", "avxvnni", "avx2", "neondot", "portable"; layers points to s->layers elements. embed is
// [vocab, d] and serves as the head. rope is [positions, hd]: cosines, then sines.
// Weights are copied. Null when there is no memory or the processor lacks the set.
sl_net *sl_net_new(const char *isa, const sl_shape *s, const sl_layer *layers, const sl_matrix *embed,
                   const float *norm, const float *rope);
void sl_net_free(sl_net *n);
int sl_isa_ok(const char *isa);
int sl_isa_register(const void *isa); // a further table (sl_isa), for package emulated

// One forward pass: rows[n], caches[groups] by row group, forbid[n_forbid] token ids.
// top gets one answer for each row that wants something, in order. *cancel is looked at
// between layers. Cache rows at and beyond len are scratch: the caller moves len when
// the pass succeeded. After SL_NOMEM and SL_CANCELLED everything is as it was.
//
// Without bounds checks (Go holds batches to them): tokens, targets and forbidden ids
// are in the vocabulary (target -1: none), positions below shape.positions; the context
// rows of a group come at len, len+1, ...; its canvas rows behind them.
int sl_forward(sl_net *net, sl_pool *pool, const sl_row *rows, int n, sl_cache **caches, const int *forbid,
               int n_forbid, sl_top *top, const int *cancel);

// For tests and benchmarks: y [m, rows] = x [m, cols] · wᵀ through quantization and the
// set's kernel, repeat times over.
typedef struct sl_packed sl_packed;
sl_packed *sl_pack(const char *isa, const sl_matrix *w);
void sl_packed_free(sl_packed *p);
int sl_matmul_packed(const sl_packed *p, int m, const float *x, float *y, int repeat);

// Single operators, see operators.c and the header of each. SL_NOISA without the set.
int sl_op_nr(const char *isa);
int sl_op_quantize(const char *isa, const float *x, int k, int *q, float *scale);
int sl_op_rms(const char *isa, const float *x, int d, const float *w, float eps, float *y);
int sl_op_rope(const char *isa, float *x, int heads, int hd, const float *cs);
int sl_op_swiglu(const char *isa, int n, const float *g, const float *u, float *h);
int sl_op_dequant(const char *isa, const int8_t *w, float scale, int n, float *y, int add);
int sl_op_attend(const char *isa, int nq, int hd, int ld, const float *q, const int *seen, const float *k1, const float *v1,
                 int n1, const float *k2, const float *v2, int n2, float *o);
int sl_op_answer(const char *isa, const float *l, int n, int step, int target, sl_top *t);

// Register-resident loops; each returns the operations it did. bf16: 0 without hardware.
double sl_peak_int8(const char *isa, long iters);
double sl_peak_fp32(const char *isa, long iters);
double sl_peak_bf16(long iters);
double sl_read_bytes(const void *p, long n);
#endif
