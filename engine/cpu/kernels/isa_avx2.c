// AVX2: no instruction multiplies int8 without saturating, so weights are widened to
// int16 as they are loaded and vpmaddwd sums pairs exactly (K ≤ 130,000). A tile is up to
// 6 rows by 16 outputs: per pair of depths 2 widening loads, and for each row a broadcast,
// 2 multiplies, 2 additions. Sums, weights and two temporaries are all 16 registers.
//
// Tried on Zen 3: the same with intrinsics, where gcc 12 hoists the broadcasts and spills
// sums (44-60 % of the peak that widening multiplies have); vpmaddubsw with 7-bit
// activations, which takes the same number of multiplier slots.
#include "net.h"
#if SL_X86
#include <immintrin.h>
#include <math.h>
#pragma GCC target("avx2,fma")
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,no-signed-zeros,fp-contract=off")
#define ISA avx2
#define ISA_NAME "avx2"
#define VL 8
#define FMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define NR 16
#define KSTEP 2
#define OFFSET 0
#include "simd.h"
#include "rows.h"
#include "attention.h"
#include "head.h"
typedef int16_t FN(qtype);
typedef int8_t FN(wtype);
#include "quantize.h"

INLINE void FN(tile)(const int8_t *w, int pairs, const int16_t *q, int kpad, const float *qs, const float *ws,
                     const int rows, float *out, long ldo) {
  vi acc[6][2];
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) acc[i][0] = acc[i][1] = (vi){0};
  for (int k = 0; k < pairs; k++) {
    vi w0, w1;
    __asm__ volatile("vpmovsxbw %1, %0" : "=x"(w0) : "m"(*(const char(*)[16])(w + 32L * k)));
    __asm__ volatile("vpmovsxbw %1, %0" : "=x"(w1) : "m"(*(const char(*)[16])(w + 32L * k + 16)));
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
      vi x, t;
      __asm__ volatile("vpbroadcastd %6, %2\n\t"
                       "vpmaddwd %4, %2, %3\n\t"
                       "vpmaddwd %5, %2, %2\n\t"
                       "vpaddd %3, %0, %0\n\t"
                       "vpaddd %2, %1, %1"
                       : "+x"(acc[i][0]), "+x"(acc[i][1]), "=&x"(x), "=&x"(t)
                       : "x"(w0), "x"(w1), "m"(*(const int(*))(q + (long)i * kpad + 2 * k)));
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++)
      *(vf *)(out + i * ldo + VL * j) = __builtin_convertvector(acc[i][j], vf) * (qs[i] * FN(load)(ws + VL * j));
}

static void FN(panel)(const sl_packed *p, int panel, const void *qv, const float *qs, int m, float *out, long ldo) {
  const int8_t *w = (const int8_t *)p->data + (long)panel * NR * p->kpad;
  const float *ws = p->scale + (long)panel * NR;
  const int16_t *q = qv;
  int pairs = p->kpad / 2, kp = p->kpad;
  int tiles = (m + 5) / 6;
  for (int t = 0; t < tiles; t++) { // even tiles: 8 rows are 4 + 4, not 6 + 2
    int n = (m + tiles - 1 - t) / tiles;
    switch (n) {
    case 1: FN(tile)(w, pairs, q, kp, qs, ws, 1, out, ldo); break;
    case 2: FN(tile)(w, pairs, q, kp, qs, ws, 2, out, ldo); break;
    case 3: FN(tile)(w, pairs, q, kp, qs, ws, 3, out, ldo); break;
    case 4: FN(tile)(w, pairs, q, kp, qs, ws, 4, out, ldo); break;
    case 5: FN(tile)(w, pairs, q, kp, qs, ws, 5, out, ldo); break;
    default: FN(tile)(w, pairs, q, kp, qs, ws, 6, out, ldo);
    }
    q += (long)n * kp;
    qs += n;
    out += n * ldo;
  }
}

// What widening multiplies can do: vpmaddwd and vpaddd in registers.
static double FN(peak_int8)(long iters) {
  vi a[12], x = {0}, y = {0};
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) a[j] = x;
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; j++) {
      vi t;
      __asm__ volatile("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(a[j]), "=&x"(t) : "x"(x), "x"(y));
    }
  }
  int s = 0;
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) s += a[j][0];
  return (double)iters * 12 * 32 + (s == 12345);
}
#include "table.h"
#endif
