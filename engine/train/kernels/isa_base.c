// The trainer's kernels for any processor (the compiler's baseline: SSE2, NEON).
#include <math.h>
#include "kernels.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,associative-math,no-signed-zeros")
#define FN_(x, y) x##_##y
#define FN__(x, y) FN_(x, y)
#define FN(x) FN__(x, base)
#define VL 4
#define NV 2
#define MR 4
#include "gemm.h"
#include "ops.h"
#include "attention.h"
#include "table.h"
SL_TABLE(sl_ops_base, "base", FN(gemm), FN(peak), "fp32");
