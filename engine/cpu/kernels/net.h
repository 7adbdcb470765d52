// What the instruction sets share: the packed network and the workspace of a pass.
#ifndef SEEDLING_CPU_NET_H
#define SEEDLING_CPU_NET_H
#include "kernels.h"
#include "pool.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SL_X86 1 // clang knows no "#pragma GCC target": it builds the portable set alone
#else
#define SL_X86 0
#endif

// A packed weight: panels of isa->nr outputs, laid out as quantize.h says. scale and sum
// are padded to whole panels; sum[r] is Σ_k w[r][k], for kernels whose activations carry
// an offset.
struct sl_packed {
  const struct sl_isa *isa;
  int rows, cols, kpad, panels;
  void *data;
  float *scale;
  int32_t *sum;
};

#define SL_FORBIDDEN (-1e30f) // the logit of a forbidden token

// A running answer over slices of the vocabulary.
typedef struct sl_state {
  int best, second;
  float top, next, sum, target; // sum is Σ exp(l − top)
} sl_state;

// Up to four queries over the same keys: see attention.h. Keys and values are bfloat16,
// rows of them ld values apart.
typedef struct sl_attend {
  int nq, hd;
  const float *q[4]; // [hd] each
  float *o[4];       // [hd] each
  int seen[4];       // cached keys that each sees, at most n1
  int n1, n2;        // cached keys and canvas keys
  const uint16_t *k1, *v1, *k2, *v2;
  long ld;
  float *p; // scratch, [(n1 + n2 + 3) * 4]
} sl_attend;

// x as bfloat16, to nearest, ties to even; an infinity stays one.
static inline void sl_round16(const float *x, long n, uint16_t *to) {
  for (long i = 0; i < n; i++) {
    union {
      float f;
      uint32_t u;
    } v = {.f = x[i]};
    to[i] = (uint16_t)((v.u + 0x7fff + (v.u >> 16 & 1)) >> 16);
  }
}

typedef struct sl_isa {
  const char *name;
  int nr, kstep, qbytes, wbytes; // outputs a panel, depth granularity, bytes an activation and a weight
  void (*pack)(const sl_matrix *w, sl_packed *p);
  void (*quantize)(const float *x, int k, int kpad, void *q, float *scale);
  // out[i*ldo + j] = (qs[i]*scale[j]) * Σ q·w, for i < m, j < nr of one panel
  void (*panel)(const sl_packed *p, int panel, const void *q, const float *qs, int m, float *out, long ldo);
  void (*rms)(const float *x, int d, const float *w, float eps, float *y);
  void (*rope)(float *x, int heads, int hd, const float *cs);
  void (*attend)(sl_attend *a);
  void (*swiglu)(int n, const float *g, const float *u, float *h);
  void (*dequant)(const int8_t *w, float scale, int n, float *y, int add);
  void (*fold)(int n, int base, const float *l, int target, sl_state *s);
  double (*peak_int8)(long iters);
  double (*peak_fp32)(long iters);
} sl_isa;

const sl_isa *sl_isa_find(const char *name); // null where the processor lacks it
void sl_join(sl_state *a, const sl_state *b); // b holds later tokens
void sl_answer(const sl_state *s, sl_top *t);

enum {
  SL_CHUNKS = 32, // slices of the vocabulary; fixed, so that no answer depends on threads
  SL_HEAD_ROWS = 32,
  SL_HEAD_WIDTH = 256, // logits of a row that exist at a time
};

struct sl_net {
  const sl_isa *isa;
  sl_shape s;
  struct {
    float *in_norm, *q_norm, *k_norm, *post_norm; // q_norm and k_norm may be null
    sl_packed *qkv, *o, *gateup, *down; // q, k, v stacked; gate and up stacked
  } *layers;
  sl_packed *head;
  int8_t *embed; // [vocab, d] as handed over, for lookups
  float *embed_scale, *norm, *rope;
  // Workspace for cap rows and threads: h and y [cap][wide], others as named.
  int cap, threads;
  long wide;
  float *x, *h, *y, *qkv, *att, *gu, *scratch;
  float *qscale;
  void *q;
  sl_state *states; // [SL_CHUNKS][cap]
};

int sl_reserve(sl_net *n, int rows, int threads); // SL_OK or SL_NOMEM, then as it was
long sl_scratch(const sl_net *n);                 // floats of scratch a thread has
#endif
