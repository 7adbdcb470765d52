// Threads of a forward pass. After one they spin for some 50 µs, in case the next follows
// (the steps of a canvas do), then sleep: idle costs nothing. Within a pass they meet at
// barriers, where they spin for a moment, since a phase is tens of microseconds, and
// yield after it, since on a busy machine the other worker may not be running at all.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "pool.h"

struct sl_pool {
  int n;
  pthread_t *threads;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  atomic_ulong job; // number of the job that workers should run; moves under lock
  atomic_int running, stop;
  void (*f)(void *, int);
  void *arg;
  atomic_int waiting;
  atomic_uint phase;
};

typedef struct {
  sl_pool *p;
  int id;
} worker;

static inline void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

enum { SPINS = 1000 }; // a pause is some 40 ns

static void *work(void *v) {
  worker w = *(worker *)v;
  free(v);
  sl_pool *p = w.p;
  unsigned long seen = 0;
  for (;;) {
    for (int i = 0; i < SPINS && atomic_load_explicit(&p->job, memory_order_acquire) == seen; i++) pause_cpu();
    if (atomic_load_explicit(&p->job, memory_order_acquire) == seen) {
      pthread_mutex_lock(&p->lock);
      while (atomic_load(&p->job) == seen) pthread_cond_wait(&p->wake, &p->lock);
      pthread_mutex_unlock(&p->lock);
    }
    if (atomic_load(&p->stop)) return 0;
    seen++; // the caller waits for all before it posts another
    p->f(p->arg, w.id);
    atomic_fetch_sub_explicit(&p->running, 1, memory_order_release);
  }
}

static void post(sl_pool *p) {
  pthread_mutex_lock(&p->lock);
  atomic_fetch_add_explicit(&p->job, 1, memory_order_release);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
}

static void wait_for(const atomic_uint *v, unsigned old) {
  for (int spin = 0; atomic_load_explicit(v, memory_order_acquire) == old; spin++) {
    if (spin < SPINS)
      pause_cpu();
    else
      sched_yield();
  }
}

sl_pool *sl_pool_new(int n) {
  sl_pool *p = calloc(1, sizeof *p);
  if (!p) return 0;
  p->n = 1;
  pthread_mutex_init(&p->lock, 0);
  pthread_cond_init(&p->wake, 0);
  p->threads = calloc(n > 0 ? n : 1, sizeof *p->threads);
  for (int i = 1; p->threads && i < n; i++) { // fewer threads than asked for still work
    worker *w = malloc(sizeof *w);
    if (!w) break;
    *w = (worker){p, i};
    if (pthread_create(&p->threads[i], 0, work, w)) {
      free(w);
      break;
    }
    p->n++;
  }
  return p;
}

void sl_pool_free(sl_pool *p) {
  if (!p) return;
  atomic_store(&p->stop, 1);
  post(p);
  for (int i = 1; i < p->n; i++) pthread_join(p->threads[i], 0);
  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->wake);
  free(p->threads);
  free(p);
}

int sl_pool_size(const sl_pool *p) { return p->n; }

void sl_pool_run(sl_pool *p, void (*f)(void *, int), void *arg) {
  if (p->n > 1) {
    p->f = f;
    p->arg = arg;
    atomic_store_explicit(&p->running, p->n - 1, memory_order_relaxed);
    post(p);
  }
  f(arg, 0);
  for (int spin = 0; atomic_load_explicit(&p->running, memory_order_acquire) > 0; spin++) {
    if (spin < SPINS)
      pause_cpu();
    else
      sched_yield();
  }
}

void sl_pool_barrier(sl_pool *p, int id) {
  (void)id;
  if (p->n == 1) return;
  unsigned phase = atomic_load_explicit(&p->phase, memory_order_acquire);
  if (atomic_fetch_add_explicit(&p->waiting, 1, memory_order_acq_rel) == p->n - 1) {
    atomic_store_explicit(&p->waiting, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->phase, 1, memory_order_acq_rel);
    return;
  }
  wait_for(&p->phase, phase);
}
