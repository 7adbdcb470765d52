// AVX2: no instruction multiplies int8 without saturating, so weights are widened to
// int16 as they are loaded and vpmaddwd sums pairs exactly. A tile is MR rows by 16
// outputs: per pair of depth 2 widening loads, MR broadcasts, 2·MR multiplies.
// Tried: vpmaddubsw with 7-bit activations takes the same number of multiplier slots.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include "net.h"
#pragma GCC target("avx2,fma")
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#define ISA avx2
#define ISA_NAME "avx2"
#define NR 16
#define KSTEP 2
#define OFFSET 0
#define VL 8
#include "rows.inc"
typedef int16_t FN(qtype);
#include "quantize.inc"

static inline __attribute__((always_inline)) void tile(const int8_t *w, int pairs, const int16_t *q, int kpad,
                                                       const float *qs, const float *ws, const int MR,
                                                       float *out, long ldo) {
  __m256i acc[6][2];
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++) acc[i][0] = acc[i][1] = _mm256_setzero_si256();
  for (int k = 0; k < pairs; k++) {
    __m256i w0 = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(w + 32L * k)));
    __m256i w1 = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(w + 32L * k + 16)));
#pragma GCC unroll 6
    for (int i = 0; i < MR; i++) {
      int32_t two;
      __builtin_memcpy(&two, q + (long)i * kpad + 2 * k, 4);
      __m256i x = _mm256_set1_epi32(two);
      acc[i][0] = _mm256_add_epi32(acc[i][0], _mm256_madd_epi16(w0, x));
      acc[i][1] = _mm256_add_epi32(acc[i][1], _mm256_madd_epi16(w1, x));
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++) {
    __m256 s = _mm256_set1_ps(qs[i]);
    float *o = out + i * ldo;
    _mm256_storeu_ps(o, _mm256_mul_ps(_mm256_cvtepi32_ps(acc[i][0]), _mm256_mul_ps(s, _mm256_loadu_ps(ws))));
    _mm256_storeu_ps(o + 8, _mm256_mul_ps(_mm256_cvtepi32_ps(acc[i][1]), _mm256_mul_ps(s, _mm256_loadu_ps(ws + 8))));
  }
}

static void FN(panel)(const sl_packed *p, int panel, const void *qv, const float *qs, int m, float *out, long ldo) {
  const int8_t *w = p->data + (long)panel * NR * p->kpad;
  const float *ws = p->scale + (long)panel * NR;
  const int16_t *q = qv;
  int pairs = p->kpad / 2, kp = p->kpad;
  int tiles = (m + 5) / 6;
  for (int t = 0; t < tiles; t++) { // even tiles: 8 rows are 4 + 4, not 6 + 2
    int n = (m + tiles - 1 - t) / tiles;
    switch (n) {
    case 1: tile(w, pairs, q, kp, qs, ws, 1, out, ldo); break;
    case 2: tile(w, pairs, q, kp, qs, ws, 2, out, ldo); break;
    case 3: tile(w, pairs, q, kp, qs, ws, 3, out, ldo); break;
    case 4: tile(w, pairs, q, kp, qs, ws, 4, out, ldo); break;
    case 5: tile(w, pairs, q, kp, qs, ws, 5, out, ldo); break;
    default: tile(w, pairs, q, kp, qs, ws, 6, out, ldo);
    }
    q += (long)n * kp;
    qs += n;
    out += n * ldo;
  }
}

// What widening multiplies can do: pairs of vpmaddwd and vpaddd in registers. In
// assembly, because the compiler sees that the products are the same and takes one.
static double FN(peak_int8)(long iters) {
  __m256i a[12], x = _mm256_set1_epi16(3), y = _mm256_set1_epi16(5);
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) a[j] = _mm256_set1_epi32(j);
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; j++)
      __asm__ volatile("vpmaddwd %2, %1, %%ymm15\n\tvpaddd %%ymm15, %0, %0" : "+x"(a[j]) : "x"(x), "x"(y) : "xmm15");
  }
  __m256i s = a[0];
#pragma GCC unroll 12
  for (int j = 1; j < 12; j++) s = _mm256_add_epi32(s, a[j]);
  return (double)iters * 12 * 32 + (_mm256_extract_epi32(s, 0) == 12345);
}
#include "table.inc"
#endif
