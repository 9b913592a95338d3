// The two ways in which something is wrong: a user's error, and an error of ours.
#pragma once

#include <stdexcept>
#include <string>

namespace rondo {

/// A user's error. The message says what is wrong, where, and the shapes.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A broken invariant of Rondo itself: never the user's fault.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* condition, const char* file, int line, const std::string& message);

}  // namespace rondo

/// Throws InternalError with the message unless the condition holds. The message is evaluated on failure
/// only.
#define RONDO_CHECK(condition, message)                                             \
  do {                                                                              \
    if (!(condition)) ::rondo::fail_check(#condition, __FILE__, __LINE__, message); \
  } while (false)
