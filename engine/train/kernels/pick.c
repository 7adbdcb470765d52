// Run-time dispatch: the widest table that processor and system can run.
#include <string.h>
#include "kernels.h"
#if defined(__x86_64__)
#include <cpuid.h>

// CPUID leaf 7, subleaf 1, EAX bit 5. Asked directly, since compilers differ in whether
// __builtin_cpu_supports knows it; that the system saves the registers it does know.
static int has_bf16(void) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 &&
         __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

// XCR0 bits of SSE, AVX and the three states of AVX-512: without them the system loses
// registers at a task switch, or faults.
static int saves_zmm(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0; // OSXSAVE
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return (a & 0xe6) == 0xe6;
}
#endif

const sl_ops *sl_have(int i) {
  const sl_ops *have[4];
  int n = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && saves_zmm()) {
    if (has_bf16()) have[n++] = &sl_ops_avx512bf16;
    have[n++] = &sl_ops_avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) have[n++] = &sl_ops_avx2;
#endif
  have[n++] = &sl_ops_base;
  return i < n ? have[i] : 0;
}

const sl_ops *sl_pick(const char *name) {
  const sl_ops *o;
  for (int i = 0; (o = sl_have(i)); i++)
    if (!name || !*name || !strcmp(o->name, name)) return o;
  return 0;
}
