// The trainer's kernels for AVX2 with FMA.
#if defined(__x86_64__)
#include <math.h>
#include "kernels.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#pragma GCC target("avx2,fma")
#define FN_(x, y) x##_##y
#define FN__(x, y) FN_(x, y)
#define FN(x) FN__(x, avx2)
#define VL 8
#define NV 2
#define MR 6
#include "gemm.h"
#include "ops.h"
#include "attention.h"
#include "table.h"
SL_TABLE(sl_ops_avx2, "avx2", FN(gemm), FN(peak), "fp32");
#endif
