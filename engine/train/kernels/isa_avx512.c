// The trainer's kernels for AVX-512.
#if defined(__x86_64__)
#include <math.h>
#include "kernels.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,prefer-vector-width=512")
#define FN_(x, y) x##_##y
#define FN__(x, y) FN_(x, y)
#define FN(x) FN__(x, avx512)
#define ISA_NAME "avx512"
#define VL 16
#define NV 2
#define MR 12
#include "gemm.inc"
#include "ops.inc"
#include "attention.inc"
#include "table.inc"
#endif
