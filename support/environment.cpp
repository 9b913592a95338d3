#include "support/environment.h"

#include <cstdlib>

namespace rondo {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace rondo
