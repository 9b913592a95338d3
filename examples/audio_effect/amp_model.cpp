#include "amp_model.h"

RONDO_EXPORT(Amp, StepInput{f32, {1}})
