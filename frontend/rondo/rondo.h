// All of what users write models with: #include <rondo/rondo.h>.
#pragma once

#include "frontend/compile.h"
#include "frontend/function.h"
#include "frontend/gradient.h"
#include "frontend/init.h"
#include "frontend/layers/cells.h"
#include "frontend/layers/linear.h"
#include "frontend/layers/stack.h"
#include "frontend/losses.h"
#include "frontend/ops.h"
#include "frontend/optimizers.h"
#include "frontend/param.h"
#include "frontend/programs.h"
#include "frontend/random.h"
#include "frontend/scan.h"
#include "frontend/state.h"
#include "frontend/tensor.h"
