// The AVX-512 kernels without AVX-512: the compiler takes 64-byte vectors apart.
#if defined(SEEDLING_SIMDE)
#include <simde/x86/avx512.h>
#endif
#include <math.h>
#include "../kernels.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#define FN_(x, y) x##_##y
#define FN__(x, y) FN_(x, y)
#define FN(x) FN__(x, emulated)
#include "../shape_avx512.h"
#include "../table.h"
SL_TABLE(sl_ops_emulated, "avx512 emulated", FN(gemm), FN(peak), "fp32");

#if defined(SEEDLING_SIMDE)
#define DOT(c, a, b) \
  ((vf)simde_mm512_dpbf16_ps((simde__m512)(c), (simde__m512bh)(a), (simde__m512bh)(b)))
#else
// vdpbf16ps: a bf16 is the upper half of a float; the odd products are added first.
// (The instruction also takes denormals for zero, which this does not.)
#define DOT(c, a, b)                                                        \
  ({                                                                        \
    vu dot_a_ = (a), dot_b_ = (b);                                          \
    (c) + (vf)(dot_a_ & 0xffff0000u) * (vf)(dot_b_ & 0xffff0000u) +         \
        (vf)(dot_a_ << 16) * (vf)(dot_b_ << 16);                            \
  })
#endif
#include "../gemm_bf16.h"
SL_TABLE(sl_ops_emulated_bf16, "avx512bf16 emulated", FN(gemm_bf16), FN(peak_bf16), "bf16");
