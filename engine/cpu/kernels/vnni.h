// Products by four-byte dot products (vpdpbusd: lane += Σ₄ u8·s8, no saturation), for
// AVX-512 and AVX-VNNI. Activations are unsigned with an offset of 128, taken back with
// the weights' sums: exact while 255·127·K < 2³¹, K ≤ 66,000.
//
// The set defines NV vectors of outputs a panel (NR = NV·VL), MR rows a tile, and the two
// macros FOUR (a broadcast of four bytes) and DOT; package emulated defines them in C.
typedef uint8_t FN(qtype);
typedef int8_t FN(wtype);
#define KSTEP 4
#define OFFSET 128
#define NR (NV * VL)
#include "quantize.h"

INLINE void FN(tile)(const int8_t *w, int quads, const uint8_t *q, int kpad, const float *qs, const float *ws,
                     const int32_t *sum, const int rows, float *out, long ldo) {
  vi acc[MR][NV];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) acc[i][j] = (vi){0};
  for (int k = 0; k < quads; k++) {
    vi wv[NV];
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) wv[j] = *(const vi *)(w + (long)k * NR * 4 + j * VL * 4);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
      vi x;
      FOUR(x, q + (long)i * kpad + 4 * k);
#pragma GCC unroll 3
      for (int j = 0; j < NV; j++) DOT(acc[i][j], x, wv[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) {
      vi v = acc[i][j] - (*(const vi *)(sum + VL * j) << 7);
      *(vf *)(out + i * ldo + VL * j) = __builtin_convertvector(v, vf) * (qs[i] * FN(load)(ws + VL * j));
    }
}

static void FN(panel)(const sl_packed *p, int panel, const void *qv, const float *qs, int m, float *out, long ldo) {
  const int8_t *w = (const int8_t *)p->data + (long)panel * NR * p->kpad;
  const float *ws = p->scale + (long)panel * NR;
  const int32_t *sum = p->sum + (long)panel * NR;
  const uint8_t *q = qv;
  int quads = p->kpad / 4, kp = p->kpad, tiles = (m + MR - 1) / MR;
  for (int t = 0; t < tiles; t++) { // even tiles: 10 rows are 5 + 5, not 8 + 2
    int n = (m + tiles - 1 - t) / tiles;
    switch (n) {
    case 1: FN(tile)(w, quads, q, kp, qs, ws, sum, 1, out, ldo); break;
    case 2: FN(tile)(w, quads, q, kp, qs, ws, sum, 2, out, ldo); break;
    case 3: FN(tile)(w, quads, q, kp, qs, ws, sum, 3, out, ldo); break;
    case 4: FN(tile)(w, quads, q, kp, qs, ws, sum, 4, out, ldo); break;
    case 5: FN(tile)(w, quads, q, kp, qs, ws, sum, 5, out, ldo); break;
#if MR == 8
    case 6: FN(tile)(w, quads, q, kp, qs, ws, sum, 6, out, ldo); break;
    case 7: FN(tile)(w, quads, q, kp, qs, ws, sum, 7, out, ldo); break;
#endif
    default: FN(tile)(w, quads, q, kp, qs, ws, sum, MR, out, ldo);
    }
    q += (long)n * kp;
    qs += n;
    out += n * ldo;
  }
}

static double FN(peak_int8)(long iters) {
  vi a[12], x = {0}, y = {0};
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) a[j] = x;
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; j++) DOT(a[j], x, y);
  }
  int s = 0;
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) s += a[j][0];
  return (double)iters * 12 * VL * 8 + (s == 12345);
}
