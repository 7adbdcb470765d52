// AVX-512 with VNNI: vpdpbusd sums four u8·s8 products a lane. Activations carry an
// offset of 128, taken back with the weights' sums. A tile is up to 8 rows by 48
// outputs: 24 sums, 3 weights and a broadcast of the 32 registers (12×32 and 6×64 were
// measured 7 % slower).
#if defined(__x86_64__)
#ifdef SEEDLING_SIMDE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#else
#include <immintrin.h>
#endif
#include <math.h>
#include "net.h"
#ifndef SEEDLING_SIMDE
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,prefer-vector-width=512")
#endif
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#define ISA vnni
#define ISA_NAME "avx512vnni"
#define NR 48
#define KSTEP 4
#define OFFSET 128
#define VL 16
#include "rows.inc"
typedef uint8_t FN(qtype);
#include "quantize.inc"

static inline __attribute__((always_inline)) void tile(const int8_t *w, int quads, const uint8_t *q, int kpad,
                                                       const float *qs, const float *ws, const int32_t *sum,
                                                       const int MR, float *out, long ldo) {
  __m512i acc[8][3];
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) acc[i][j] = _mm512_setzero_si512();
  for (int k = 0; k < quads; k++) {
    const int8_t *p = w + 192L * k;
    __m512i w0 = _mm512_loadu_si512((const void *)p), w1 = _mm512_loadu_si512((const void *)(p + 64));
    __m512i w2 = _mm512_loadu_si512((const void *)(p + 128));
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      int32_t four;
      __builtin_memcpy(&four, q + (long)i * kpad + 4 * k, 4);
      __m512i x = _mm512_set1_epi32(four);
      acc[i][0] = _mm512_dpbusd_epi32(acc[i][0], x, w0);
      acc[i][1] = _mm512_dpbusd_epi32(acc[i][1], x, w1);
      acc[i][2] = _mm512_dpbusd_epi32(acc[i][2], x, w2);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++) {
    __m512 s = _mm512_set1_ps(qs[i]);
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) {
      __m512i off = _mm512_slli_epi32(_mm512_loadu_si512((const void *)(sum + 16 * j)), 7);
      __m512 v = _mm512_cvtepi32_ps(_mm512_sub_epi32(acc[i][j], off));
      _mm512_storeu_ps(out + i * ldo + 16 * j, _mm512_mul_ps(v, _mm512_mul_ps(s, _mm512_loadu_ps(ws + 16 * j))));
    }
  }
}

static void FN(panel)(const sl_packed *p, int panel, const void *qv, const float *qs, int m, float *out, long ldo) {
  const int8_t *w = p->data + (long)panel * NR * p->kpad;
  const float *ws = p->scale + (long)panel * NR;
  const int32_t *sum = p->sum + (long)panel * NR;
  const uint8_t *q = qv;
  int quads = p->kpad / 4, kp = p->kpad, tiles = (m + 7) / 8;
  for (int t = 0; t < tiles; t++) {
    int n = (m + tiles - 1 - t) / tiles;
    switch (n) {
    case 1: tile(w, quads, q, kp, qs, ws, sum, 1, out, ldo); break;
    case 2: tile(w, quads, q, kp, qs, ws, sum, 2, out, ldo); break;
    case 3: tile(w, quads, q, kp, qs, ws, sum, 3, out, ldo); break;
    case 4: tile(w, quads, q, kp, qs, ws, sum, 4, out, ldo); break;
    case 5: tile(w, quads, q, kp, qs, ws, sum, 5, out, ldo); break;
    case 6: tile(w, quads, q, kp, qs, ws, sum, 6, out, ldo); break;
    case 7: tile(w, quads, q, kp, qs, ws, sum, 7, out, ldo); break;
    default: tile(w, quads, q, kp, qs, ws, sum, 8, out, ldo);
    }
    q += (long)n * kp;
    qs += n;
    out += n * ldo;
  }
}

static double FN(peak_int8)(long iters) {
  __m512i a[24], x = _mm512_set1_epi32(3);
#pragma GCC unroll 24
  for (int j = 0; j < 24; j++) a[j] = _mm512_set1_epi32(j);
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; j++) a[j] = _mm512_dpbusd_epi32(a[j], x, x);
  }
  __m512i s = a[0];
#pragma GCC unroll 24
  for (int j = 1; j < 24; j++) s = _mm512_add_epi32(s, a[j]);
  return (double)iters * 24 * 128 + (_mm512_reduce_add_epi32(s) == 12345);
}
#include "table.inc"
#endif
