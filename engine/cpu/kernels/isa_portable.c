// Any processor: plain C.
#include <math.h>
#include "net.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#define ISA portable
#define ISA_NAME "portable"
#define NR 8
#define KSTEP 1
#define OFFSET 0
#define VL 4
#include "rows.inc"
typedef int8_t FN(qtype);
#include "quantize.inc"

static void FN(panel)(const sl_packed *p, int panel, const void *qv, const float *qs, int m, float *out, long ldo) {
  const int8_t *w = p->data + (long)panel * NR * p->kpad, *q = qv;
  for (int i = 0; i < m; i++, q += p->kpad) {
    int32_t acc[NR] = {0};
    for (int k = 0; k < p->kpad; k++)
      for (int j = 0; j < NR; j++) acc[j] += (int)q[k] * w[(long)k * NR + j];
    for (int j = 0; j < NR; j++) out[i * ldo + j] = qs[i] * p->scale[panel * NR + j] * (float)acc[j];
  }
}

static double FN(peak_int8)(long iters) {
  int32_t acc[32] = {0};
  int8_t a[32], b = 3;
  for (int i = 0; i < 32; i++) a[i] = (int8_t)i;
  __asm__ volatile("" : "+m"(a), "+r"(b));
  for (long i = 0; i < iters; i++)
    for (int j = 0; j < 32; j++) acc[j] += (int)a[j] * b;
  int s = 0;
  for (int j = 0; j < 32; j++) s += acc[j];
  return (double)iters * 64 + (s == 12345);
}
#include "table.inc"
