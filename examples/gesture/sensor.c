#include "sensor.h"

enum { kRest, kShake, kNod, kCircleLeft, kCircleRight, kTap };
const char* const gesture_names[kGestures] = {"rest", "shake", "nod", "circle left", "circle right", "tap"};

/* In [0, 1), of 24 bits (Marsaglia 2003). */
static float uniform(struct sensor* s) {
  s->random ^= s->random << 13;
  s->random ^= s->random >> 17;
  s->random ^= s->random << 5;
  return (float)(s->random >> 8) * (1.0f / 16777216.0f);
}

static float between(struct sensor* s, float low, float high) { return low + (high - low) * uniform(s); }

static void turn(struct sensor* s) {
  const float c = s->c * s->turn_c - s->s * s->turn_s;
  s->s = s->s * s->turn_c + s->c * s->turn_s;
  s->c = c;
}

void sensor_start(struct sensor* s, uint32_t seed) {
  float angle, square;
  int i;
  s->random = seed * 2654435769u + 1;
  for (i = 0; i < 8; ++i) uniform(s);
  s->gesture = (int)(uniform(s) * kGestures);
  s->tilt_x = between(s, -0.3f, 0.3f);
  s->tilt_y = between(s, -0.3f, 0.3f);
  s->amplitude = between(s, 0.1f, 0.6f);
  /* 1 to 2.5 turns a second; sine and cosine by their series. */
  angle = 6.2831853f / 50 * between(s, 1, 2.5f);
  square = angle * angle;
  s->turn_c = 1 - square / 2 * (1 - square / 12);
  s->turn_s = angle * (1 - square / 6 * (1 - square / 20));
  s->c = 1;
  s->s = 0;
  for (i = (int)between(s, 0, 50); i > 0; --i) turn(s);
  s->t = 0;
  s->begins = (int)between(s, 0, 16);
  s->ends = (int)between(s, 48, kReadings);
}

/* Two knocks, each dying away in some readings. */
static float knock(const struct sensor* s) {
  const int since = (s->t - s->begins) % 20;
  return s->t < s->begins + 40 ? 2 * s->amplitude / (float)(1 + since * since) : 0;
}

void sensor_read(struct sensor* s, int16_t reading[3]) {
  float g[3];
  int i;
  g[0] = s->tilt_x;
  g[1] = s->tilt_y;
  g[2] = 1;
  if (s->t >= s->begins && s->t < s->ends) {
    const float c = s->amplitude * s->c, sine = s->amplitude * s->s;
    switch (s->gesture) {
      case kShake: g[0] += c; break;
      case kNod: g[2] += c; break;
      case kCircleLeft: g[0] += c, g[1] += sine; break;
      case kCircleRight: g[0] += c, g[1] -= sine; break;
      case kTap: g[2] += knock(s); break;
      default: break;
    }
    turn(s);
  }
  for (i = 0; i < 3; ++i) reading[i] = (int16_t)(1000 * (g[i] + between(s, -0.15f, 0.15f)));
  ++s->t;
}
