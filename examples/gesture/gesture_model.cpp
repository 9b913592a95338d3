#include "gesture_model.h"

RONDO_EXPORT(Gesture, StepInput{f32, {3}})
