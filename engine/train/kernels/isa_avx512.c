// The trainer's kernels for AVX-512: a table in fp32 and one whose GEMM takes bf16.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include "kernels.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,prefer-vector-width=512")
#define FN_(x, y) x##_##y
#define FN__(x, y) FN_(x, y)
#define FN(x) FN__(x, avx512)
#include "shape_avx512.h"
#include "table.h"
SL_TABLE(sl_ops_avx512, "avx512", FN(gemm), FN(peak), "fp32");

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,prefer-vector-width=512")
#define DOT(c, a, b) ((vf)_mm512_dpbf16_ps((__m512)(c), (__m512bh)(a), (__m512bh)(b)))
#include "gemm_bf16.h"
#pragma GCC pop_options
SL_TABLE(sl_ops_avx512bf16, "avx512bf16", FN(gemm_bf16), FN(peak_bf16), "bf16");
#endif
