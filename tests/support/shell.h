// Runs a program as a user does.
#pragma once

#include <cstdio>
#include <string>

#include <sys/wait.h>

namespace rondo::testing {

struct Outcome {
  int code = -1;     // -1: it did not end by itself
  std::string text;  // standard output and error
};

inline Outcome shell(const std::string& command) {
  Outcome outcome;
  std::FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (!pipe) return outcome;
  char block[4096];
  for (size_t n = 0; (n = std::fread(block, 1, sizeof block, pipe)) > 0;) outcome.text.append(block, n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  return outcome;
}

}  // namespace rondo::testing
