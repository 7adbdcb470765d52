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

typedef struct {
  const float *in_norm, *q_norm, *k_norm, *post_norm;
  sl_matrix q, k, v, o, gate, up, down;
} sl_layer;

// A sequence's cache: k and v are [layers][positions][kv*hd]; len tokens are valid.
typedef struct {
  float *k, *v;
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

// A pool of n threads, the caller's included. It spins briefly between the phases of a
// forward and sleeps between forwards.
sl_pool *sl_pool_new(int n);
void sl_pool_free(sl_pool *p);

// isa: "avx512vnni", "avx2", "portable"; layers points to s->layers elements. embed is
// [vocab, d] and serves as the head. rope is [positions, hd]: cosines, then sines.
// Weights are copied. Null when there is no memory or the processor lacks the set.
sl_net *sl_net_new(const char *isa, const sl_shape *s, const sl_layer *layers, const sl_matrix *embed,
                   const float *norm, const float *rope);
void sl_net_free(sl_net *n);
int sl_isa_ok(const char *isa);

// One forward pass: rows[n], caches[groups] by row group, forbid[n_forbid] token ids.
// top gets one answer for each row that wants something, in order. *cancel is looked at
// between layers. Cache rows at and beyond len are scratch: the caller moves len when
// the pass succeeded. scratch_rows grows the workspace; SL_NOMEM leaves everything as
// it was.
int sl_forward(sl_net *net, sl_pool *pool, const sl_row *rows, int n, sl_cache **caches, const int *forbid,
               int n_forbid, sl_top *top, volatile int *cancel);

// For tests and benchmarks: y [m, rows] = x [m, cols] · wᵀ through quantization and the
// instruction set's kernel; and the integers alone.
int sl_matmul(const char *isa, const sl_matrix *w, int m, const float *x, float *y);
typedef struct sl_packed sl_packed;
sl_packed *sl_pack(const char *isa, const sl_matrix *w);
void sl_packed_free(sl_packed *p);
int sl_matmul_packed(const sl_packed *p, int m, const float *x, float *y, int repeat);

// Register-resident loops; each returns the operations it did.
double sl_peak_int8(const char *isa, long iters);
double sl_peak_fp32(const char *isa, long iters);
double sl_read_bytes(const void *p, long n);
#endif
