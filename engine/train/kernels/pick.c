// Run-time dispatch: the widest table that processor and system can run.
#include <string.h>
#include "kernels.h"

const sl_ops *sl_pick(const char *name) {
  const sl_ops *have[3];
  int n = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    have[n++] = &sl_ops_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) have[n++] = &sl_ops_avx2;
#endif
  have[n++] = &sl_ops_base;
  if (!name || !*name) return have[0];
  for (int i = 0; i < n; i++)
    if (!strcmp(have[i]->name, name)) return have[i];
  return 0;
}
