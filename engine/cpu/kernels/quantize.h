// Packing of weights and quantization of activations. The set defines NR outputs a panel,
// KSTEP depths side by side, OFFSET of its activations, and the types wtype and qtype of
// packed weights and activations.
//
// A panel is [kpad/KSTEP][NR][KSTEP] weights, zero beyond rows and cols; panels are
// 64-byte aligned as a whole, activation rows are not.
static void FN(pack)(const sl_matrix *w, sl_packed *p) {
  FN(wtype) *out = p->data; // written from front to back: a server waits for this when it starts
  const int whole = w->cols / KSTEP * KSTEP;
  for (int first = 0; first < p->panels * NR; first += NR) {
    const int rows = w->rows - first < NR ? w->rows - first : NR;
    const int8_t *from = w->w + (long)first * w->cols;
    for (int k = 0; k < p->kpad; k += KSTEP) {
      const int steps = k < whole ? KSTEP : w->cols - k;
      for (int r = 0; r < rows; r++, out += KSTEP) {
        const int8_t *v = from + (long)r * w->cols + k;
        if (steps == KSTEP)
          for (int i = 0; i < KSTEP; i++) out[i] = v[i];
        else
          for (int i = 0; i < KSTEP; i++) out[i] = i < steps ? v[i] : 0;
      }
      for (int i = 0; i < (NR - rows) * KSTEP; i++) *out++ = 0;
    }
    for (int r = 0; r < NR; r++) {
      const int8_t *v = from + (long)r * w->cols;
      int32_t sum = 0;
      for (int k = 0; r < rows && k < w->cols; k++) sum += v[k];
      p->sum[first + r] = sum;
      p->scale[first + r] = r < rows ? w->scale[first + r] : 0;
    }
  }
}

// q[i] = x[i]·(127/max|x|) rounded half away from zero, + OFFSET; scale = max|x|/127. A row
// of zeros has scale 0. No fused multiply-add here: every instruction set must come to
// the same integers.
static void FN(quantize)(const float *x, int k, int kpad, void *out, float *scale) {
  FN(qtype) *q = out;
  float m = 0;
  vf most = {0};
  int whole = k / VL * VL;
  for (int i = 0; i < whole; i += VL) {
    vf a = (vf)((vi)FN(load)(x + i) & 0x7fffffff);
    most = FN(pick)(a > most, a, most);
  }
  for (int i = 0; i < VL; i++) m = most[i] > m ? most[i] : m;
  for (int i = whole; i < k; i++) {
    float a = x[i] < 0 ? -x[i] : x[i];
    m = a > m ? a : m;
  }
  *scale = m / 127.0f;
  // Below the normal numbers 127/m is no number any more: such a row counts as zeros.
  float inv = m > 1e-36f ? 127.0f / m : 0;
  for (int i = 0; i < k; i++) {
    float v = x[i] * inv;
    q[i] = (FN(qtype))((int)(v + (v < 0 ? -0.5f : 0.5f)) + OFFSET);
  }
  for (int i = k; i < kpad; i++) q[i] = OFFSET;
}

// Multiply-adds of VL floats, twelve at a time, in registers.
static double FN(peak_fp32)(long iters) {
  vf a[12], x, y;
  for (int i = 0; i < VL; i++) x[i] = 0.999f, y[i] = 1e-6f;
  __asm__ volatile("" : "+m"(x), "+m"(y)); // their values are unknown to the compiler
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) a[j] = y * (float)(j + 1);
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; j++) a[j] = FMA(a[j], x, y);
  }
  float s = 0;
#pragma GCC unroll 12
  for (int j = 0; j < 12; j++) s += a[j][0];
  return (double)iters * 12 * VL * 2 + (s > 1e30f);
}
