// From running answers over slices of the vocabulary to what a row is told.
#include <math.h>
#include "net.h"

// Takes b, over later tokens, into a. The lower id of equals stays the best.
void sl_join(sl_state *a, const sl_state *b) {
  if (b->target > a->target) a->target = b->target;
  if (b->best < 0) return;
  if (a->best < 0) {
    float target = a->target;
    *a = *b;
    a->target = target;
    return;
  }
  if (b->top > a->top) {
    a->sum = a->sum * expf(a->top - b->top) + b->sum;
    int keep = b->second < 0 || a->top >= b->next; // a's best is the runner-up
    a->second = keep ? a->best : b->second;
    a->next = keep ? a->top : b->next;
    a->best = b->best;
    a->top = b->top;
    return;
  }
  a->sum += b->sum * expf(b->top - a->top);
  if (a->second < 0 || b->top > a->next) {
    a->second = b->best;
    a->next = b->top;
  }
}

// A row with no token left to say is told best -1 and a log-partition of -inf.
void sl_answer(const sl_state *s, sl_top *t) {
  *t = (sl_top){.best = s->best, .second = s->second, .logz = -INFINITY, .target_log = -INFINITY};
  if (s->best < 0) return;
  t->logz = s->top + logf(s->sum);
  t->prob = expf(s->top - t->logz);
  if (s->second >= 0) t->second_prob = expf(s->next - t->logz);
  if (s->target > SL_FORBIDDEN / 2) t->target_log = s->target - t->logz;
}
