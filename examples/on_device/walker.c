#include "walker.h"

#include <math.h>

/* In [low, high) (xorshift: Marsaglia 2003). */
static float between(struct walker* w, float low, float high) {
  w->random ^= w->random << 13;
  w->random ^= w->random >> 17;
  w->random ^= w->random << 5;
  return low + (high - low) * ((float)(w->random >> 8) / 16777216.0f);
}

void walker_start(struct walker* w, uint32_t seed, float limp) {
  /* Of the harmonics 1 to 6: those of a step, 2 4 6, are there in all who walk. */
  static const float usual[kHarmonics] = {0.02f, 0.30f, 0.02f, 0.12f, 0.01f, 0.05f};
  static const float limping[kHarmonics] = {0.25f, -0.10f, 0.15f, 0, 0.06f, 0};
  int k;
  w->random = seed * 2654435769u + 1;
  for (k = 0; k < 8; ++k) between(w, 0, 1);
  w->phase = between(w, 0, 1);
  w->pace = between(w, 0.8f, 1.1f) - 0.15f * limp;
  for (k = 0; k < kHarmonics; ++k) {
    w->amplitude[k] = usual[k] * between(w, 0.7f, 1.3f) + limp * limping[k];
    w->shift[k] = 0.1f * (float)k + between(w, -0.05f, 0.05f);
  }
}

float walker_next(struct walker* w) {
  float sum = between(w, -0.02f, 0.02f);
  int k;
  for (k = 0; k < kHarmonics; ++k)
    sum += w->amplitude[k] * cosf(6.2831853f * ((float)(k + 1) * w->phase + w->shift[k]));
  w->phase += (w->pace + between(w, -0.05f, 0.05f)) / 50;
  w->phase -= floorf(w->phase);
  return sum;
}
