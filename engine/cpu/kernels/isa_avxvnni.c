// AVX-VNNI: the same dot product on 32-byte vectors, for processors without AVX-512
// (Intel's client cores since 2021). A tile is up to 6 rows by 16 outputs: 12 sums, 2
// weights and a broadcast of the 16 registers. Not measured: no such machine was at hand.
#include "net.h"
#if SL_X86
#include <immintrin.h>
#include <math.h>
#pragma GCC target("avxvnni,avx2,fma")
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,no-signed-zeros,fp-contract=off")
#define ISA avxvnni
#define ISA_NAME "avxvnni"
#define VL 8
#define FMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define NV 2
#define MR 6
#define FOUR(x, p) __asm__ volatile("vpbroadcastd %1, %0" : "=x"(x) : "m"(*(const int(*))(p)))
#define DOT(acc, x, w) __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(x), "x"(w))
#include "simd.h"
#include "rows.h"
#include "attention.h"
#include "head.h"
#include "vnni.h"
#include "table.h"
#endif
