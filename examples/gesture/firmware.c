/* Names gestures on a device without an operating system or a C library. See README.md. */
#include "board.h"
#include "gesture.h"
#include "sensor.h"

enum { kRecordings = 200 };

/* All the memory that the model needs. */
static GESTURE_ALIGNED unsigned char state[GESTURE_STATE_BYTES], scratch[GESTURE_STEP_SCRATCH_BYTES];

static void print_number(unsigned n) {
  char digits[11];
  char* at = digits + sizeof digits;
  *--at = '\0';
  do *--at = (char)('0' + n % 10);
  while (n /= 10);
  board_print(at);
}

static void print_hex(uint32_t n) {
  char digits[9];
  int i;
  for (i = 8; i-- > 0; n >>= 4) digits[i] = "0123456789abcdef"[n & 15];
  digits[8] = '\0';
  board_print(digits);
}

static int largest(const float y[kGestures]) {
  int best = 0, i;
  for (i = 1; i < kGestures; ++i)
    if (y[i] > y[best]) best = i;
  return best;
}

/* FNV-1a of the numbers' bits: one number that tells whether two machines agree on all of them. */
static uint32_t hash(uint32_t so_far, const float y[kGestures]) {
  int i;
  for (i = 0; i < kGestures; ++i) {
    union {
      float number;
      uint32_t bits;
    } value;
    value.number = y[i];
    so_far = (so_far ^ value.bits) * 16777619u;
  }
  return so_far;
}

int main(void) {
  unsigned seed, right = 0;
  uint32_t bits = 2166136261u;
  for (seed = 1; seed <= kRecordings; ++seed) {
    struct sensor sensor;
    float y[kGestures];
    int t, i;
    sensor_start(&sensor, seed);
    gesture_reset(state);
    for (t = 0; t < kReadings; ++t) {
      int16_t reading[3];
      float x[3];
      sensor_read(&sensor, reading);
      for (i = 0; i < 3; ++i) x[i] = 0.001f * (float)reading[i];
      if (gesture_step(state, scratch, x, y) != GESTURE_OK) return 1;
      bits = hash(bits, y);
    }
    right += largest(y) == sensor.gesture;
    if (largest(y) != sensor.gesture || seed <= kGestures) {
      print_number(seed);
      board_print(": ");
      board_print(gesture_names[sensor.gesture]);
      board_print(", heard as ");
      board_print(gesture_names[largest(y)]);
      board_print("\n");
    }
  }
  print_number(right);
  board_print(" of ");
  print_number(kRecordings);
  board_print(" right; bits of all outputs: ");
  print_hex(bits);
  board_print("\n");
  return 0;
}
