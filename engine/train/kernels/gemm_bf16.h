// GEMM in bf16 with fp32 sums, for vdpbf16ps: c += a[2k]·b[2k] + a[2k+1]·b[2k+1], a
// pair of neighbours along K to a 32-bit lane. Same tiles, blocks and scratch as the
// fp32 one (gemm.h), and the same independence of threads; but both operands are packed,
// since both are rounded. An odd K ends in a pair with zero.
//
// DOT(c, a, b) is the instruction; whoever includes this defines it.

typedef unsigned FN(vu) __attribute__((vector_size(VL * 4), aligned(4), may_alias));
#define vu FN(vu)
typedef unsigned FN(pair) __attribute__((may_alias));
#define pair FN(pair)

// x rounded to the nearest bf16, ties to even, in the low 16 bits. A NaN stays one:
// rounded up as a number it could become infinite or zero, and hide what went wrong.
static inline __attribute__((always_inline)) unsigned FN(bf16)(float x) {
  union {
    float f;
    unsigned u;
  } v = {.f = x};
  unsigned r = (v.u + 0x7fffu + ((v.u >> 16) & 1)) >> 16;
  return (v.u & 0x7fffffffu) > 0x7f800000u ? (v.u >> 16) | 0x40u : r;
}

static inline __attribute__((always_inline)) unsigned FN(pack2)(float lo, float hi) {
  return FN(bf16)(lo) | FN(bf16)(hi) << 16;
}

// n values that lie side by side into (n+1)/2 pairs.
static inline __attribute__((always_inline)) void FN(pack_run)(long n, const float *x, pair *out) {
  for (long k = 0; k < n / 2; k++) out[k] = FN(pack2)(x[2 * k], x[2 * k + 1]);
  if (n & 1) out[n / 2] = FN(bf16)(x[n - 1]);
}

// B (kc rows, N columns) into panels [N/NR][kp][NR], zero-padded; kp = (kc+1)/2.
static void FN(pack_b_bf16)(long kc, int N, const float *B, long brs, long bcs, pair *out) {
  long kp = (kc + 1) / 2;
  for (int j0 = 0; j0 < N; j0 += NR) {
    int n = N - j0 < NR ? N - j0 : NR;
    pair *o = out + j0 * kp;
    if (n < NR)
      for (long i = 0; i < kp * NR; i++) o[i] = 0;
    if (bcs == 1) {
      for (long k = 0; k < kc / 2; k++) {
        const float *p = B + 2 * k * brs + j0, *q = p + brs;
        pair *t = o + k * NR;
        if (n == NR)
          for (int j = 0; j < NR; j++) t[j] = FN(pack2)(p[j], q[j]);
        else
          for (int j = 0; j < n; j++) t[j] = FN(pack2)(p[j], q[j]);
      }
      if (kc & 1)
        for (int j = 0; j < n; j++) o[(kp - 1) * NR + j] = FN(bf16)(B[(kc - 1) * brs + j0 + j]);
      continue;
    }
    // Columns lie along K (brs is 1, or kc is): 32 values of each at a time are packed
    // as they lie, then turned.
    for (long k = 0; k < kc; k += 32) {
      long w = kc - k < 32 ? kc - k : 32;
      pair turn[NR][16];
      for (int j = 0; j < n; j++) {
        const float *p = B + k * brs + (long)(j0 + j) * bcs;
        if (brs == 1 && w == 32)
          FN(pack_run)(32, p, turn[j]);
        else
          for (long q = 0; q < w; q += 2)
            turn[j][q / 2] = FN(pack2)(p[q * brs], q + 1 < w ? p[(q + 1) * brs] : 0);
      }
      for (long q = 0; q < (w + 1) / 2; q++)
        for (int j = 0; j < n; j++) o[(k / 2 + q) * NR + j] = turn[j][q];
    }
  }
}

// MR rows of A, m of them real and the rest zero: [MR][kp] when a row lies along K
// (the tile then reads MR streams), else [kp][MR].
static void FN(pack_a_bf16)(int m, long kc, const float *a, long ars, long acs, pair *out) {
  long kp = (kc + 1) / 2;
  if (m < MR)
    for (long i = 0; i < kp * MR; i++) out[i] = 0;
  if (acs == 1) {
    for (int i = 0; i < m; i++) FN(pack_run)(kc, a + i * ars, out + i * kp);
    return;
  }
  for (long k = 0; k < kc / 2; k++) {
    const float *p = a + 2 * k * acs, *q = p + acs;
    pair *o = out + k * MR;
    if (m == MR && ars == 1)
      for (int i = 0; i < MR; i++) o[i] = FN(pack2)(p[i], q[i]);
    else
      for (int i = 0; i < m; i++) o[i] = FN(pack2)(p[i * ars], q[i * ars]);
  }
  if (kc & 1)
    for (int i = 0; i < m; i++) out[(kp - 1) * MR + i] = FN(bf16)(a[i * ars + (kc - 1) * acs]);
}

static inline __attribute__((always_inline)) void FN(tile_bf16)(
    long kp, const pair *a, long ars, long acs, const pair *b, float *c, long ldc, int acc) {
  vf t[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) t[i][j] = (vf){0};
  for (long k = 0; k < kp; k++) {
    vu bv[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) bv[j] = *(const vu *)(b + k * NR + j * VL);
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++) {
      vu s = (vu){0} + a[i * ars + k * acs];
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) t[i][j] = DOT(t[i][j], s, bv[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) {
      vf *p = (vf *)(c + i * ldc + j * VL);
      *p = acc ? *p + t[i][j] : t[i][j];
    }
}

static void __attribute__((noinline)) FN(tile_rows_bf16)(long kp, const pair *a, const pair *b,
                                                         float *c, long ldc, int acc) {
  FN(tile_bf16)(kp, a, kp, 1, b, c, ldc, acc);
}
static void __attribute__((noinline)) FN(tile_packed_bf16)(long kp, const pair *a, const pair *b,
                                                           float *c, long ldc, int acc) {
  FN(tile_bf16)(kp, a, 1, MR, b, c, ldc, acc);
}

static void FN(gemm_bf16)(int m0, int m1, int N, int K, const float *A, long ars, long acs,
                          const float *B, long brs, long bcs, float *C, long ldc, int acc,
                          float *work) {
  pair *bp = (pair *)work, *apk = bp + ((long)N + NR) * (K < KC ? K : KC);
  if (K == 0 && !acc) // an empty sum
    for (int i = m0; i < m1; i++)
      for (int j = 0; j < N; j++) C[i * ldc + j] = 0;
  for (long k0 = 0; k0 < K; k0 += KC) {
    long kc = K - k0 < KC ? K - k0 : KC, kp = (kc + 1) / 2;
    int add = acc || k0 > 0;
    FN(pack_b_bf16)(kc, N, B + k0 * brs, brs, bcs, bp);
    for (int mb = m0; mb < m1; mb += MC) {
      int mend = m1 - mb < MC ? m1 : mb + MC;
      const float *a = A + (long)mb * ars + k0 * acs;
      for (int i0 = 0; mb + i0 < mend; i0 += MR) {
        int m = mend - mb - i0 < MR ? mend - mb - i0 : MR;
        FN(pack_a_bf16)(m, kc, a + i0 * ars, ars, acs, apk + i0 * kp);
      }
      for (int j0 = 0; j0 < N; j0 += NR) {
        int n = N - j0 < NR ? N - j0 : NR;
        const pair *b = bp + j0 * kp;
        for (int i0 = 0; mb + i0 < mend; i0 += MR) {
          int m = mend - mb - i0 < MR ? mend - mb - i0 : MR, whole = m == MR && n == NR;
          float *c = C + (long)(mb + i0) * ldc + j0, edge[MR * NR];
          float *to = whole ? c : edge;
          long ld = whole ? ldc : NR;
          if (acs == 1)
            FN(tile_rows_bf16)(kp, apk + i0 * kp, b, to, ld, whole && add);
          else
            FN(tile_packed_bf16)(kp, apk + i0 * kp, b, to, ld, whole && add);
          if (whole) continue;
          for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) c[i * ldc + j] = edge[i * NR + j] + (add ? c[i * ldc + j] : 0);
        }
      }
    }
  }
}

// Twenty-four independent chains: what the units can do at most.
static double FN(peak_bf16)(long iters) {
  vf a[24];
  vu x, y;
  for (int i = 0; i < VL; i++) x[i] = FN(pack2)(0.5f, 0.25f), y[i] = FN(pack2)(1e-3f, -1e-3f);
  __asm__ volatile("" : "+m"(x), "+m"(y)); // their values are unknown to the compiler
#pragma GCC unroll 24
  for (int j = 0; j < 24; j++) a[j] = (vf){0} + (float)j;
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; j++) a[j] = DOT(a[j], x, y);
  }
  float s = 0;
#pragma GCC unroll 24
  for (int j = 0; j < 24; j++) s += a[j][0];
  return (double)iters * 24 * VL * 4 + (s > 1e30f);
}
