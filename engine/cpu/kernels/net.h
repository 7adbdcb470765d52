// What the instruction sets share: the packed network and the workspace of a pass.
#ifndef SEEDLING_CPU_NET_H
#define SEEDLING_CPU_NET_H
#include "kernels.h"
#include "pool.h"

// A packed weight. data is [ceil(rows/NR)] panels; the layout inside is the
// instruction set's (gemm_*.inc). scale and sum are padded to whole panels; sum[r] is
// Σ_k w[r][k], for kernels whose activations carry an offset.
struct sl_packed {
  const struct sl_isa *isa;
  int rows, cols, kpad, panels;
  int8_t *data;
  float *scale;
  int32_t *sum;
};

// Quantized activations: one row is kpad elements of the instruction set's own type.
typedef struct {
  void *q;
  float *scale;
} sl_quant;

struct sl_state;
typedef struct sl_isa {
  const char *name;
  int nr, kstep, qbytes; // outputs a panel, depth granularity, bytes an activation
  void (*pack)(const sl_matrix *w, sl_packed *p);
  void (*quantize)(const float *x, int k, int kpad, void *q, float *scale);
  // out[i*ldo + j] for i < m, j < nr of one panel: scale_x[i]*scale_w[j]*Σ x·w
  void (*panel)(const sl_packed *p, int panel, const void *q, const float *qs, int m, float *out, long ldo);
  void (*rms)(const float *x, int d, const float *w, float eps, float *y);
  void (*rope)(float *x, int heads, int hd, const float *cs);
  // One row, all heads: o [heads*hd]; see attention.inc.
  void (*attend)(int heads, int kv, int hd, const float *q, const float *k1, const float *v1, int n1,
                 const float *k2, const float *v2, int n2, float *scores, float *o);
  void (*swiglu)(int n, const float *g, const float *u, float *h);
  void (*dequant)(const int8_t *w, float scale, int n, float *y, int add);
  // Folds logits [n] of tokens base.. into a running top.
  void (*fold)(int n, int base, const float *logits, int target, struct sl_state *s);
  double (*peak_int8)(long iters);
  double (*peak_fp32)(long iters);
} sl_isa;

// A running answer over slices of the vocabulary.
typedef struct sl_state {
  int best, second;
  float top, next, sum, target; // sum is Σ exp(l − top)
} sl_state;

extern const sl_isa sl_isa_portable;
#if defined(__x86_64__)
extern const sl_isa sl_isa_avx2, sl_isa_vnni;
#endif
const sl_isa *sl_isa_find(const char *name);

struct sl_net {
  const sl_isa *isa;
  sl_shape s;
  struct {
    float *in_norm, *q_norm, *k_norm, *post_norm;
    sl_packed *qkv, *o, *gateup, *down; // q, k, v stacked; gate and up stacked
  } *layers;
  sl_packed *head;
  int8_t *embed; // [vocab, d] as handed over, for lookups
  float *embed_scale, *norm, *rope;
  // workspace for cap rows
  int cap;
  float *x, *h, *qkv, *att, *gu, *scores;
  float *qscale;
  void *q;
  sl_state *states; // per thread, per asked row
  int threads;
};
#endif
