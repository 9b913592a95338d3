#include "tests/support/arrays.h"
