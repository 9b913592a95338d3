#include "gait_model.h"

RONDO_EXPORT(Gait, kReading, kReading, mse, Adam{.lr = 3e-3, .clip_norm = 1})
