// vpdpbusd without the instruction: acc += Σ₄ u8(x)·s8(w) in each lane.
#ifndef SEEDLING_CPU_EMULATED_DOT_H
#define SEEDLING_CPU_EMULATED_DOT_H
#define FOUR(x, p)                          \
  do {                                      \
    int four_;                              \
    __builtin_memcpy(&four_, p, 4);         \
    (x) = (vi){0} + four_;                  \
  } while (0)
#if defined(SEEDLING_SIMDE)
#include <simde/x86/avx512.h>
#if VL == 16
#define DOT(acc, x, w) ((acc) = (vi)simde_mm512_dpbusd_epi32((simde__m512i)(acc), (simde__m512i)(x), (simde__m512i)(w)))
#else
#define DOT(acc, x, w) ((acc) = (vi)simde_mm256_dpbusd_epi32((simde__m256i)(acc), (simde__m256i)(x), (simde__m256i)(w)))
#endif
#else
#define BYTES(acc, x, w, at) ((acc) += (((x) >> (at)) & 0xff) * (((w) << (24 - (at))) >> 24))
#define DOT(acc, x, w)       \
  do {                       \
    BYTES(acc, x, w, 0);     \
    BYTES(acc, x, w, 8);     \
    BYTES(acc, x, w, 16);    \
    BYTES(acc, x, w, 24);    \
  } while (0)
#endif
#endif
