// A source, not an interface: included once for each instruction set. (It is called .h so
// that the go command sees when it changes.)
//
// What every kernel file needs, for one instruction set: names that carry the set's own
// (FN), vectors of VL floats, exp. Include it after defining ISA and VL.
//
// Loops written plainly are left to the compiler's vectoriser. It may not reorder sums nor
// fuse multiply-adds (the sets' pragma): the copies of a tile for different numbers of
// rows must agree to the last bit. So sums are spelled out in vectors.
#define FN_(x, y) x##_##y
#define FN__(x, y) FN_(x, y)
#define FN(x) FN__(x, ISA)
#define INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int vi __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));

INLINE v4 FN(max4)(v4 a, v4 b) {
  typedef int i4 __attribute__((vector_size(16)));
  i4 m = a > b;
  return (v4)(((i4)a & m) | ((i4)b & ~m));
}

// a·b + c, fused where the set says so. The compiler fuses nothing by itself (the sets
// switch fp-contract off): what it fuses depends on the code around, and then the variants
// of one tile would differ in the last bit.
#ifndef FMA
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

INLINE vf FN(load)(const float *p) { return *(const vf *)p; }

// The same of bfloat16, whose values are the upper halves of floats.
INLINE vf FN(load16)(const uint16_t *p) {
  typedef uint16_t half __attribute__((vector_size(VL * 2), aligned(2), may_alias));
  typedef uint32_t whole __attribute__((vector_size(VL * 4)));
  return (vf)(__builtin_convertvector(*(const half *)p, whole) << 16);
}

INLINE v4 FN(four16)(const uint16_t *p) {
  typedef uint16_t half __attribute__((vector_size(8), aligned(2), may_alias));
  typedef uint32_t whole __attribute__((vector_size(16)));
  return (v4)(__builtin_convertvector(*(const half *)p, whole) << 16);
}

// exp by 2^x: relative error under 3e-7 on [-87, 88], clamped outside.
INLINE float FN(exp)(float x) {
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

INLINE vf FN(pick)(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

// The same, VL at a time; the compiler does not vectorise it by itself.
INLINE vf FN(vexp)(vf x) {
  const vf half = (vf){0} + 0.5f;
  x = FN(pick)(x < -87.0f, (vf){0} - 87.0f, x);
  x = FN(pick)(x > 88.0f, (vf){0} + 88.0f, x);
  vf t = x * 1.44269504088896341f;
  vi i = __builtin_convertvector(t + (vf)(((vi)t & (-2147483647 - 1)) | (vi)half), vi);
  vf n = __builtin_convertvector(i, vf);
  vf f = (x - n * 0.693145751953125f) - n * 1.42860677e-6f, one = (vf){0} + 1.0f;
  vf p = FMA(f, (vf){0} + 0.00138888889f, (vf){0} + 0.00833333333f);
  p = FMA(f, p, (vf){0} + 0.0416666667f);
  p = FMA(f, p, (vf){0} + 0.166666667f);
  p = FMA(f, p, half);
  p = FMA(f, p, one);
  p = FMA(f, p, one);
  return p * (vf)((i + 127) << 23);
}

// The sum of a vector's lanes, VL to 4: lane l of the result is Σ of lanes ≡ l mod 4.
INLINE v4 FN(quarter)(vf a) {
#if VL == 16
  typedef float v8 __attribute__((vector_size(32)));
  v8 b = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
#elif VL == 8
  return __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
#else
  return a;
#endif
}

// {Σa, Σb, Σc, Σd}, each in the same order of additions.
INLINE v4 FN(sum4)(v4 a, v4 b, v4 c, v4 d) {
  v4 s = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  v4 t = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(s, t, 0, 1, 4, 5) + __builtin_shufflevector(s, t, 2, 3, 6, 7);
}
