#include <stdio.h>

#include "amp.h"

static FX_ALIGNED unsigned char state[FX_STATE_BYTES], scratch[FX_STEP_SCRATCH_BYTES + 1];

int main(void) {
  const float x = 0.5f;
  float y = 0;
  if (fx_reset(state) != FX_OK || fx_step(state, scratch, &x, &y) != FX_OK) return 1;
  printf("%a\n", (double)y);
  return 0;
}
