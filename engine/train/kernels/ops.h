// Row operators: norms, RoPE, SwiGLU, cross entropy, optimizer. Plain loops that the
// compiler vectorises for each instruction set.

// exp by 2^x, clamped outside [-87, 88]: relative error under 5e-7. Without fused
// multiply-adds (the baseline of x86) the compiler adds up the two halves of log 2
// before it multiplies, which associative-math allows it: 5e-6 at the ends, a rounding
// of x itself near 0. __builtin_assoc_barrier does not stop gcc 12, asm stops vectors.
static inline __attribute__((always_inline)) float FN(exp)(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  float t = x * 1.44269504088896341f;
  int i = (int)(t + (t < 0 ? -0.5f : 0.5f));
  float f = (x - (float)i * 0.693145751953125f) - (float)i * 1.42860677e-6f;
  float p = 1.0f + f * (1.0f + f * (0.5f + f * (0.166666667f + f * (0.0416666667f + f * (0.00833333333f + f * 0.00138888889f)))));
  union {
    int i;
    float f;
  } s = {.i = (i + 127) << 23};
  return p * s.f;
}

static void FN(rms_fwd)(int n, int d, const float *x, long xs, const float *w, float eps,
                        float *y, long ys, float *inv) {
  for (int r = 0; r < n; r++) {
    const float *p = x + r * xs;
    float *o = y + r * ys, s = 0;
    for (int i = 0; i < d; i++) s += p[i] * p[i];
    float v = 1.0f / sqrtf(s / (float)d + eps);
    inv[r] = v;
    for (int i = 0; i < d; i++) o[i] = p[i] * v * w[i];
  }
}

// With n = x·inv: dx = inv·(w·dy − n·mean(w·dy·n)), dw = Σ dy·n.
static void FN(rms_bwd)(int n, int d, const float *x, long xs, const float *w,
                        const float *inv, const float *dy, long dys, float *dx, long dxs,
                        int acc, float *dw) {
  for (int r = 0; r < n; r++) {
    const float *p = x + r * xs, *g = dy + r * dys;
    float *o = dx + r * dxs, v = inv[r], s = 0;
    for (int i = 0; i < d; i++) s += w[i] * g[i] * p[i];
    s *= v * v / (float)d;
    for (int i = 0; i < d; i++) dw[i] += g[i] * p[i] * v;
    if (acc)
      for (int i = 0; i < d; i++) o[i] += v * (w[i] * g[i] - p[i] * s);
    else
      for (int i = 0; i < d; i++) o[i] = v * (w[i] * g[i] - p[i] * s);
  }
}

static void FN(rope)(int n, int heads, int D, float *x, const int *pos, const float *cs,
                     float sign) {
  int h2 = D / 2;
  for (int r = 0; r < n; r++) {
    const float *c = cs + (long)pos[r] * D, *s = c + h2;
    for (int h = 0; h < heads; h++) {
      float *a = x + ((long)r * heads + h) * D, *b = a + h2;
      for (int i = 0; i < h2; i++) {
        float u = a[i], v = b[i], sn = sign * s[i];
        a[i] = u * c[i] - v * sn;
        b[i] = v * c[i] + u * sn;
      }
    }
  }
}

static void FN(swiglu_fwd)(long n, const float *gate, const float *up, float *h) {
  for (long i = 0; i < n; i++) h[i] = gate[i] / (1.0f + FN(exp)(-gate[i])) * up[i];
}

static void FN(swiglu_bwd)(long n, float *gate, float *up, const float *dh) {
  for (long i = 0; i < n; i++) {
    float g = gate[i], u = up[i], e = dh[i];
    float s = 1.0f / (1.0f + FN(exp)(-g)), t = g * s;
    up[i] = e * t;
    gate[i] = e * u * (s + t * (1.0f - s));
  }
}

static void FN(cross_entropy)(int n, int V, float *logits, const int *target,
                              const float *w, int forbid, float *loss, int *best) {
  for (int r = 0; r < n; r++) {
    float *l = logits + (long)r * V;
    if (forbid >= 0) l[forbid] = -1e30f;
    float m = l[0];
    for (int i = 1; i < V; i++) m = l[i] > m ? l[i] : m;
    int b = 0;
    while (l[b] != m && b < V - 1) b++;
    best[r] = b;
    float t = l[target[r]], s = 0;
    for (int i = 0; i < V; i++) {
      float e = FN(exp)(l[i] - m);
      l[i] = e;
      s += e;
    }
    if (forbid >= 0) s -= l[forbid], l[forbid] = 0;
    loss[r] = logf(s) + m - t;
    float k = w[r] / s;
    for (int i = 0; i < V; i++) l[i] *= k;
    l[target[r]] -= w[r];
  }
}

static void FN(add)(long n, float *y, const float *x) {
  for (long i = 0; i < n; i++) y[i] += x[i];
}
static void FN(scale)(long n, float *y, float s) {
  for (long i = 0; i < n; i++) y[i] *= s;
}
static void FN(axpby)(long n, float *y, float a, const float *x, float b) {
  for (long i = 0; i < n; i++) y[i] = a * x[i] + b * y[i];
}
static double FN(sumsq)(long n, const float *x) {
  double t = 0;
  for (long i = 0; i < n; i += 4096) {
    long e = n - i < 4096 ? n : i + 4096;
    float s = 0;
    for (long j = i; j < e; j++) s += x[j] * x[j];
    t += s;
  }
  return t;
}

static void FN(adamw)(long n, float *w, const float *g, float *m, float *v, float lr,
                      float b1, float b2, float c1, float c2, float eps, float wd) {
  float k = 1.0f - lr * wd;
  for (long i = 0; i < n; i++) {
    m[i] = b1 * m[i] + (1.0f - b1) * g[i];
    v[i] = b2 * v[i] + (1.0f - b2) * g[i] * g[i];
    w[i] = k * w[i] - lr * (m[i] / c1) / (sqrtf(v[i] / c2) + eps);
  }
}

// Twelve independent chains of fused multiply-adds: what the units can do at most.
static double FN(peak)(long iters) {
  vf a[12], x, y;
  for (int i = 0; i < VL; i++) x[i] = 0.999f, y[i] = 1e-6f;
  __asm__ volatile("" : "+m"(x), "+m"(y)); // their values are unknown to the compiler
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) a[j] = y * (float)(j + 1);
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; j++) a[j] = a[j] * x + y;
  }
  float s = 0;
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) s += a[j][0];
  return (double)iters * 12 * VL * 2 + (s > 1e30f);
}
