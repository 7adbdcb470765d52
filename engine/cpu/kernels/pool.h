#ifndef SEEDLING_CPU_POOL_H
#define SEEDLING_CPU_POOL_H
#include "kernels.h"
// Runs f(arg, worker) on every worker at once and returns when all are done.
void sl_pool_run(sl_pool *p, void (*f)(void *arg, int worker), void *arg);
int sl_pool_size(const sl_pool *p);
// A point that all workers of a running f must reach before any goes on.
void sl_pool_barrier(sl_pool *p, int worker);
#endif
