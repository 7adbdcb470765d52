// AVX-512 with VNNI. A tile is up to 8 rows by 48 outputs: 24 sums, 3 weights and a
// broadcast of the 32 registers (measured on Zen 5: 882-894 Gop/s a core; 12×32 825, 6×64
// 830, 16×16 647).
#include "net.h"
#if SL_X86
#include <immintrin.h>
#include <math.h>
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,prefer-vector-width=512")
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,no-signed-zeros,fp-contract=off")
#define ISA avx512vnni
#define ISA_NAME "avx512vnni"
#define VL 16
#define FMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define NV 3
#define MR 8
#define FOUR(x, p) __asm__ volatile("vpbroadcastd %1, %0" : "=v"(x) : "m"(*(const int(*))(p)))
#define DOT(acc, x, w) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w))
#include "simd.h"
#include "rows.h"
#include "attention.h"
#include "head.h"
#include "vnni.h"
#include "table.h"
#endif
