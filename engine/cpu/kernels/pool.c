// Threads of a forward pass. Whoever waits (for a job, at a barrier within one, for the
// last worker) spins for some 40 µs, for a phase is tens of microseconds and the next step
// of a canvas follows soon, then sleeps: idle costs nothing.
//
// Tried, on two cores that a trainer of the lowest priority kept busy, passes of 8 canvas
// rows: spinning long, 22 ms (the other worker waits for this core); sched_yield after the
// spin, 6.2 ms (it gives a whole slice to the trainer); sleeping, 4.7 ms. Alone: 1.1 ms.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "pool.h"

struct sl_pool {
  int n;
  pthread_t *threads;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  atomic_ulong job; // number of the job that workers should run; moves under lock
  atomic_int stop;
  atomic_uint running;
  void (*f)(void *, int);
  void *arg;
  pthread_mutex_t meet; // of those who wait within a job
  pthread_cond_t met;
  atomic_int sleepers, waiting;
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

// Waits until *v is no longer old: spins, then sleeps until the one who changes it wakes
// all sleepers.
static void wait_for(sl_pool *p, atomic_uint *v, unsigned old) {
  for (int spin = 0; spin < SPINS; spin++) {
    if (atomic_load_explicit(v, memory_order_acquire) != old) return;
    pause_cpu();
  }
  pthread_mutex_lock(&p->meet);
  atomic_fetch_add(&p->sleepers, 1);
  while (atomic_load(v) == old) pthread_cond_wait(&p->met, &p->meet);
  atomic_fetch_sub(&p->sleepers, 1);
  pthread_mutex_unlock(&p->meet);
}

// Called after the change, which must be sequentially consistent, as the count is: either
// the changer sees a sleeper, or who goes to sleep sees the change.
static void wake_all(sl_pool *p) {
  if (atomic_load(&p->sleepers) == 0) return;
  pthread_mutex_lock(&p->meet);
  pthread_cond_broadcast(&p->met);
  pthread_mutex_unlock(&p->meet);
}

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
    atomic_fetch_sub(&p->running, 1);
    wake_all(p);
  }
}

static void post(sl_pool *p) {
  pthread_mutex_lock(&p->lock);
  atomic_fetch_add_explicit(&p->job, 1, memory_order_release);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
}

sl_pool *sl_pool_new(int n) {
  sl_pool *p = calloc(1, sizeof *p);
  if (!p) return 0;
  p->n = 1;
  pthread_mutex_init(&p->lock, 0);
  pthread_mutex_init(&p->meet, 0);
  pthread_cond_init(&p->wake, 0);
  pthread_cond_init(&p->met, 0);
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
  pthread_mutex_destroy(&p->meet);
  pthread_cond_destroy(&p->wake);
  pthread_cond_destroy(&p->met);
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
  for (unsigned left; (left = atomic_load_explicit(&p->running, memory_order_acquire)) > 0;) wait_for(p, &p->running, left);
}

void sl_pool_barrier(sl_pool *p, int id) {
  (void)id;
  if (p->n == 1) return;
  unsigned phase = atomic_load_explicit(&p->phase, memory_order_acquire);
  if (atomic_fetch_add_explicit(&p->waiting, 1, memory_order_acq_rel) == p->n - 1) {
    atomic_store_explicit(&p->waiting, 0, memory_order_relaxed);
    atomic_fetch_add(&p->phase, 1);
    wake_all(p);
    return;
  }
  wait_for(p, &p->phase, phase);
}
