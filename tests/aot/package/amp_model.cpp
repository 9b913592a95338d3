#include "amp_model.h"

RONDO_EXPORT(Amp, StepInput{f32, {1}}, StepInput{f32, {1}}, mse, Adam{.lr = 1e-2})
