// Attention of up to four queries that share a key head (sl_attend in net.h): queries of
// one row's heads, or of neighbouring rows too, so that a key is loaded once for all.
//
// The scores live as [key][4 queries]: softmax works on four queries at a time. Every sum
// runs in an order that depends on the key's index alone, never on how many queries share
// a tile or how rows fell into batches: a token read alone and one read in a prefill
// leave the same bits (with the same keys before it).
//
// Tried: one query at a time with the compiler's own dot products, 3 to 5 times slower;
// keys of all heads side by side in the cache and values in one go a column (8 rows behind
// 900 tokens, one Zen 3 core: 1.8 ms in attention against 0.9, for the strides of both
// fall into an eighth of the first cache).

// Scores of KB keys from k on, rows ld apart, into p[KB][4].
INLINE void FN(dots)(const sl_attend *a, const uint16_t *k, float *p, const int NQ, const int KB) {
  vf acc[4][4];
  const int hd = a->hd, whole = hd / VL * VL;
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++)
#pragma GCC unroll 4
    for (int b = 0; b < KB; b++) acc[q][b] = (vf){0};
  for (int c = 0; c < whole; c += VL) {
    vf kv[4];
#pragma GCC unroll 4
    for (int b = 0; b < KB; b++) kv[b] = FN(load16)(k + b * a->ld + c);
#pragma GCC unroll 4
    for (int q = 0; q < NQ; q++) {
      vf qv = FN(load)(a->q[q] + c);
#pragma GCC unroll 4
      for (int b = 0; b < KB; b++) acc[q][b] = FMA(qv, kv[b], acc[q][b]);
    }
  }
#pragma GCC unroll 4
  for (int b = 0; b < KB; b++) {
    v4 part[4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) part[q] = FN(quarter)(acc[q][b]);
    for (int c = whole; c < hd; c += 4) // heads that are no whole vectors: a multiple of 8, not of 16
#pragma GCC unroll 4
      for (int q = 0; q < NQ; q++) part[q] += *(const v4 *)(a->q[q] + c) * FN(four16)(k + b * a->ld + c);
    *(v4 *)(p + 4 * b) = FN(sum4)(part[0], part[1], part[2], part[3]);
  }
}

INLINE void FN(scores)(const sl_attend *a, const uint16_t *k, int n, float *p, const int NQ, const int KB) {
  int j = 0;
  for (; j + KB <= n; j += KB) FN(dots)(a, k + j * a->ld, p + 4 * j, NQ, KB);
  for (; j < n; j++) FN(dots)(a, k + j * a->ld, p + 4 * j, NQ, 1);
}

// Softmax over the keys, all four columns; keys that a query does not see weigh nothing.
static void FN(softmax)(const sl_attend *a, v4 *inv) {
  float *p = a->p;
  const int n = a->n1 + a->n2;
  const float scale = 1.0f / sqrtf((float)a->hd);
  int least = a->n1;
  for (int q = 0; q < a->nq; q++) least = a->seen[q] < least ? a->seen[q] : least;
  for (int j = least; j < a->n1; j++)
    for (int q = 0; q < a->nq; q++)
      if (j >= a->seen[q]) p[4 * j + q] = -1e30f;
  v4 top = {-1e30f, -1e30f, -1e30f, -1e30f};
  for (int j = 0; j < n; j++) top = FN(max4)(top, *(const v4 *)(p + 4 * j));
  for (int j = 0; j < n; j++) *(v4 *)(p + 4 * j) = (*(const v4 *)(p + 4 * j) - top) * scale;
  for (int i = 0; i < 4 * n; i += VL) *(vf *)(p + i) = FN(vexp)(FN(load)(p + i)); // p has room for whole vectors
  for (int j = least; j < a->n1; j++)
    for (int q = 0; q < a->nq; q++)
      if (j >= a->seen[q]) p[4 * j + q] = 0;
  v4 s[4] = {{0}};
  int j = 0;
  for (; j + 4 <= n; j += 4)
#pragma GCC unroll 4
    for (int b = 0; b < 4; b++) s[b] += *(const v4 *)(p + 4 * (j + b));
  for (; j < n; j++) s[j & 3] += *(const v4 *)(p + 4 * j);
  *inv = 1.0f / ((s[0] + s[1]) + (s[2] + s[3]));
}

// CB vectors of the outputs, from column c on: o += Σ p·v over n keys from v on, and with
// last the division by Σ p.
INLINE void FN(mix)(const sl_attend *a, int c, const uint16_t *v, const float *p, int n, int first, int last, v4 inv, const int NQ, const int CB) {
  vf acc[4][4];
#pragma GCC unroll 4
  for (int q = 0; q < NQ; q++)
#pragma GCC unroll 4
    for (int b = 0; b < CB; b++) acc[q][b] = first || q >= a->nq ? (vf){0} : FN(load)(a->o[q] + c + b * VL);
  v += c;
  for (int j = 0; j < n; j++, v += a->ld, p += 4) {
    vf x[4];
#pragma GCC unroll 4
    for (int b = 0; b < CB; b++) x[b] = FN(load16)(v + b * VL);
#pragma GCC unroll 4
    for (int q = 0; q < NQ; q++) {
      vf w = (vf){0} + p[q];
#pragma GCC unroll 4
      for (int b = 0; b < CB; b++) acc[q][b] = FMA(w, x[b], acc[q][b]);
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < NQ; q++)
    if (q < a->nq)
#pragma GCC unroll 4
      for (int b = 0; b < CB; b++) *(vf *)(a->o[q] + c + b * VL) = acc[q][b] * (last ? inv[q] : 1.0f);
}

enum { FN(MIXED) = 32 }; // keys whose values stay in the first cache while the columns go by

// The outputs' whole vectors, values in pieces: sums go on where the last piece left them,
// so their order is that of the keys.
INLINE int FN(mixed)(const sl_attend *a, v4 inv, const int NQ, const int KB) {
  int c = 0;
  for (int j = 0, n; j < a->n1 + a->n2; j += n) {
    int in1 = j < a->n1;
    n = in1 ? a->n1 - j : a->n1 + a->n2 - j;
    n = n < FN(MIXED) ? n : FN(MIXED);
    const uint16_t *v = in1 ? a->v1 + j * a->ld : a->v2 + (j - a->n1) * a->ld;
    const float *p = a->p + 4L * j;
    int last = j + n == a->n1 + a->n2;
    for (c = 0; c + KB * VL <= a->hd; c += KB * VL) FN(mix)(a, c, v, p, n, j == 0, last, inv, NQ, KB);
    for (; c + VL <= a->hd; c += VL) FN(mix)(a, c, v, p, n, j == 0, last, inv, NQ, 1);
  }
  return c;
}

INLINE void FN(attend_tile)(const sl_attend *a, const int NQ, const int KB) {
  v4 inv;
  FN(scores)(a, a->k1, a->n1, a->p, NQ, KB);
  FN(scores)(a, a->k2, a->n2, a->p + 4L * a->n1, NQ, KB);
  FN(softmax)(a, &inv);
  for (int c = FN(mixed)(a, inv, NQ, KB); c < a->hd; c += 4)
    for (int q = 0; q < a->nq; q++) {
      v4 s = {0};
      for (int j = 0; j < a->n1; j++) s += a->p[4 * j + q] * FN(four16)(a->v1 + j * a->ld + c);
      for (int j = 0; j < a->n2; j++) s += a->p[4 * (a->n1 + j) + q] * FN(four16)(a->v2 + j * a->ld + c);
      *(v4 *)(a->o[q] + c) = s * inv[q];
    }
}

static void FN(attend)(sl_attend *a) {
  for (int q = a->nq; q < 4; q++) a->q[q] = a->q[0]; // loaded, never stored
  switch (a->nq) {
  case 1: FN(attend_tile)(a, 1, 4); break;
  case 2: FN(attend_tile)(a, 2, 4); break;
  default: FN(attend_tile)(a, 4, 2);
  }
}
