// Single operators of an instruction set, for tests and benchmarks.
#include <stdlib.h>
#include <string.h>
#include "net.h"

int sl_op_nr(const char *isa) {
  const sl_isa *s = sl_isa_find(isa);
  return s ? s->nr : 0;
}

int sl_op_quantize(const char *isa, const float *x, int k, int *q, float *scale) {
  const sl_isa *s = sl_isa_find(isa);
  if (!s) return SL_NOISA;
  int kpad = (k + s->kstep - 1) / s->kstep * s->kstep;
  char *raw = malloc((size_t)kpad * s->qbytes);
  if (!raw) return SL_NOMEM;
  s->quantize(x, k, kpad, raw, scale);
  int unsigned8 = !strncmp(s->name, "avx512vnni", 10) || !strncmp(s->name, "avxvnni", 7);
  for (int i = 0; i < k; i++)
    q[i] = s->qbytes == 2 ? ((int16_t *)raw)[i] : unsigned8 ? ((uint8_t *)raw)[i] - 128 : ((int8_t *)raw)[i];
  free(raw);
  return SL_OK;
}

int sl_op_rms(const char *isa, const float *x, int d, const float *w, float eps, float *y) {
  const sl_isa *s = sl_isa_find(isa);
  if (!s) return SL_NOISA;
  s->rms(x, d, w, eps, y);
  return SL_OK;
}

int sl_op_rope(const char *isa, float *x, int heads, int hd, const float *cs) {
  const sl_isa *s = sl_isa_find(isa);
  if (!s) return SL_NOISA;
  s->rope(x, heads, hd, cs);
  return SL_OK;
}

int sl_op_swiglu(const char *isa, int n, const float *g, const float *u, float *h) {
  const sl_isa *s = sl_isa_find(isa);
  if (!s) return SL_NOISA;
  s->swiglu(n, g, u, h);
  return SL_OK;
}

int sl_op_dequant(const char *isa, const int8_t *w, float scale, int n, float *y, int add) {
  const sl_isa *s = sl_isa_find(isa);
  if (!s) return SL_NOISA;
  s->dequant(w, scale, n, y, add);
  return SL_OK;
}

// q and o are [nq][hd], seen [nq], keys and values [n][ld] with the head at column 0; they
// are rounded to bfloat16, as a pass does before it keeps them.
int sl_op_attend(const char *isa, int nq, int hd, int ld, const float *q, const int *seen, const float *k1, const float *v1,
                 int n1, const float *k2, const float *v2, int n2, float *o) {
  const sl_isa *s = sl_isa_find(isa);
  if (!s) return SL_NOISA;
  const long cached = (long)n1 * ld, canvas = (long)n2 * ld;
  uint16_t *kv = malloc(sizeof *kv * (2 * (cached + canvas) + 1));
  float *p = malloc(sizeof(float) * 4 * ((long)n1 + n2 + 3));
  int code = kv && p ? SL_OK : SL_NOMEM;
  if (code == SL_OK) {
    sl_attend a = {.nq = nq, .hd = hd, .ld = ld, .k1 = kv, .v1 = kv + cached, .n1 = n1, .k2 = kv + 2 * cached,
                   .v2 = kv + 2 * cached + canvas, .n2 = n2, .p = p};
    sl_round16(k1, cached, kv);
    sl_round16(v1, cached, kv + cached);
    sl_round16(k2, canvas, kv + 2 * cached);
    sl_round16(v2, canvas, kv + 2 * cached + canvas);
    for (int i = 0; i < nq; i++) {
      a.q[i] = q + (long)i * hd;
      a.o[i] = o + (long)i * hd;
      a.seen[i] = seen[i];
    }
    s->attend(&a);
  }
  free(kv);
  free(p);
  return code;
}

// Folds logits [n] in slices of step into two answers, joined at half.
int sl_op_answer(const char *isa, const float *l, int n, int step, int target, sl_top *t) {
  const sl_isa *s = sl_isa_find(isa);
  if (!s) return SL_NOISA;
  sl_state st[2];
  for (int h = 0; h < 2; h++) {
    st[h] = (sl_state){-1, -1, SL_FORBIDDEN, SL_FORBIDDEN, 0, SL_FORBIDDEN};
    int end = h ? n : n / 2;
    for (int b = h ? n / 2 : 0; b < end; b += step) s->fold(end - b < step ? end - b : step, b, l + b, target, st + h);
  }
  sl_join(st, st + 1);
  sl_answer(st, t);
  return SL_OK;
}
