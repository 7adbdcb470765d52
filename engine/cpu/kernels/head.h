// The head's reduction: logits are folded into running answers and forgotten.

// Folds the logits l [n] of the tokens base.. into s. Forbidden tokens come as
// SL_FORBIDDEN and weigh nothing. Of equals the first is the best, so slices must come in
// the order of the vocabulary.
static void FN(fold)(int n, int base, const float *l, int target, sl_state *s) {
  int whole = n / VL * VL;
  float m = SL_FORBIDDEN;
  vf most = (vf){0} + m;
  for (int i = 0; i < whole; i += VL) most = FN(pick)(FN(load)(l + i) > most, FN(load)(l + i), most);
  for (int i = 0; i < VL; i++) m = most[i] > m ? most[i] : m;
  for (int i = whole; i < n; i++) m = l[i] > m ? l[i] : m;
  if (m <= SL_FORBIDDEN / 2) return; // nothing here may be said
  if (m > s->next || s->second < 0) { // a handful of slices hold a new leader
    for (int i = 0; i < n; i++) {
      if (l[i] <= SL_FORBIDDEN / 2) continue;
      if (s->best < 0 || l[i] > s->top) {
        s->sum = s->best < 0 ? 0 : s->sum * FN(exp)(s->top - l[i]);
        s->second = s->best;
        s->next = s->top;
        s->best = base + i;
        s->top = l[i];
      } else if (s->second < 0 || l[i] > s->next) {
        s->second = base + i;
        s->next = l[i];
      }
    }
  }
  float sum = 0, top = s->top;
  vf part = {0};
  for (int i = 0; i < whole; i += VL) part += FN(vexp)(FN(load)(l + i) - top); // of the forbidden: 1e-38
  for (int i = 0; i < VL; i++) sum += part[i];
  for (int i = whole; i < n; i++) sum += FN(exp)(l[i] - top);
  s->sum += sum;
  if (target >= base && target < base + n) s->target = l[target - base];
}
