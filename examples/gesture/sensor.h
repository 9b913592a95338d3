/* An accelerometer in a hand that makes gestures: the same readings on every machine. */
#ifndef SENSOR_H
#define SENSOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { kGestures = 6, kReadings = 64 }; /* readings of a recording: 1.28 s at 50 Hz */
extern const char* const gesture_names[kGestures];

struct sensor {
  uint32_t random;
  int gesture;          /* what the hand does */
  float tilt_x, tilt_y; /* how it is held: the part of gravity along x and y, in g */
  float amplitude;      /* of the movement, in g */
  float c, s;           /* the angle of the movement, as cosine and sine */
  float turn_c, turn_s; /* the same of the angle between two readings */
  int t, begins, ends;  /* readings done; those during which it moves */
};

/* Another seed is another gesture, by another hand. */
void sensor_start(struct sensor* sensor, uint32_t seed);
/* The acceleration along x, y and z in thousandths of g, gravity included. */
void sensor_read(struct sensor* sensor, int16_t reading[3]);

#ifdef __cplusplus
}
#endif

#endif
