// make_weights SEED FILE
#include <cstdlib>

#include "amp_model.h"

int main(int, char** argv) { Amp().init(static_cast<uint64_t>(std::atoi(argv[1]))).save(argv[2]); }
