// A whole forward pass as phases between barriers. Small batches are cut by panels of
// outputs in products and by rows elsewhere; which thread computes what never changes
// a number.
#include <stdlib.h>
#include <string.h>
#include "net.h"

typedef struct {
  sl_net *net;
  sl_pool *pool;
  const sl_row *rows;
  int n, threads;
  sl_cache **caches;
  int *seen;       // by row: cached keys it sees
  int *c0, *c1;    // by row: canvas rows [c0, c1) it sees, in canvas order
  int *canvas;     // by row: its index among canvas rows, or -1
  int *asked;      // rows that want something
  int n_asked;
  float *ck, *cv;  // keys and values of canvas rows, one layer
  const int *forbid;
  int n_forbid;
  sl_top *top;
  volatile int *cancel;
  int stopped;
} job;

static int reserve(sl_net *n, int rows, int threads) {
  if (rows <= n->cap && threads <= n->threads) return SL_OK;
  const sl_shape *s = &n->s;
  int cap = rows > n->cap ? rows : n->cap, th = threads > n->threads ? threads : n->threads;
  int wide = s->d > s->ff ? s->d : s->ff;
  if (s->heads * s->hd > wide) wide = s->heads * s->hd;
  long nr = n->isa->nr;
  long qkv = (long)n->layers[0].qkv->panels * nr, gu = (long)n->layers[0].gateup->panels * nr;
  long out = (long)n->layers[0].o->panels * nr;
  long tile = (long)n->isa->nr;
  if (out > wide) wide = (int)out;
  struct {
    void **p;
    size_t bytes;
  } all[] = {
      {(void **)&n->x, sizeof(float) * cap * s->d},
      {(void **)&n->h, sizeof(float) * cap * wide},
      {(void **)&n->qkv, sizeof(float) * cap * qkv},
      {(void **)&n->att, sizeof(float) * cap * s->heads * s->hd},
      {(void **)&n->gu, sizeof(float) * cap * gu},
      {(void **)&n->scores, sizeof(float) * th * ((size_t)s->positions + cap + tile * cap)},
      {(void **)&n->qscale, sizeof(float) * cap},
      {(void **)&n->q, (size_t)cap * (wide + 64) * n->isa->qbytes},
      {(void **)&n->states, sizeof(sl_state) * th * cap},
  };
  void *fresh[9] = {0};
  for (int i = 0; i < 9; i++)
    if (posix_memalign(&fresh[i], 64, all[i].bytes + 64)) {
      for (int j = 0; j < i; j++) free(fresh[j]);
      return SL_NOMEM;
    }
  for (int i = 0; i < 9; i++) {
    free(*all[i].p);
    *all[i].p = fresh[i];
  }
  n->cap = cap;
  n->threads = th;
  return SL_OK;
}

static void range(int n, int w, int threads, int *lo, int *hi) {
  *lo = (int)((long)n * w / threads);
  *hi = (int)((long)n * (w + 1) / threads);
}

// Quantizes rows [lo, hi) of x (width k) for a weight.
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

static void attention(job *j, int layer, int w) {
  sl_net *n = j->net;
  const sl_shape *s = &n->s;
  long kvd = (long)s->kv * s->hd, qkv = (long)n->layers[0].qkv->panels * n->isa->nr;
  float *scores = n->scores + (size_t)w * ((size_t)s->positions + n->cap + (size_t)n->isa->nr * n->cap);
  // Rows are dealt out in turn: the cost of a row grows with its position.
  for (int i = w; i < j->n; i += j->threads) {
    sl_cache *c = j->caches[j->rows[i].group];
    const float *k = c->k + (long)layer * s->positions * kvd, *v = c->v + (long)layer * s->positions * kvd;
    n->isa->attend(s->heads, s->kv, s->hd, n->qkv + i * qkv, k, v, j->seen[i], j->ck + j->c0[i] * kvd,
                   j->cv + j->c0[i] * kvd, j->c1[i] - j->c0[i], scores, n->att + (long)i * s->heads * s->hd);
  }
}

static void head(job *j, int w) {
  sl_net *n = j->net;
  const sl_packed *p = n->head;
  const sl_isa *isa = n->isa;
  int lo, hi, m = j->n_asked, nr = isa->nr;
  sl_state *st = n->states + (size_t)w * n->cap;
  float *tile = n->scores + (size_t)w * ((size_t)n->s.positions + n->cap + (size_t)nr * n->cap);
  for (int i = 0; i < m; i++) st[i] = (sl_state){-1, -1, -1e29f, -1e29f, 0, -1e30f};
  range(p->panels, w, j->threads, &lo, &hi);
  for (int k = lo; k < hi; k++) {
    int base = k * nr, width = p->rows - base < nr ? p->rows - base : nr;
    isa->panel(p, k, n->q, n->qscale, m, tile, nr);
    for (int f = 0; f < j->n_forbid; f++)
      if (j->forbid[f] >= base && j->forbid[f] < base + width)
        for (int i = 0; i < m; i++) tile[(long)i * nr + j->forbid[f] - base] = -1e30f;
    for (int i = 0; i < m; i++) isa->fold(width, base, tile + (long)i * nr, j->rows[j->asked[i]].target, st + i);
  }
}

static float exp1(float x) { return x < -87.0f ? 0.0f : (float)__builtin_exp((double)x); }

// Joins the workers' slices, in the order of the vocabulary.
static void join(job *j) {
  sl_net *n = j->net;
  for (int i = 0; i < j->n_asked; i++) {
    sl_state a = n->states[i];
    for (int w = 1; w < j->threads; w++) {
      sl_state b = n->states[(size_t)w * n->cap + i];
      if (b.target > a.target) a.target = b.target;
      if (b.best < 0) continue;
      if (a.best < 0) {
        float t = a.target;
        a = b;
        a.target = t;
        continue;
      }
      float top = a.top > b.top ? a.top : b.top;
      a.sum = a.sum * exp1(a.top - top) + b.sum * exp1(b.top - top);
      if (b.top > a.top) { // the lower id of equals stays
        if (b.second >= 0 && b.next > a.top) {
          a.second = b.second;
          a.next = b.next;
        } else {
          a.second = a.best;
          a.next = a.top;
        }
        a.best = b.best;
        a.top = b.top;
      } else if (a.second < 0 || b.top > a.next) {
        a.second = b.best;
        a.next = b.top;
      }
    }
    float logz = a.top + (float)__builtin_log((double)a.sum);
    sl_top *t = j->top + i;
    t->best = a.best;
    t->second = a.second;
    t->logz = logz;
    t->prob = exp1(a.top - logz);
    t->second_prob = a.second < 0 ? 0 : exp1(a.next - logz);
    t->target_log = a.target - logz;
  }
}

static void run(void *v, int w) {
  job *j = v;
  sl_net *n = j->net;
  const sl_shape *s = &n->s;
  const sl_isa *isa = n->isa;
  int lo, hi, d = s->d, hd = s->hd;
  long qkv = (long)n->layers[0].qkv->panels * isa->nr, gu = (long)n->layers[0].gateup->panels * isa->nr;
  long od = (long)n->layers[0].o->panels * isa->nr; // and down's, both are d outputs
  long kvd = (long)s->kv * hd, ad = (long)s->heads * hd;
  // Rows of h are od apart in every phase (od is d, up to whole panels): with no barrier
  // between a layer's last phase and the next one's first, a worker may touch its own
  // rows only, and another stride would make them someone else's.
  range(j->n, w, j->threads, &lo, &hi);
  for (int i = lo; i < hi; i++) {
    const sl_row *r = j->rows + i;
    isa->dequant(n->embed + (long)r->token * d, n->embed_scale[r->token], d, n->x + (long)i * d, 0);
    if (r->canvas && s->canvas_mark && r->token != s->mask)
      isa->dequant(n->embed + (long)s->mask * d, n->embed_scale[s->mask], d, n->x + (long)i * d, 1);
  }
  for (int l = 0; l < s->layers; l++) {
    if (w == 0 && j->cancel && *j->cancel) j->stopped = 1;
    for (int i = lo; i < hi; i++) isa->rms(n->x + (long)i * d, d, n->layers[l].in_norm, s->eps, n->h + i * od);
    quantize(j, n->layers[l].qkv, n->h, od, lo, hi);
    sl_pool_barrier(j->pool, w);
    if (j->stopped) return; // every worker saw the same value: it was set before the barrier
    product(j, n->layers[l].qkv, w, n->qkv, qkv);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) {
      const sl_row *r = j->rows + i;
      float *q = n->qkv + i * qkv, *k = q + ad, *val = k + kvd;
      for (int h = 0; h < s->heads; h++) isa->rms(q + h * hd, hd, n->layers[l].q_norm, s->eps, q + h * hd);
      for (int h = 0; h < s->kv; h++) isa->rms(k + h * hd, hd, n->layers[l].k_norm, s->eps, k + h * hd);
      isa->rope(q, s->heads, hd, n->rope + (long)r->pos * hd);
      isa->rope(k, s->kv, hd, n->rope + (long)r->pos * hd);
      float *tk, *tv;
      if (r->canvas) {
        tk = j->ck + j->canvas[i] * kvd;
        tv = j->cv + j->canvas[i] * kvd;
      } else {
        sl_cache *c = j->caches[r->group];
        tk = c->k + ((long)l * s->positions + r->pos) * kvd;
        tv = c->v + ((long)l * s->positions + r->pos) * kvd;
      }
      memcpy(tk, k, sizeof(float) * kvd);
      memcpy(tv, val, sizeof(float) * kvd);
    }
    sl_pool_barrier(j->pool, w);
    attention(j, l, w);
    sl_pool_barrier(j->pool, w);
    quantize(j, n->layers[l].o, n->att, ad, lo, hi);
    sl_pool_barrier(j->pool, w);
    product(j, n->layers[l].o, w, n->h, od);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) {
      float *x = n->x + (long)i * d, *y = n->h + i * od;
      for (int k = 0; k < d; k++) x[k] += y[k];
      isa->rms(x, d, n->layers[l].post_norm, s->eps, y); // y was read; its row serves again
    }
    quantize(j, n->layers[l].gateup, n->h, od, lo, hi);
    sl_pool_barrier(j->pool, w);
    product(j, n->layers[l].gateup, w, n->gu, gu);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) isa->swiglu(s->ff, n->gu + i * gu, n->gu + i * gu + s->ff, n->gu + i * gu);
    quantize(j, n->layers[l].down, n->gu, gu, lo, hi);
    sl_pool_barrier(j->pool, w);
    product(j, n->layers[l].down, w, n->h, od);
    sl_pool_barrier(j->pool, w);
    for (int i = lo; i < hi; i++) {
      float *x = n->x + (long)i * d, *y = n->h + i * od;
      for (int k = 0; k < d; k++) x[k] += y[k];
    }
  }
  if (j->n_asked == 0) return;
  sl_pool_barrier(j->pool, w);
  range(j->n_asked, w, j->threads, &lo, &hi);
  for (int i = lo; i < hi; i++) isa->rms(n->x + (long)j->asked[i] * d, d, n->norm, s->eps, n->h + (long)i * d);
  quantize(j, n->head, n->h, d, lo, hi);
  sl_pool_barrier(j->pool, w);
  head(j, w);
}

int sl_forward(sl_net *net, sl_pool *pool, const sl_row *rows, int n, sl_cache **caches, const int *forbid, int n_forbid,
               sl_top *top, volatile int *cancel) {
  if (n == 0) return SL_OK;
  int threads = sl_pool_size(pool);
  if (reserve(net, n, threads) != SL_OK) return SL_NOMEM;
  long kvd = (long)net->s.kv * net->s.hd;
  int *ints = malloc(sizeof(int) * 5 * n);
  float *kv = 0;
  if (!ints || posix_memalign((void **)&kv, 64, sizeof(float) * 2 * n * kvd)) {
    free(ints);
    return SL_NOMEM;
  }
  job j = {.net = net, .pool = pool, .rows = rows, .n = n, .threads = threads, .caches = caches,
           .seen = ints, .c0 = ints + n, .c1 = ints + 2 * n, .canvas = ints + 3 * n, .asked = ints + 4 * n,
           .ck = kv, .cv = kv + n * kvd, .forbid = forbid, .n_forbid = n_forbid, .top = top, .cancel = cancel};
  // Canvas rows are numbered sequence by sequence, so that a row sees a contiguous range.
  int next = 0, groups = 0;
  for (int i = 0; i < n; i++)
    if (rows[i].group >= groups) groups = rows[i].group + 1;
  for (int g = 0; g < groups; g++) {
    int first = next, end = caches[g]->len;
    for (int i = 0; i < n; i++) {
      if (rows[i].group != g) continue;
      if (rows[i].canvas)
        j.canvas[i] = next++;
      else if (rows[i].pos + 1 > end)
        end = rows[i].pos + 1;
    }
    for (int i = 0; i < n; i++) {
      if (rows[i].group != g) continue;
      j.c0[i] = j.c1[i] = 0;
      if (rows[i].canvas) {
        j.seen[i] = end;
        j.c0[i] = first;
        j.c1[i] = next;
      } else {
        j.canvas[i] = -1;
        j.seen[i] = rows[i].pos + 1;
      }
    }
  }
  for (int i = 0; i < n; i++)
    if (rows[i].want) j.asked[j.n_asked++] = i;
  sl_pool_run(pool, run, &j);
  if (!j.stopped) join(&j);
  free(ints);
  free(kv);
  return j.stopped ? SL_CANCELLED : SL_OK;
}
