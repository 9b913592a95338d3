/* Writes text with a model that char_lm --library made, one character at a time; needs nothing of Rondo.
 * usage: writer [CHARACTERS [TEMPERATURE [SEED]]] */
#include <stdio.h>
#include <stdlib.h>

#include "char_lm.h"
#include "char_lm_symbols.h"

enum { kPrime = sizeof char_lm_prime / sizeof *char_lm_prime };

static CHAR_LM_ALIGNED unsigned char state[CHAR_LM_STATE_BYTES];
static CHAR_LM_ALIGNED unsigned char scratch[CHAR_LM_GENERATE_SCRATCH_BYTES(1)];

int main(int argc, char** argv) {
  const long count = argc > 1 ? atol(argv[1]) : 500;
  const float temperature = argc > 2 ? (float)atof(argv[2]) : 0.8f;
  const int32_t seed = argc > 3 ? atoi(argv[3]) : 1;
  long i;
  char_lm_reset(state);
  for (i = 0; i < kPrime; ++i) putchar(char_lm_symbols[char_lm_prime[i]]);
  for (i = 0; i < count; ++i) {
    int32_t id;
    /* The first call reads the prime; the others go on from where the last one stopped. */
    const int32_t status =
        char_lm_generate(state, scratch, i == 0 ? kPrime : 0, 1, temperature, seed, 0, char_lm_prime, &id);
    if (status != CHAR_LM_OK) return (int)status;
    putchar(char_lm_symbols[id]);
    fflush(stdout);
  }
  putchar('\n');
  return 0;
}
