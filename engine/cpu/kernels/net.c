// Weights packed for an instruction set, and the network and workspace made of them.
#include "net.h"
#include <stdlib.h>
#include <string.h>

static void *take(size_t n) {
  void *p = 0;
  if (posix_memalign(&p, 64, n ? n : 64)) return 0;
  return p;
}

void sl_packed_free(sl_packed *p) {
  if (!p) return;
  free(p->data);
  free(p->scale);
  free(p->sum);
  free(p);
}

sl_packed *sl_pack(const char *isa, const sl_matrix *w) {
  const sl_isa *s = sl_isa_find(isa);
  sl_packed *p = s ? calloc(1, sizeof *p) : 0;
  if (!p) return 0;
  p->isa = s;
  p->rows = w->rows;
  p->cols = w->cols;
  p->kpad = (w->cols + s->kstep - 1) / s->kstep * s->kstep;
  p->panels = (w->rows + s->nr - 1) / s->nr;
  p->data = take((size_t)p->panels * s->nr * p->kpad * s->wbytes);
  p->scale = take(sizeof(float) * p->panels * s->nr);
  p->sum = take(sizeof(int32_t) * p->panels * s->nr);
  if (!p->data || !p->scale || !p->sum) {
    sl_packed_free(p);
    return 0;
  }
  s->pack(w, p);
  return p;
}

// Stacks weights of one depth on top of each other, so that one product serves them all.
static sl_packed *stack(const char *isa, const sl_matrix *const *m, int n) {
  sl_matrix all = {0, m[0]->cols, 0, 0};
  for (int i = 0; i < n; i++) all.rows += m[i]->rows;
  int8_t *w = take((size_t)all.rows * all.cols);
  float *scale = take(sizeof(float) * all.rows);
  sl_packed *p = 0;
  if (w && scale) {
    for (int i = 0, r = 0; i < n; r += m[i++]->rows) {
      memcpy(w + (long)r * all.cols, m[i]->w, (size_t)m[i]->rows * all.cols);
      memcpy(scale + r, m[i]->scale, sizeof(float) * m[i]->rows);
    }
    all.w = w;
    all.scale = scale;
    p = sl_pack(isa, &all);
  }
  free(w);
  free(scale);
  return p;
}

static float *copied(const float *x, size_t n) {
  float *p = take(n * sizeof *p);
  if (p) memcpy(p, x, n * sizeof *p);
  return p;
}

void sl_net_free(sl_net *n) {
  if (!n) return;
  for (int i = 0; n->layers && i < n->s.layers; i++) {
    free(n->layers[i].in_norm);
    free(n->layers[i].q_norm);
    free(n->layers[i].k_norm);
    free(n->layers[i].post_norm);
    sl_packed_free(n->layers[i].qkv);
    sl_packed_free(n->layers[i].o);
    sl_packed_free(n->layers[i].gateup);
    sl_packed_free(n->layers[i].down);
  }
  free(n->layers);
  sl_packed_free(n->head);
  void *all[] = {n->embed, n->embed_scale, n->norm, n->rope, n->x, n->h, n->y, n->qkv, n->att, n->gu, n->scratch, n->qscale, n->q, n->states};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  free(n);
}

sl_net *sl_net_new(const char *isa, const sl_shape *s, const sl_layer *layers, const sl_matrix *embed, const float *norm,
                   const float *rope) {
  const sl_isa *set = sl_isa_find(isa);
  sl_net *n = set ? calloc(1, sizeof *n) : 0;
  if (!n) return 0;
  n->isa = set;
  n->s = *s;
  n->layers = calloc(s->layers, sizeof *n->layers);
  int ok = n->layers != 0;
  for (int i = 0; ok && i < s->layers; i++) {
    const sl_layer *l = layers + i;
    n->layers[i].in_norm = copied(l->in_norm, s->d);
    if (l->q_norm) n->layers[i].q_norm = copied(l->q_norm, s->hd);
    if (l->k_norm) n->layers[i].k_norm = copied(l->k_norm, s->hd);
    n->layers[i].post_norm = copied(l->post_norm, s->d);
    n->layers[i].qkv = stack(isa, (const sl_matrix *[]){&l->q, &l->k, &l->v}, 3);
    n->layers[i].o = sl_pack(isa, &l->o);
    n->layers[i].gateup = stack(isa, (const sl_matrix *[]){&l->gate, &l->up}, 2);
    n->layers[i].down = sl_pack(isa, &l->down);
    ok = n->layers[i].in_norm && !n->layers[i].q_norm == !l->q_norm && !n->layers[i].k_norm == !l->k_norm && n->layers[i].post_norm &&
         n->layers[i].qkv && n->layers[i].o && n->layers[i].gateup && n->layers[i].down;
  }
  if (ok) {
    n->head = sl_pack(isa, embed);
    n->embed = take((size_t)s->vocab * s->d);
    if (n->embed) memcpy(n->embed, embed->w, (size_t)s->vocab * s->d);
    n->embed_scale = copied(embed->scale, s->vocab);
    n->norm = copied(norm, s->d);
    n->rope = copied(rope, (size_t)s->positions * s->hd);
    ok = n->head && n->embed && n->embed_scale && n->norm && n->rope;
  }
  if (ok) return n;
  sl_net_free(n);
  return 0;
}

long sl_scratch(const sl_net *n) {
  long keys = 4 * ((long)n->s.positions + n->cap + 3), head = SL_HEAD_ROWS * (long)(SL_HEAD_WIDTH + n->isa->nr);
  return ((keys > head ? keys : head) + 15) / 16 * 16;
}

int sl_reserve(sl_net *n, int rows, int threads) {
  if (rows <= n->cap && threads <= n->threads) return SL_OK;
  const sl_shape *s = &n->s;
  int had = n->cap, cap = rows > n->cap ? rows : n->cap, th = threads > n->threads ? threads : n->threads;
  long nr = n->isa->nr, ad = (long)s->heads * s->hd;
  long qkv = n->layers[0].qkv->panels * nr, gu = n->layers[0].gateup->panels * nr;
  long wide = n->layers[0].o->panels * nr, deep = s->d > s->ff ? s->d : s->ff;
  if (ad > deep) deep = ad;
  n->cap = cap;
  long scratch = sl_scratch(n);
  n->cap = had;
  struct {
    void **p;
    size_t bytes;
  } all[] = {
      {(void **)&n->x, sizeof(float) * cap * s->d},
      {(void **)&n->h, sizeof(float) * cap * wide},
      {(void **)&n->y, sizeof(float) * cap * wide},
      {(void **)&n->qkv, sizeof(float) * cap * qkv},
      {(void **)&n->att, sizeof(float) * cap * ad},
      {(void **)&n->gu, sizeof(float) * cap * gu},
      {(void **)&n->scratch, sizeof(float) * th * scratch},
      {(void **)&n->qscale, sizeof(float) * cap},
      {(void **)&n->q, (size_t)cap * (deep + n->isa->kstep) * n->isa->qbytes},
      {(void **)&n->states, sizeof(sl_state) * SL_CHUNKS * cap},
  };
  enum { N = sizeof all / sizeof *all };
  void *fresh[N];
  for (int i = 0; i < N; i++)
    if (!(fresh[i] = take(all[i].bytes + 64))) {
      while (i > 0) free(fresh[--i]);
      return SL_NOMEM;
    }
  for (int i = 0; i < N; i++) {
    free(*all[i].p);
    *all[i].p = fresh[i];
  }
  n->cap = cap;
  n->threads = th;
  n->wide = wide;
  return SL_OK;
}

int sl_matmul_packed(const sl_packed *p, int m, const float *x, float *y, int repeat) {
  const sl_isa *s = p->isa;
  long ld = (long)p->panels * s->nr;
  char *q = take((size_t)m * p->kpad * s->qbytes);
  float *qs = take(sizeof(float) * m), *out = take(sizeof(float) * m * ld);
  int code = q && qs && out ? SL_OK : SL_NOMEM;
  for (int t = 0; code == SL_OK && t < repeat; t++) {
    for (int i = 0; i < m; i++) s->quantize(x + (long)i * p->cols, p->cols, p->kpad, q + (long)i * p->kpad * s->qbytes, qs + i);
    for (int j = 0; j < p->panels; j++) s->panel(p, j, q, qs, m, out + (long)j * s->nr, ld);
  }
  for (int i = 0; code == SL_OK && i < m; i++) memcpy(y + (long)i * p->rows, out + i * ld, sizeof(float) * p->rows);
  free(q);
  free(qs);
  free(out);
  return code;
}
