/* How people walk, as an accelerometer at the hip feels it. */
#ifndef WALKER_H
#define WALKER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { kHarmonics = 6 }; /* of half a step: 1 is a stride, left and right; 2 is a step */

struct walker {
  uint32_t random;
  float phase, pace;           /* in strides; strides a second */
  float amplitude[kHarmonics]; /* in g */
  float shift[kHarmonics];     /* in turns */
};

/* Another seed is another person. With a limp, from 0 to 1, left and right are unlike. */
void walker_start(struct walker* walker, uint32_t seed, float limp);
/* The vertical acceleration in g, without gravity, 50 times a second. */
float walker_next(struct walker* walker);

#ifdef __cplusplus
}
#endif

#endif
