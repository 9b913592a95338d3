#include "support/error.h"

#include <fmt/format.h>

namespace rondo {

void fail_check(const char* condition, const char* file, int line, const std::string& message) {
  throw InternalError(fmt::format("rondo: internal error at {}:{}: {} ({})", file, line, message, condition));
}

}  // namespace rondo
