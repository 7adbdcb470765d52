// Arm with the dot-product extension (ARMv8.2, every Apple M): lane += Σ₄ s8·s8. A tile is
// up to 4 rows by 16 outputs: 16 sums, 4 weights and 4 rows' next 16 depths of the 32
// registers. Run under qemu only; not measured.
#include "net.h"
#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>
#if !defined(__clang__)
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,no-signed-zeros,fp-contract=off")
#define ISA neondot
#define ISA_NAME "neondot"
#define VL 4
#define FMA(a, b, c) ((vf)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define NR 16
#define KSTEP 4
#define OFFSET 0
#include "simd.h"
#include "rows.h"
#include "attention.h"
#include "head.h"
typedef int8_t FN(qtype);
typedef int8_t FN(wtype);
#include "quantize.h"

// One quad of depths: lane L of each row's x against the weights from w on.
#define QUAD(L)                                                                                       \
  do {                                                                                                \
    for (int j = 0; j < 4; j++) {                                                                     \
      int8x16_t wv = vld1q_s8(w + (long)(k + L) * NR * 4 + 16 * j);                                   \
      for (int i = 0; i < rows; i++) acc[i][j] = vdotq_laneq_s32(acc[i][j], wv, x[i], L);             \
    }                                                                                                 \
  } while (0)

INLINE void FN(tile)(const int8_t *w, int quads, const int8_t *q, int kpad, const float *qs, const float *ws,
                     const int rows, float *out, long ldo) {
  int32x4_t acc[4][4];
  int8x16_t x[4];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 4; j++) acc[i][j] = vdupq_n_s32(0);
  int k = 0;
  for (; k + 4 <= quads; k += 4) {
    for (int i = 0; i < rows; i++) x[i] = vld1q_s8(q + (long)i * kpad + 4 * k);
    QUAD(0);
    QUAD(1);
    QUAD(2);
    QUAD(3);
  }
  for (; k < quads; k++) {
    for (int i = 0; i < rows; i++) x[i] = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(q + (long)i * kpad + 4 * k)));
    QUAD(0);
  }
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 4; j++)
      vst1q_f32(out + i * ldo + 4 * j, vmulq_f32(vcvtq_f32_s32(acc[i][j]), vmulq_n_f32(vld1q_f32(ws + 4 * j), qs[i])));
}

static void FN(panel)(const sl_packed *p, int panel, const void *qv, const float *qs, int m, float *out, long ldo) {
  const int8_t *w = (const int8_t *)p->data + (long)panel * NR * p->kpad, *q = qv;
  const float *ws = p->scale + (long)panel * NR;
  int quads = p->kpad / 4, kp = p->kpad, tiles = (m + 3) / 4;
  for (int t = 0; t < tiles; t++) {
    int n = (m + tiles - 1 - t) / tiles;
    switch (n) {
    case 1: FN(tile)(w, quads, q, kp, qs, ws, 1, out, ldo); break;
    case 2: FN(tile)(w, quads, q, kp, qs, ws, 2, out, ldo); break;
    case 3: FN(tile)(w, quads, q, kp, qs, ws, 3, out, ldo); break;
    default: FN(tile)(w, quads, q, kp, qs, ws, 4, out, ldo);
    }
    q += (long)n * kp;
    qs += n;
    out += n * ldo;
  }
}

static double FN(peak_int8)(long iters) {
  int32x4_t a[16];
  int8x16_t x = vdupq_n_s8(0);
  for (int j = 0; j < 16; j++) a[j] = vdupq_n_s32(0);
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 16
    for (int j = 0; j < 16; j++) __asm__ volatile("sdot %0.4s, %1.16b, %1.16b" : "+w"(a[j]) : "w"(x));
  }
  int s = 0;
  for (int j = 0; j < 16; j++) s += vgetq_lane_s32(a[j], 0);
  return (double)iters * 16 * 32 + (s == 12345);
}
#include "table.h"
#endif
