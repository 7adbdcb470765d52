// Attention of two streams (method.md, section 3), one document and one key head at a
// time: the task owns every row of dk and dv that it writes, so no result depends on
// the order of threads. Queries go in tiles of QT rows against all the keys that any
// row of the tile may see; scores of a tile stay in cache and are never stored.
//
// Keys are indexed in the document: 0..n_clean clean ones, then the noised ones.
// A clean row i sees keys [0, i]; a noised row sees [0, lim) and its own block.

#define QT 60 /* a multiple of MR for every instruction set: 4, 6, 12 */

static long FN(attn_work)(int keys, int D) {
  long kp = (keys + NR - 1) / NR * NR;
  return 2 * kp * D + 2 * (long)QT * (kp + NR) + 2 * (long)keys * D + 256;
}

// rows [r0, r0+n) of x (stride ld) as the columns of panels [ceil][D][NR], from panel
// column c0 on.
static void FN(panels)(int n, int D, const float *x, long ld, float *out, int c0) {
  for (int r = 0; r < n; r++) {
    int c = c0 + r;
    float *o = out + (long)(c / NR) * NR * D + c % NR;
    const float *p = x + r * ld;
    for (int i = 0; i < D; i++) o[(long)i * NR] = p[i];
  }
}

// s[m][..] = A·panels over the panels that hold keys [k0, k1).
static void FN(scores)(int m, int D, const float *a, long lda, const float *pan, int k0,
                       int k1, float *s, long lds) {
  for (int j = k0 / NR * NR; j < k1; j += NR)
    FN(small)(m, NR, D, a, lda, 1, pan + (long)j * D, NR, s + j, lds, 0);
}

// What the rows of a query tile may see.
typedef struct {
  int m;        // rows
  int row;      // first batch row
  int c1;       // clean keys [0, c1) concern the tile
  int n0, n1;   // noised keys [n0, n1), document-relative key indices
} FN(qtile);

static FN(qtile) FN(tile_of)(const sl_attn *a, const sl_doc *d, int i) {
  FN(qtile) t = {0};
  if (i < d->n_clean) {
    t.m = d->n_clean - i < QT ? d->n_clean - i : QT;
    t.row = d->clean + i;
    t.c1 = i + t.m;
    return t;
  }
  int j = i - d->n_clean;
  t.m = d->n_noised - j < QT ? d->n_noised - j : QT;
  t.row = d->noised + j;
  t.n0 = d->n_noised;
  for (int r = t.row; r < t.row + t.m; r++) {
    if (a->lim[r] > t.c1) t.c1 = a->lim[r];
    if (a->from[r] < t.n0) t.n0 = a->from[r];
    if (a->to[r] > t.n1) t.n1 = a->to[r];
  }
  t.n0 += d->n_clean;
  t.n1 += d->n_clean;
  return t;
}

static inline int FN(visible)(const sl_attn *a, const sl_doc *d, const FN(qtile) *t, int r,
                              int *f, int *e) {
  int row = t->row + r;
  if (row < d->clean + d->n_clean && row >= d->clean) {
    *f = *e = 0;
    return row - d->clean + 1;
  }
  *f = d->n_clean + a->from[row];
  *e = d->n_clean + a->to[row];
  return a->lim[row];
}

static void FN(attn_fwd)(const sl_attn *a, const sl_doc *d, int g, float *work) {
  int D = a->D, H = a->H, G = a->G, per = H / G, nk = d->n_clean + d->n_noised;
  if (nk == 0) return; // else the zeroing of the last panel would start before work
  long kp = (nk + NR - 1) / NR * NR, lds = kp;
  float *kt = work, *s = kt + kp * D;
  long kvs = (long)G * D, qs = (long)H * D;
  for (long i = (kp - NR) * D; i < kp * D; i++) kt[i] = 0;
  FN(panels)(d->n_clean, D, a->k + d->clean * kvs + g * D, kvs, kt, 0);
  FN(panels)(d->n_noised, D, a->k + d->noised * kvs + g * D, kvs, kt, d->n_clean);
  const float *vc = a->v + d->clean * kvs + g * D, *vn = a->v + d->noised * kvs + g * D;
  for (int h = g * per; h < (g + 1) * per; h++)
    for (int i = 0; i < nk;) {
      FN(qtile) t = FN(tile_of)(a, d, i);
      i += t.m;
      FN(scores)(t.m, D, a->q + t.row * qs + h * D, qs, kt, 0, t.c1, s, lds);
      if (t.n1 > t.n0) FN(scores)(t.m, D, a->q + t.row * qs + h * D, qs, kt, t.n0, t.n1, s, lds);
      for (int r = 0; r < t.m; r++) {
        int f, e, c = FN(visible)(a, d, &t, r, &f, &e);
        float *p = s + r * lds, mx = -1e30f, sum = 0;
        for (int j = 0; j < c; j++) mx = p[j] > mx ? p[j] : mx;
        for (int j = f; j < e; j++) mx = p[j] > mx ? p[j] : mx;
        for (int j = 0; j < c; j++) {
          float x = FN(exp)((p[j] - mx) * a->scale);
          p[j] = x;
          sum += x;
        }
        for (int j = c; j < t.c1; j++) p[j] = 0;
        for (int j = f; j < e; j++) {
          float x = FN(exp)((p[j] - mx) * a->scale);
          p[j] = x;
          sum += x;
        }
        for (int j = t.n0; j < f; j++) p[j] = 0;
        for (int j = e > t.n0 ? e : t.n0; j < t.n1; j++) p[j] = 0;
        float inv = 1.0f / sum;
        for (int j = 0; j < c; j++) p[j] *= inv;
        for (int j = f; j < e; j++) p[j] *= inv;
        a->lse[(long)(t.row + r) * H + h] = mx * a->scale + logf(sum);
      }
      float *o = a->o + t.row * qs + h * D;
      if (t.c1 > 0)
        FN(small)(t.m, D, t.c1, s, lds, 1, vc, kvs, o, qs, 0);
      if (t.n1 > t.n0)
        FN(small)(t.m, D, t.n1 - t.n0, s + t.n0, lds, 1, vn + (t.n0 - d->n_clean) * kvs, kvs, o, qs, t.c1 > 0);
    }
}

static void FN(attn_bwd)(const sl_attn *a, const sl_doc *d, int g, float *work) {
  int D = a->D, H = a->H, G = a->G, per = H / G, nk = d->n_clean + d->n_noised;
  if (nk == 0) return;
  long kp = (nk + NR - 1) / NR * NR, lds = kp;
  float *kt = work, *vt = kt + kp * D, *p = vt + kp * D, *dp = p + (long)QT * (kp + NR);
  float *dk = dp + (long)QT * (kp + NR), *dv = dk + (long)nk * D;
  long kvs = (long)G * D, qs = (long)H * D;
  for (long i = (kp - NR) * D; i < kp * D; i++) kt[i] = vt[i] = 0;
  FN(panels)(d->n_clean, D, a->k + d->clean * kvs + g * D, kvs, kt, 0);
  FN(panels)(d->n_noised, D, a->k + d->noised * kvs + g * D, kvs, kt, d->n_clean);
  FN(panels)(d->n_clean, D, a->v + d->clean * kvs + g * D, kvs, vt, 0);
  FN(panels)(d->n_noised, D, a->v + d->noised * kvs + g * D, kvs, vt, d->n_clean);
  for (long i = 0; i < 2 * (long)nk * D; i++) dk[i] = 0; // dv follows dk
  const float *kc = a->k + d->clean * kvs + g * D, *kn = a->k + d->noised * kvs + g * D;
  for (int h = g * per; h < (g + 1) * per; h++)
    for (int i = 0; i < nk;) {
      FN(qtile) t = FN(tile_of)(a, d, i);
      i += t.m;
      const float *q = a->q + t.row * qs + h * D, *go = a->do_ + t.row * qs + h * D;
      const float *o = a->o + t.row * qs + h * D;
      FN(scores)(t.m, D, q, qs, kt, 0, t.c1, p, lds);
      FN(scores)(t.m, D, go, qs, vt, 0, t.c1, dp, lds);
      if (t.n1 > t.n0) {
        FN(scores)(t.m, D, q, qs, kt, t.n0, t.n1, p, lds);
        FN(scores)(t.m, D, go, qs, vt, t.n0, t.n1, dp, lds);
      }
      // p becomes the probabilities, dp the gradient of the scaled scores.
      for (int r = 0; r < t.m; r++) {
        int f, e, c = FN(visible)(a, d, &t, r, &f, &e);
        float *pr = p + r * lds, *dr = dp + r * lds, dot = 0;
        float lse = a->lse[(long)(t.row + r) * H + h];
        for (int j = 0; j < D; j++) dot += go[r * qs + j] * o[r * qs + j];
        for (int j = 0; j < c; j++) {
          float x = FN(exp)(pr[j] * a->scale - lse);
          pr[j] = x;
          dr[j] = x * (dr[j] - dot) * a->scale;
        }
        for (int j = c; j < t.c1; j++) pr[j] = dr[j] = 0;
        for (int j = f; j < e; j++) {
          float x = FN(exp)(pr[j] * a->scale - lse);
          pr[j] = x;
          dr[j] = x * (dr[j] - dot) * a->scale;
        }
        for (int j = t.n0; j < f; j++) pr[j] = dr[j] = 0;
        for (int j = e > t.n0 ? e : t.n0; j < t.n1; j++) pr[j] = dr[j] = 0;
      }
      float *dq = a->dq + t.row * qs + h * D;
      if (t.c1 > 0) {
        FN(small)(t.m, D, t.c1, dp, lds, 1, kc, kvs, dq, qs, 0);
        FN(small)(t.c1, D, t.m, dp, 1, lds, q, qs, dk, D, 1);
        FN(small)(t.c1, D, t.m, p, 1, lds, go, qs, dv, D, 1);
      }
      if (t.n1 > t.n0) {
        int nn = t.n1 - t.n0;
        FN(small)(t.m, D, nn, dp + t.n0, lds, 1, kn + (t.n0 - d->n_clean) * kvs, kvs, dq, qs, t.c1 > 0);
        FN(small)(nn, D, t.m, dp + t.n0, 1, lds, q, qs, dk + (long)t.n0 * D, D, 1);
        FN(small)(nn, D, t.m, p + t.n0, 1, lds, go, qs, dv + (long)t.n0 * D, D, 1);
      }
    }
  for (int i = 0; i < nk; i++) {
    long row = i < d->n_clean ? d->clean + i : d->noised + i - d->n_clean;
    float *ok = a->dk + row * kvs + g * D, *ov = a->dv + row * kvs + g * D;
    for (int j = 0; j < D; j++) ok[j] = dk[(long)i * D + j], ov[j] = dv[(long)i * D + j];
  }
}
