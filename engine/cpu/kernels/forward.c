// A whole forward pass as phases between barriers. Products are cut by panels of outputs,
// attention by tiles of queries, the head by slices of the vocabulary, the rest by rows.
// Which thread computes what never changes a number, and neither does the batch in which
// a row comes, as long as it sees the same keys.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "net.h"

// Neighbouring rows of one kind and sequence, that attend together.
typedef struct {
  int row, n;
} tile;

typedef struct {
  sl_net *net;
  sl_pool *pool;
  const sl_row *rows;
  int n, threads;
  sl_cache **caches;
  int *seen;    // by row: cached keys it sees
  int *c0, *c1; // by row: canvas keys [c0, c1) it sees, in canvas order
  int *canvas;  // by row: its index among canvas rows, or -1
  int *asked;   // rows that want something
  int n_asked;
  tile *tiles;
  int n_tiles;
  atomic_int *next; // by layer: the next piece of attention to be computed
  uint16_t *ck, *cv; // keys and values of canvas rows, one layer: [kv][n][hd]
  const int *forbid;
  int n_forbid;
  sl_top *top;
  const int *cancel;
  atomic_int stopped;
} job;

static void range(int n, int w, int threads, int *lo, int *hi) {
  *lo = (int)((long)n * w / threads);
  *hi = (int)((long)n * (w + 1) / threads);
}

// Quantizes rows [lo, hi) of x, ld floats apart, for a weight.
static void quantize(job *j, const sl_packed *p, const float *x, long ld, int lo, int hi) {
  sl_net *n = j->net;
  for (int i = lo; i < hi; i++)
    n->isa->quantize(x + i * ld, p->cols, p->kpad, (char *)n->q + (long)i * p->kpad * n->isa->qbytes, n->qscale + i);
}

// The panels of a product that worker w computes, into out with rows of ldo floats.
static void product(job *j, const sl_packed *p, int w, float *out, long ldo) {
  int lo, hi;
  range(p->panels, w, j->threads, &lo, &hi);
  for (int k = lo; k < hi; k++)
    j->net->isa->panel(p, k, j->net->q, j->net->qscale, j->n, out + (long)k * j->net->isa->nr, ldo);
}

// Rows whose queries share a tile of four: as many as leave room for the heads of a group.
static int rows_a_tile(const sl_shape *s) {
  int per = s->heads / s->kv;
  return per >= 4 ? 1 : 4 / per;
}

// A piece is one tile of rows, one key head, and up to four of its query heads.
static void attention(job *j, int layer, int w) {
  sl_net *n = j->net;
  const sl_shape *s = &n->s;
  const long hd = s->hd, ad = s->heads * hd, qkv = (long)n->layers[0].qkv->panels * n->isa->nr;
  const int per = s->heads / s->kv, slices = (per + 3) / 4, pieces = s->kv * slices;
  for (;;) {
    int at = atomic_fetch_add_explicit(&j->next[layer], 1, memory_order_relaxed);
    // Last rows first: they see the most keys, and the cheap ones fill the gaps.
    int t = j->n_tiles - 1 - at / pieces, g = at % pieces / slices, first = at % slices * 4;
    if (t < 0) return;
    const tile *rows = j->tiles + t;
    const sl_cache *c = j->caches[j->rows[rows->row].group];
    const long cached = ((long)layer * s->kv + g) * s->positions * hd, canvas = ((long)g * j->n + j->c0[rows->row]) * hd;
    sl_attend a = {.hd = s->hd, .ld = hd, .k1 = c->k + cached, .v1 = c->v + cached, .k2 = j->ck + canvas,
                   .v2 = j->cv + canvas, .n2 = j->c1[rows->row] - j->c0[rows->row], .p = n->scratch + w * sl_scratch(n)};
    for (int i = rows->row; i < rows->row + rows->n; i++)
      for (int h = first; h < per && h < first + 4; h++, a.nq++) {
        long off = (g * per + h) * hd;
        a.q[a.nq] = n->qkv + i * qkv + off;
        a.o[a.nq] = n->att + i * ad + off;
        a.seen[a.nq] = j->seen[i];
        if (j->seen[i] > a.n1) a.n1 = j->seen[i];
      }
    n->isa->attend(&a);
  }
}

// One slice of the vocabulary, for all rows that ask: logits exist for SL_HEAD_ROWS rows
// and SL_HEAD_WIDTH tokens at a time.
static void head_slice(job *j, int chunk, float *logits) {
  sl_net *n = j->net;
  const sl_packed *p = n->head;
  const sl_isa *isa = n->isa;
  int lo, hi, nr = isa->nr, step = SL_HEAD_WIDTH / nr > 0 ? SL_HEAD_WIDTH / nr : 1;
  sl_state *st = n->states + (long)chunk * n->cap;
  for (int i = 0; i < j->n_asked; i++)
    st[i] = (sl_state){-1, -1, SL_FORBIDDEN, SL_FORBIDDEN, 0, SL_FORBIDDEN};
  range(p->panels, chunk, SL_CHUNKS, &lo, &hi);
  for (int k = lo; k < hi; k += step) {
    int end = k + step < hi ? k + step : hi, base = k * nr;
    int width = (end * nr < p->rows ? end * nr : p->rows) - base;
    long ld = (long)(end - k) * nr;
    for (int r = 0; r < j->n_asked; r += SL_HEAD_ROWS) {
      int m = j->n_asked - r < SL_HEAD_ROWS ? j->n_asked - r : SL_HEAD_ROWS;
      for (int b = k; b < end; b++)
        isa->panel(p, b, (char *)n->q + (long)r * p->kpad * isa->qbytes, n->qscale + r, m, logits + (b - k) * nr, ld);
      for (int f = 0; f < j->n_forbid; f++)
        if (j->forbid[f] >= base && j->forbid[f] < base + width)
          for (int i = 0; i < m; i++) logits[i * ld + j->forbid[f] - base] = SL_FORBIDDEN;
      for (int i = 0; i < m; i++) isa->fold(width, base, logits + i * ld, j->rows[j->asked[r + i]].target, st + r + i);
    }
  }
}

static void run(void *v, int w) {
  job *j = v;
  sl_net *n = j->net;
  const sl_shape *s = &n->s;
  const sl_isa *isa = n->isa;
  const long d = s->d, hd = s->hd, kvd = s->kv * hd, ad = s->heads * hd, wide = n->wide;
  const long qkv = (long)n->layers[0].qkv->panels * isa->nr, gu = (long)n->layers[0].gateup->panels * isa->nr;
  int lo, hi;
  // Rows lo to hi are this worker's in every phase that is cut by rows, and each buffer
  // has one stride throughout: phases with no barrier between them touch own rows only.
  range(j->n, w, j->threads, &lo, &hi);
  for (int i = lo; i < hi; i++) {
    const sl_row *r = j->rows + i;
    isa->dequant(n->embed + r->token * d, n->embed_scale[r->token], (int)d, n->x + i * d, 0);
    if (r->canvas && s->canvas_mark && r->token != s->mask)
      isa->dequant(n->embed + s->mask * d, n->embed_scale[s->mask], (int)d, n->x + i * d, 1);
  }
  for (int l = 0; l < s->layers; l++) {
    if (w == 0 && __atomic_load_n(j->cancel, __ATOMIC_RELAXED)) atomic_store_explicit(&j->stopped, 1, memory_order_relaxed);
    for (int i = lo; i < hi; i++) isa->rms(n->x + i * d, (int)d, n->layers[l].in_norm, s->eps, n->h + i * wide);
    quantize(j, n->layers[l].qkv, n->h, wide, lo, hi);
    sl_pool_barrier(j->pool, w);
    // Every worker sees the same value: it is written before this barrier, and next after
    // the ones below.
    if (atomic_load_explicit(&j->stopped, memory_order_relaxed)) return;
    product(j, n->layers[l].qkv, w, n->qkv, qkv);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) {
      const sl_row *r = j->rows + i;
      float *q = n->qkv + i * qkv, *k = q + ad, *val = k + kvd;
      if (n->layers[l].q_norm)
        for (int h = 0; h < s->heads; h++) isa->rms(q + h * hd, (int)hd, n->layers[l].q_norm, s->eps, q + h * hd);
      if (n->layers[l].k_norm)
        for (int h = 0; h < s->kv; h++) isa->rms(k + h * hd, (int)hd, n->layers[l].k_norm, s->eps, k + h * hd);
      isa->rope(q, s->heads, (int)hd, n->rope + r->pos * hd);
      isa->rope(k, s->kv, (int)hd, n->rope + r->pos * hd);
      for (int h = 0; h < s->kv; h++) {
        const sl_cache *c = j->caches[r->group];
        long at = r->canvas ? ((long)h * j->n + j->canvas[i]) * hd : (((long)l * s->kv + h) * s->positions + r->pos) * hd;
        sl_round16(k + h * hd, hd, (r->canvas ? j->ck : c->k) + at);
        sl_round16(val + h * hd, hd, (r->canvas ? j->cv : c->v) + at);
      }
    }
    sl_pool_barrier(j->pool, w);
    attention(j, l, w);
    sl_pool_barrier(j->pool, w);
    quantize(j, n->layers[l].o, n->att, ad, lo, hi);
    sl_pool_barrier(j->pool, w);
    product(j, n->layers[l].o, w, n->y, wide);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) {
      float *x = n->x + i * d, *y = n->y + i * wide;
      for (int k = 0; k < d; k++) x[k] += y[k];
      isa->rms(x, (int)d, n->layers[l].post_norm, s->eps, n->h + i * wide);
    }
    quantize(j, n->layers[l].gateup, n->h, wide, lo, hi);
    sl_pool_barrier(j->pool, w);
    product(j, n->layers[l].gateup, w, n->gu, gu);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) isa->swiglu(s->ff, n->gu + i * gu, n->gu + i * gu + s->ff, n->gu + i * gu);
    quantize(j, n->layers[l].down, n->gu, gu, lo, hi);
    sl_pool_barrier(j->pool, w);
    product(j, n->layers[l].down, w, n->y, wide);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) {
      float *x = n->x + i * d, *y = n->y + i * wide;
      for (int k = 0; k < d; k++) x[k] += y[k];
    }
  }
  if (j->n_asked == 0) return;
  sl_pool_barrier(j->pool, w); // asked rows are dealt out anew
  range(j->n_asked, w, j->threads, &lo, &hi);
  for (int i = lo; i < hi; i++) isa->rms(n->x + j->asked[i] * d, (int)d, n->norm, s->eps, n->h + i * wide);
  quantize(j, n->head, n->h, wide, lo, hi);
  sl_pool_barrier(j->pool, w);
  int first, last;
  range(SL_CHUNKS, w, j->threads, &first, &last);
  for (int c = first; c < last; c++) head_slice(j, c, n->scratch + w * sl_scratch(n));
  sl_pool_barrier(j->pool, w);
  for (int i = lo; i < hi; i++) {
    sl_state a = n->states[i];
    for (int c = 1; c < SL_CHUNKS; c++) sl_join(&a, n->states + (long)c * n->cap + i);
    sl_answer(&a, j->top + i);
  }
}

// What each row sees. Canvas rows are numbered sequence by sequence, so that a row sees a
// contiguous range of them.
static void plan(job *j) {
  int next = 0, groups = 0, most = rows_a_tile(&j->net->s);
  const sl_row *rows = j->rows;
  for (int i = 0; i < j->n; i++)
    if (rows[i].group >= groups) groups = rows[i].group + 1;
  for (int g = 0; g < groups; g++) {
    int first = next, end = j->caches[g]->len;
    for (int i = 0; i < j->n; i++) {
      if (rows[i].group != g) continue;
      j->canvas[i] = -1;
      if (rows[i].canvas)
        j->canvas[i] = next++;
      else if (rows[i].pos + 1 > end)
        end = rows[i].pos + 1;
    }
    for (int i = 0; i < j->n; i++) {
      if (rows[i].group != g) continue;
      j->seen[i] = rows[i].canvas ? end : rows[i].pos + 1;
      j->c0[i] = rows[i].canvas ? first : 0;
      j->c1[i] = rows[i].canvas ? next : 0;
    }
  }
  for (int i = 0; i < j->n; i++) {
    tile *t = j->tiles + j->n_tiles - 1;
    if (j->n_tiles > 0 && t->n < most && rows[i].group == rows[t->row].group && rows[i].canvas == rows[t->row].canvas)
      t->n++;
    else
      j->tiles[j->n_tiles++] = (tile){i, 1};
    if (rows[i].want) j->asked[j->n_asked++] = i;
  }
}

int sl_forward(sl_net *net, sl_pool *pool, const sl_row *rows, int n, sl_cache **caches, const int *forbid, int n_forbid,
               sl_top *top, const int *cancel) {
  if (n == 0) return SL_OK;
  int threads = sl_pool_size(pool), code = SL_NOMEM;
  if (sl_reserve(net, n, threads) != SL_OK) return SL_NOMEM;
  long kvd = (long)net->s.kv * net->s.hd;
  int *ints = malloc(sizeof(int) * 5 * n);
  tile *tiles = malloc(sizeof(tile) * n);
  atomic_int *pieces = calloc(net->s.layers, sizeof *pieces);
  uint16_t *kv = malloc(sizeof *kv * 2 * n * kvd);
  if (ints && tiles && pieces && kv) {
    job j = {.net = net, .pool = pool, .rows = rows, .n = n, .threads = threads, .caches = caches,
             .seen = ints, .c0 = ints + n, .c1 = ints + 2 * n, .canvas = ints + 3 * n, .asked = ints + 4 * n,
             .tiles = tiles, .next = pieces, .ck = kv, .cv = kv + n * kvd, .forbid = forbid, .n_forbid = n_forbid,
             .top = top, .cancel = cancel};
    plan(&j);
    sl_pool_run(pool, run, &j);
    code = atomic_load(&j.stopped) ? SL_CANCELLED : SL_OK;
  }
  free(ints);
  free(tiles);
  free(pieces);
  free(kv);
  return code;
}
