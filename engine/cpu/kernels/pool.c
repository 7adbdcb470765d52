// Threads of a forward pass. Workers sleep between passes (idle costs nothing); within
// a pass they meet at barriers, where they spin for a moment, since a phase is tens of
// microseconds, and yield after it, since on a busy machine the other worker may not
// be running at all.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "pool.h"

struct sl_pool {
  int n;
  pthread_t *threads;
  pthread_mutex_t lock;
  pthread_cond_t wake, done;
  unsigned long job; // number of the job that workers should run
  int running, stop;
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

static void *work(void *v) {
  worker w = *(worker *)v;
  free(v);
  sl_pool *p = w.p;
  unsigned long seen = 0;
  pthread_mutex_lock(&p->lock);
  for (;;) {
    while (p->job == seen && !p->stop) pthread_cond_wait(&p->wake, &p->lock);
    if (p->stop) break;
    seen = p->job;
    void (*f)(void *, int) = p->f;
    void *arg = p->arg;
    pthread_mutex_unlock(&p->lock);
    f(arg, w.id);
    pthread_mutex_lock(&p->lock);
    if (--p->running == 0) pthread_cond_signal(&p->done);
  }
  pthread_mutex_unlock(&p->lock);
  return 0;
}

sl_pool *sl_pool_new(int n) {
  sl_pool *p = calloc(1, sizeof *p);
  if (!p) return 0;
  p->n = 1;
  pthread_mutex_init(&p->lock, 0);
  pthread_cond_init(&p->wake, 0);
  pthread_cond_init(&p->done, 0);
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
  pthread_mutex_lock(&p->lock);
  p->stop = 1;
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
  for (int i = 1; i < p->n; i++) pthread_join(p->threads[i], 0);
  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->wake);
  pthread_cond_destroy(&p->done);
  free(p->threads);
  free(p);
}

int sl_pool_size(const sl_pool *p) { return p->n; }

void sl_pool_run(sl_pool *p, void (*f)(void *, int), void *arg) {
  if (p->n > 1) {
    pthread_mutex_lock(&p->lock);
    p->f = f;
    p->arg = arg;
    p->running = p->n - 1;
    p->job++;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
  }
  f(arg, 0);
  if (p->n > 1) {
    pthread_mutex_lock(&p->lock);
    while (p->running) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
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
  for (int spin = 0; atomic_load_explicit(&p->phase, memory_order_acquire) == phase; spin++) {
    if (spin < 4000)
      pause_cpu();
    else
      sched_yield();
  }
}
