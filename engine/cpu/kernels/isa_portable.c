// Any processor: plain C. Weights and activations are widened to int16 when they are
// packed, because every baseline has a vector multiply-add of int16 (pmaddwd, smlal) that
// the compiler finds, and few have one of int8.
#include "net.h"
#include <math.h>
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,no-signed-zeros,fp-contract=off")
#define ISA portable
#define ISA_NAME "portable"
#define VL 4
#define NR 4
#define KSTEP 16
#define OFFSET 0
#include "simd.h"
#include "rows.h"
#include "attention.h"
#include "head.h"
typedef int16_t FN(qtype);
typedef int16_t FN(wtype);
#include "quantize.h"

// A panel is [kpad/16][4][16]: four outputs' weights alternate every 16 depths.
static void FN(panel)(const sl_packed *p, int panel, const void *qv, const float *qs, int m, float *out, long ldo) {
  const int16_t *w = (const int16_t *)p->data + (long)panel * NR * p->kpad, *q = qv;
  for (int i = 0; i < m; i++, q += p->kpad) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int k = 0; k < p->kpad; k += KSTEP) {
      const int16_t *x = q + k, *y = w + (long)k * NR;
      for (int l = 0; l < KSTEP; l++) a += (int32_t)x[l] * y[l];
      for (int l = 0; l < KSTEP; l++) b += (int32_t)x[l] * y[KSTEP + l];
      for (int l = 0; l < KSTEP; l++) c += (int32_t)x[l] * y[2 * KSTEP + l];
      for (int l = 0; l < KSTEP; l++) d += (int32_t)x[l] * y[3 * KSTEP + l];
    }
    int32_t sum[NR] = {a, b, c, d};
    for (int j = 0; j < NR; j++) out[i * ldo + j] = (float)sum[j] * (qs[i] * p->scale[panel * NR + j]);
  }
}

// int16 multiply-adds in registers, as the compiler's code for the panel does them.
static double FN(peak_int8)(long iters) {
#if defined(__SSE2__) && defined(__GNUC__)
  vi a[8], x = {0}, t;
#pragma GCC unroll 8
  for (int j = 0; j < 8; j++) a[j] = x;
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
      __asm__ volatile("movdqa %2, %1\n\tpmaddwd %2, %1\n\tpaddd %1, %0" : "+x"(a[j]), "=&x"(t) : "x"(x));
  }
  return (double)iters * 8 * 16 + (a[0][0] == 12345);
#elif defined(__aarch64__)
  vi a[16], x = {0};
#pragma GCC unroll 16
  for (int j = 0; j < 16; j++) a[j] = x;
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 16
    for (int j = 0; j < 16; j++) __asm__ volatile("smlal %0.4s, %1.4h, %1.4h" : "+w"(a[j]) : "w"(x));
  }
  return (double)iters * 16 * 8 + (a[0][0] == 12345);
#else
  int16_t x[64], y[64];
  int32_t s = 0;
  for (int i = 0; i < 64; i++) x[i] = y[i] = (int16_t)i;
  for (long i = 0; i < iters; i++) {
    __asm__ volatile("" : "+m"(x), "+m"(y)); // otherwise the sum is known
    for (int l = 0; l < 64; l++) s += (int32_t)x[l] * y[l];
  }
  return (double)iters * 128 + (s == 12345);
#endif
}
#include "table.h"
