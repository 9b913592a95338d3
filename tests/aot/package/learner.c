/* Trains on the caller's copy of the weights; 0 if the loss falls. */
#include <string.h>

#include "learner_weights.h"

enum { kSteps = 8, kRows = 2 };

static LEARNER_ALIGNED unsigned char weights[LEARNER_WEIGHTS_BYTES], optimizer[LEARNER_OPTIMIZER_BYTES];
static LEARNER_ALIGNED unsigned char prepared[LEARNER_PREPARED_BYTES], state[LEARNER_STATE_BYTES(kRows)];
static LEARNER_ALIGNED unsigned char scratch[LEARNER_TRAIN_STEP_SCRATCH_BYTES(kSteps, kRows)];
static LEARNER_ALIGNED unsigned char step_scratch[LEARNER_STEP_SCRATCH_BYTES(kRows)];

/* What a step says of x with these weights, a number of each row; 0 if it says nothing. */
static int say(const void* w, const float* x, float* y) {
  return learner_prepare(w, prepared) == LEARNER_OK && learner_reset(state, kRows) == LEARNER_OK &&
         learner_step(prepared, state, step_scratch, kRows, x, y) == LEARNER_OK;
}

int main(void) {
  static float x[kSteps * kRows], target[kSteps * kRows];
  float before[kRows], after[kRows], first = 0, loss = 0;
  int i, update;
  for (i = 0; i < kSteps * kRows; ++i) x[i] = (float)(i % 5) / 5, target[i] = 0.5f - x[i];
  memcpy(weights, learner_weights, sizeof weights);
  if (learner_init(optimizer) != LEARNER_OK) return 1;
  for (update = 0; update < 50; ++update) {
    if (learner_reset(state, kRows) != LEARNER_OK) return 2;
    if (learner_train_step(weights, optimizer, state, scratch, kSteps, kRows, x, target, 1e-2f, &loss))
      return 3;
    if (update == 0) first = loss;
  }
  if (!say(learner_weights, x, before) || !say(weights, x, after)) return 4;
  if (memcmp(before, after, sizeof before) == 0) return 5; /* steps go by what was learned */
  return loss < 0.5f * first ? 0 : 6;
}
