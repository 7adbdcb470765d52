// Which instruction sets the processor runs, and the peaks that belong to none.
// __builtin_cpu_supports also asks whether the operating system saves the registers (XCR0).
#include "net.h"
#include <string.h>
#if SL_X86
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

extern const sl_isa sl_isa_portable;
#if SL_X86
extern const sl_isa sl_isa_avx512vnni, sl_isa_avxvnni, sl_isa_avx2;
#elif defined(__aarch64__)
extern const sl_isa sl_isa_neondot;
#endif

enum { MOST = 8 };
static const sl_isa *registered[MOST];

int sl_isa_register(const void *isa) {
  for (int i = 0; i < MOST; i++) {
    if (registered[i] == isa) return SL_OK;
    if (!registered[i]) {
      registered[i] = isa;
      return SL_OK;
    }
  }
  return SL_NOISA;
}

const sl_isa *sl_isa_find(const char *name) {
#if SL_X86
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (!strcmp(name, "avx512vnni") && avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni"))
    return &sl_isa_avx512vnni;
  if (!strcmp(name, "avxvnni") && avx2) { // gcc 12 cannot ask for it: leaf 7.1, EAX bit 4
    unsigned a = 0, b, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1))
      return &sl_isa_avxvnni;
  }
  if (!strcmp(name, "avx2") && avx2) return &sl_isa_avx2;
#elif defined(__aarch64__)
  if (!strcmp(name, "neondot")) {
#if defined(__linux__)
    if (getauxval(AT_HWCAP) >> 20 & 1) return &sl_isa_neondot; // HWCAP_ASIMDDP
#elif defined(__APPLE__)
    return &sl_isa_neondot; // every arm64 Mac
#endif
  }
#endif
  if (!strcmp(name, "portable")) return &sl_isa_portable;
  for (int i = 0; i < MOST && registered[i]; i++)
    if (!strcmp(name, registered[i]->name)) return registered[i];
  return 0;
}

int sl_isa_ok(const char *isa) { return sl_isa_find(isa) != 0; }

double sl_peak_int8(const char *isa, long iters) {
  const sl_isa *s = sl_isa_find(isa);
  return s ? s->peak_int8(iters) : 0;
}

double sl_peak_fp32(const char *isa, long iters) {
  const sl_isa *s = sl_isa_find(isa);
  return s ? s->peak_fp32(iters) : 0;
}

#if SL_X86
__attribute__((target("avx512f,avx512bf16"))) static double bf16(long iters) {
  typedef int v16 __attribute__((vector_size(64)));
  v16 a[24], x = {0};
#pragma GCC unroll 24
  for (int j = 0; j < 24; j++) a[j] = x;
  for (long i = 0; i < iters; i++) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; j++) __asm__ volatile("vdpbf16ps %1, %1, %0" : "+v"(a[j]) : "v"(x));
  }
  int s = 0;
#pragma GCC unroll 24
  for (int j = 0; j < 24; j++) s += a[j][0];
  return (double)iters * 24 * 64 + (s == 12345);
}
#endif

double sl_peak_bf16(long iters) {
#if SL_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16")) return bf16(iters);
#endif
  (void)iters;
  return 0;
}

double sl_read_bytes(const void *p, long n) {
  const uint64_t *q = p;
  uint64_t s[8] = {0};
  for (long i = 0; i + 8 <= n / 8; i += 8)
    for (int j = 0; j < 8; j++) s[j] += q[i + j];
  uint64_t t = 0;
  for (int j = 0; j < 8; j++) t += s[j];
  return (double)n + (t == 12345);
}
