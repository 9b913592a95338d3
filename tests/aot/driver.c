/* Uses the library amp as its header says, and checks what it promises beyond its self-test. Prints what does
 * not hold. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "amp.h"
#include "other.h"

#ifdef AMP_SANITIZED /* sanitizers have frames of their own */
enum { kSteps = 200, kTestStack = 0 };
#else
enum { kSteps = 200, kTestStack = 1 };
#endif

typedef struct {
  AMP_ALIGNED unsigned char state[AMP_STATE_BYTES], scratch[AMP_RUN_SCRATCH_BYTES];
  float y[kSteps + 1];
} Stream;

static float x[kSteps + 1];
static int failures;

static void expect(int good, const char* what) {
  if (good) return;
  printf("%s\n", what);
  ++failures;
}

/* In blocks of `size`, through arrays that are aligned as floats only. */
static void run_blocks(Stream* s, int size) {
  int t, n;
  amp_reset(s->state);
  for (t = 0; t < kSteps; t += n) {
    n = kSteps - t < size ? kSteps - t : size;
    expect(amp_run(s->state, s->scratch, n, x + 1 + t, s->y + 1 + t) == AMP_OK, "run");
  }
}

static void run_steps(Stream* s) {
  int t;
  amp_reset(s->state);
  for (t = 0; t < kSteps; ++t)
    expect(amp_step(s->state, s->scratch, x + 1 + t, s->y + 1 + t) == AMP_OK, "step");
}

static int same(const Stream* a, const Stream* b) { return memcmp(a->y + 1, b->y + 1, kSteps * sizeof(float)) == 0; }

static void test_blocks(void) {
  static Stream steps, blocks;
  static const int sizes[] = {1, 7, 64, kSteps};
  size_t i;
  run_steps(&steps);
  for (i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    run_blocks(&blocks, sizes[i]);
    expect(same(&steps, &blocks), "blocks and steps differ");
  }
}

/* No steps take no arrays, and leave the state. */
static void test_no_steps(void) {
  static Stream s;
  static unsigned char before[AMP_STATE_BYTES];
  run_steps(&s);
  memcpy(before, s.state, sizeof before);
  expect(amp_run(s.state, s.scratch, 0, NULL, NULL) == AMP_OK, "no steps");
  expect(memcmp(before, s.state, sizeof before) == 0, "no steps change the state");
}

static void* in_thread(void* stream) {
  int i;
  for (i = 0; i < 50; ++i) run_steps((Stream*)stream);
  return NULL;
}

static void test_threads(void) {
  static Stream alone, one, two;
  pthread_t thread;
  run_steps(&alone);
  expect(pthread_create(&thread, NULL, in_thread, &one) == 0, "no thread");
  in_thread(&two);
  pthread_join(thread, NULL);
  expect(same(&alone, &one) && same(&alone, &two), "threads disturb each other");
}

/* The stack below a call is painted; what changes was used. */
static AMP_ALIGNED unsigned char stack[1 << 17];
static ptrdiff_t used;

static void* on_painted_stack(void* step) {
  static Stream s;
  unsigned char here;
  size_t lowest = 0;
  memset(stack, 0xA5, (size_t)(&here - stack) - 512);
  if (step)
    amp_step(s.state, s.scratch, x + 1, s.y);
  else
    amp_run(s.state, s.scratch, kSteps, x, s.y);
  while (stack[lowest] == 0xA5) ++lowest;
  used = &here - (stack + lowest);
  return NULL;
}

static void test_stack(void* step, ptrdiff_t promised, const char* what) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  expect(pthread_attr_setstack(&attributes, stack, sizeof stack) == 0, "no stack");
  expect(pthread_create(&thread, &attributes, on_painted_stack, step) == 0, "no thread");
  pthread_join(thread, NULL);
  /* The frame of on_painted_stack, down to the call, is not the library's. */
  expect(used <= promised + 600, what);
}

static void test_two_libraries(void) {
  static Stream s;
  static OTHER_ALIGNED unsigned char state[OTHER_STATE_BYTES], scratch[OTHER_RUN_SCRATCH_BYTES];
  static float y[kSteps];
  run_steps(&s);
  other_reset(state);
  expect(other_run(state, scratch, kSteps, x + 1, y) == OTHER_OK, "the other library");
  expect(memcmp(y, s.y + 1, sizeof y) != 0, "the other library is the same one");
  expect(amp_model_hash() != other_model_hash(), "two models of one hash");
  run_steps(&s);
}

int main(void) {
  int i;
  for (i = 0; i <= kSteps; ++i) x[i] = (float)(i * i % 37) / 37 - 0.5f;
  expect(strcmp(amp_version(), AMP_RONDO_VERSION) == 0, "version");
  test_blocks();
  test_no_steps();
  test_threads();
  if (kTestStack) {
    test_stack(&x, AMP_STEP_STACK_BYTES, "step takes more stack than promised");
    test_stack(NULL, AMP_RUN_STACK_BYTES, "run takes more stack than promised");
  }
  test_two_libraries();
  return failures != 0;
}
