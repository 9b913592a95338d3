// The place in the user's source that an error names.
#pragma once

#include <string>

namespace rondo {

/// A file and line. As a default argument, `Where::here()` is the place of the call. (The builtins rather
/// than std::source_location, which clang 14 lacks.)
struct Where {
  const char* file = "";
  int line = 0;

  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

std::string to_string(const Where&);  // "char_lm.cpp:17"

/// While one lives, errors name `where`, the place where the user called a library function, rather than a
/// line of the library: "... in lstm (char_lm.cpp:17)". The outermost one counts.
class LibraryCall {
 public:
  LibraryCall(std::string name, Where where);
  ~LibraryCall();
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;

  /// What an error at `where` adds to its message: " in lstm (char_lm.cpp:17)" or " (char_lm.cpp:17)".
  static std::string place(Where where);

 private:
  const LibraryCall* outer_;
  std::string name_;
  Where where_;
};

/// Throws Error "rondo: <what> (<place>)".
[[noreturn]] void fail(const std::string& what, Where where);

}  // namespace rondo
