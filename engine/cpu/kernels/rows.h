// Operators on one row of float32, no alignment asked: RMS norm, rotary angles, SwiGLU,
// and the embedding's lookup. y may be x in rms; swiglu's h may be g; nothing else may
// overlap.

// y[i] = x[i] / sqrt(mean x² + eps) · w[i], i < d.
static void FN(rms)(const float *x, int d, const float *w, float eps, float *y) {
  vf a = {0}, b = {0};
  int k = 0;
  for (; k + 2 * VL <= d; k += 2 * VL) {
    a = FMA(FN(load)(x + k), FN(load)(x + k), a);
    b = FMA(FN(load)(x + k + VL), FN(load)(x + k + VL), b);
  }
  v4 four = FN(quarter)(a + b);
  float s = (four[0] + four[2]) + (four[1] + four[3]);
  for (; k < d; k++) s += x[k] * x[k];
  float inv = 1.0f / sqrtf(s / (float)d + eps);
  for (int i = 0; i < d; i++) y[i] = x[i] * inv * w[i];
}

// Turns the pairs (i, i + hd/2) of each head of x [heads, hd] in place; cs [hd] holds the
// position's cosines, then its sines.
static void FN(rope)(float *x, int heads, int hd, const float *cs) {
  int h2 = hd / 2;
  for (int h = 0; h < heads; h++) {
    float *a = x + h * hd, *b = a + h2;
    for (int i = 0; i < h2; i++) {
      float u = a[i], v = b[i];
      a[i] = u * cs[i] - v * cs[h2 + i];
      b[i] = v * cs[i] + u * cs[h2 + i];
    }
  }
}

// h[i] = silu(g[i]) · u[i], i < n.
static void FN(swiglu)(int n, const float *g, const float *u, float *h) {
  int i = 0;
  for (; i + VL <= n; i += VL) {
    vf x = FN(load)(g + i);
    *(vf *)(h + i) = x / (1.0f + FN(vexp)(-x)) * FN(load)(u + i);
  }
  for (; i < n; i++) h[i] = g[i] / (1.0f + FN(exp)(-g[i])) * u[i];
}

// y[i] = scale·w[i], or y[i] += with add.
static void FN(dequant)(const int8_t *w, float scale, int n, float *y, int add) {
  if (add)
    for (int i = 0; i < n; i++) y[i] += scale * (float)w[i];
  else
    for (int i = 0; i < n; i++) y[i] = scale * (float)w[i];
}
