// GEMM: C (+)= A·B by register tiles of MR rows and NV vectors, B packed into panels
// of NR columns ([K][NR], zero-padded), A read where it lies when its rows are
// contiguous and packed ([K][MR]) when it is transposed. One thread computes a range
// of rows; threads share nothing, so results do not depend on their number.
//
// K is cut into KC so that a panel (KC*NR floats) stays in L1 and the packed B
// (KC*N) in L2/L3.

#define NR (VL * NV)
#define KC 384

typedef float FN(vf) __attribute__((vector_size(VL * 4), aligned(4)));
#define vf FN(vf)

// c[mr][NR] (+)= a·b over K. ars and acs are compile-time constants at each inlining
// where that matters (packed: 1 and MR).
static inline __attribute__((always_inline)) void FN(tile)(
    long K, const float *a, long ars, long acs, const float *b, long ldb, float *c,
    long ldc, int acc) {
  vf t[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) t[i][j] = (vf){0};
  for (long k = 0; k < K; k++) {
    vf bv[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) bv[j] = *(const vf *)(b + k * ldb + j * VL);
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++) {
      float s = a[i * ars + k * acs];
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) t[i][j] += s * bv[j];
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

static void __attribute__((noinline)) FN(tile_rows)(long K, const float *a, long ars,
                                                    const float *b, long ldb, float *c,
                                                    long ldc, int acc) {
  FN(tile)(K, a, ars, 1, b, ldb, c, ldc, acc);
}
static void __attribute__((noinline)) FN(tile_packed)(long K, const float *a,
                                                      const float *b, long ldb,
                                                      float *c, long ldc, int acc) {
  FN(tile)(K, a, 1, MR, b, ldb, c, ldc, acc);
}
static void __attribute__((noinline)) FN(tile_cols)(long K, const float *a, long acs,
                                                    const float *b, long ldb, float *c,
                                                    long ldc, int acc) {
  FN(tile)(K, a, 1, acs, b, ldb, c, ldc, acc);
}

// A tile with fewer than MR rows or NR columns goes through a full one.
static void FN(tile_edge)(int m, int n, long K, const float *a, long ars, long acs,
                          const float *b, long ldb, float *c, long ldc, int acc) {
  float ap[KC * MR], ct[MR * NR];
  for (long k0 = 0; k0 < K; k0 += KC) {
    long kc = K - k0 < KC ? K - k0 : KC;
    for (long k = 0; k < kc; k++)
      for (int i = 0; i < MR; i++)
        ap[k * MR + i] = i < m ? a[i * ars + (k0 + k) * acs] : 0;
    if (n == NR) {
      FN(tile_packed)(kc, ap, b + k0 * ldb, ldb, ct, NR, 0);
    } else {
      for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
          float s = 0;
          for (long k = 0; k < kc; k++) s += ap[k * MR + i] * b[(k0 + k) * ldb + j];
          ct[i * NR + j] = s;
        }
    }
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        float *p = c + i * ldc + j;
        *p = (acc || k0) ? *p + ct[i * NR + j] : ct[i * NR + j];
      }
  }
}

// B (K rows from k0, all N columns) into panels [N/NR][kc][NR].
static void FN(pack_b)(long kc, int N, const float *B, long brs, long bcs, float *out) {
  for (int j0 = 0; j0 < N; j0 += NR) {
    int n = N - j0 < NR ? N - j0 : NR;
    float *o = out + (long)j0 * kc;
    if (bcs == 1 && n == NR) {
      for (long k = 0; k < kc; k++) {
        const float *p = B + k * brs + j0;
#pragma GCC unroll 4
        for (int j = 0; j < NV; j++) *(vf *)(o + k * NR + j * VL) = *(const vf *)(p + j * VL);
      }
    } else {
      if (n < NR)
        for (long i = 0; i < kc * NR; i++) o[i] = 0;
      // Eight k at a time: each source row is read a cache line at a time.
      for (long k = 0; k < kc; k += 8) {
        long ke = kc - k < 8 ? kc - k : 8;
        for (int j = 0; j < n; j++) {
          const float *p = B + k * brs + (long)(j0 + j) * bcs;
          for (long q = 0; q < ke; q++) o[(k + q) * NR + j] = p[q * brs];
        }
      }
    }
  }
}

#define MC (MR * 16)

static long FN(gemm_work)(int N, int K) {
  long kc = K < KC ? K : KC;
  return ((long)N + NR) * kc + (long)MC * KC + 64;
}

static void FN(gemm)(int m0, int m1, int N, int K, const float *A, long ars, long acs,
                     const float *B, long brs, long bcs, float *C, long ldc, int acc,
                     float *work) {
  float *bp = work, *apk = work + ((long)N + NR) * (K < KC ? K : KC);
  if (K == 0 && !acc) // an empty sum
    for (int i = m0; i < m1; i++)
      for (int j = 0; j < N; j++) C[i * ldc + j] = 0;
  for (long k0 = 0; k0 < K; k0 += KC) {
    long kc = K - k0 < KC ? K - k0 : KC;
    int add = acc || k0 > 0;
    FN(pack_b)(kc, N, B + k0 * brs, brs, bcs, bp);
    for (int mb = m0; mb < m1; mb += MC) {
      int mend = m1 - mb < MC ? m1 : mb + MC;
      const float *a = A + (long)mb * ars + k0 * acs;
      int packed = acs != 1;
      if (packed) { // [tile][kc][MR]
        for (int i0 = 0; mb + i0 + MR <= mend; i0 += MR) {
          float *o = apk + (long)i0 * kc;
          for (long k = 0; k < kc; k++)
            for (int i = 0; i < MR; i++) o[k * MR + i] = a[(i0 + i) * ars + k * acs];
        }
      }
      for (int j0 = 0; j0 < N; j0 += NR) {
        int n = N - j0 < NR ? N - j0 : NR;
        const float *b = bp + (long)j0 * kc;
        for (int i0 = 0; mb + i0 < mend; i0 += MR) {
          int m = mend - mb - i0 < MR ? mend - mb - i0 : MR;
          float *c = C + (long)(mb + i0) * ldc + j0;
          if (m < MR || n < NR)
            FN(tile_edge)(m, n, kc, a + (long)i0 * ars, ars, acs, b, NR, c, ldc, add);
          else if (packed)
            FN(tile_packed)(kc, apk + (long)i0 * kc, b, NR, c, ldc, add);
          else
            FN(tile_rows)(kc, a + (long)i0 * ars, ars, b, NR, c, ldc, add);
        }
      }
    }
  }
}

// Small products of attention: nothing is packed, B's rows are contiguous.
static void FN(small)(int M, int N, int K, const float *A, long ars, long acs,
                      const float *B, long ldb, float *C, long ldc, int acc) {
  for (int j = 0; j < N; j += NR) {
    int n = N - j < NR ? N - j : NR;
    for (int i = 0; i < M; i += MR) {
      int m = M - i < MR ? M - i : MR;
      const float *a = A + (long)i * ars;
      float *c = C + (long)i * ldc + j;
      if (m < MR || n < NR)
        FN(tile_edge)(m, n, K, a, ars, acs, B + j, ldb, c, ldc, acc);
      else if (acs == 1)
        FN(tile_rows)(K, a, ars, B + j, ldb, c, ldc, acc);
      else
        FN(tile_cols)(K, a, acs, B + j, ldb, c, ldc, acc); // ars == 1
    }
  }
}
