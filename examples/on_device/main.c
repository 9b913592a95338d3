/* A device learns the walk of whoever wears it, with the library alone. See README.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gait.h"
#include "walker.h"

enum { kSteps = 100, kMinutes = 6, kUpdates = 30 }; /* readings an update; updates a minute */

/* All that the device has learned, and where it is: the caller's memory, which may be saved as it is. */
struct learner {
  uint64_t model; /* whose weights these are */
  GAIT_ALIGNED unsigned char weights[GAIT_WEIGHTS_BYTES];
  GAIT_ALIGNED unsigned char optimizer[GAIT_OPTIMIZER_BYTES];
  GAIT_ALIGNED unsigned char state[GAIT_STATE_BYTES]; /* of the walk that it learns from */
};

static GAIT_ALIGNED unsigned char scratch[GAIT_TRAIN_STEP_SCRATCH_BYTES(kSteps)];

static void check(int32_t status) {
  if (status == GAIT_OK) return;
  fprintf(stderr, "on_device: the library returned %d\n", (int)status);
  exit(1);
}

static void start(struct learner* learner) {
  memset(learner, 0, sizeof *learner);
  learner->model = gait_model_hash();
  check(gait_init(learner->weights, learner->optimizer));
  check(gait_reset(learner->state));
}

/* The root mean square error, in g, of what it foresees of a minute's walk. */
static double error_of(const struct learner* learner, struct walker walker) {
  static GAIT_ALIGNED unsigned char prepared[GAIT_PREPARED_BYTES], state[GAIT_STATE_BYTES],
      memory[GAIT_STEP_SCRATCH_BYTES];
  const int count = kUpdates * kSteps;
  float x = walker_next(&walker), y;
  double sum = 0;
  int i;
  check(gait_prepare(learner->weights, prepared));
  check(gait_reset(state));
  for (i = 0; i < count; ++i) {
    check(gait_step(prepared, state, memory, &x, &y));
    x = walker_next(&walker);
    sum += (y - x) * (y - x);
  }
  return sqrt(sum / count);
}

/* Learns from a minute's walk; each update goes on from where the last one stopped. */
static void learn(struct learner* learner, struct walker* walker) {
  float readings[kSteps + 1], loss;
  int update, i;
  readings[kSteps] = walker_next(walker);
  for (update = 0; update < kUpdates; ++update) {
    readings[0] = readings[kSteps];
    for (i = 1; i <= kSteps; ++i) readings[i] = walker_next(walker);
    check(gait_train_step(learner->weights, learner->optimizer, learner->state, scratch, kSteps, readings,
                          readings + 1, 3e-3f, &loss));
  }
}

static void save(const struct learner* learner, const char* path) {
  FILE* file = fopen(path, "wb");
  if (!file || fwrite(learner, sizeof *learner, 1, file) != 1 || fclose(file) != 0) {
    fprintf(stderr, "on_device: %s: cannot write\n", path);
    exit(1);
  }
}

static void load(struct learner* learner, const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file || fread(learner, sizeof *learner, 1, file) != 1 || learner->model != gait_model_hash()) {
    fprintf(stderr, "on_device: %s: not saved by this model\n", path);
    exit(1);
  }
  fclose(file);
}

int main(int argc, char** argv) {
  static struct learner learner, restored;
  struct walker user, other, at_save;
  clock_t time = 0, before;
  int minute;
  if (argc != 2) {
    fprintf(stderr, "usage: on_device FILE\n");
    return 1;
  }
  walker_start(&user, 7, 1);
  walker_start(&other, 8, 0);
  start(&learner);
  printf("memory: weights %d, optimizer %d, state %d, scratch %d bytes\n", GAIT_WEIGHTS_BYTES,
         GAIT_OPTIMIZER_BYTES, GAIT_STATE_BYTES, (int)sizeof scratch);
  printf("minutes  error for the user  for another person\n");
  for (minute = 0; minute <= kMinutes; ++minute) {
    if (minute > 0) {
      before = clock();
      learn(&learner, &user);
      time += clock() - before;
    }
    printf("%7d  %16.4f g  %16.4f g\n", minute, error_of(&learner, user), error_of(&learner, other));
    if (minute == kMinutes / 2) save(&learner, argv[1]), at_save = user;
  }
  printf("%.0f us an update\n", 1e6 * (double)time / CLOCKS_PER_SEC / (kMinutes * kUpdates));

  load(&restored, argv[1]);
  for (minute = kMinutes / 2; minute < kMinutes; ++minute) learn(&restored, &at_save);
  if (memcmp(&learner, &restored, sizeof learner) != 0) {
    printf("restored after %d minutes, it learned SOMETHING ELSE\n", kMinutes / 2);
    return 1;
  }
  printf("restored after %d minutes, it learned the same bits\n", kMinutes / 2);
  return 0;
}
