/* The output of one step, to the bit. */
#include <stdio.h>

#ifdef FLEET
#include "fleet.h"
#define FX(name) fleet_##name
#define FX_ALIGNED FLEET_ALIGNED
#define FX_OK FLEET_OK
#define FX_STATE_BYTES FLEET_STATE_BYTES
#define FX_STEP_SCRATCH_BYTES FLEET_STEP_SCRATCH_BYTES
#else
#include "amp.h"
#define FX(name) fx_##name
#endif

static FX_ALIGNED unsigned char state[FX_STATE_BYTES], scratch[FX_STEP_SCRATCH_BYTES + 1];

int main(void) {
  const float x = 0.5f;
  float y = 0;
  if (FX(reset)(state) != FX_OK || FX(step)(state, scratch, &x, &y) != FX_OK) return 1;
  printf("%a\n", (double)y);
  return 0;
}
