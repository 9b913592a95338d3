// A small model as a library, and a shell to build and run what uses it.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "rondo/rondo.h"
#include "tests/frontend/models.h"
#include "tests/runtime/util.h"

namespace rondo::test {

using testing::TempDir;

struct Amp : CellModel<Lstm> {
  Amp() : CellModel(f32, 1, [](Model& m) { return Lstm(m, "lstm", 1, 16); }) {}
};
inline const StepInput kSample{f32, {1}};

inline std::vector<Function> streaming(const Amp& amp) {
  return {step_function(amp, kSample), run_function(amp, kSample)};
}

inline Function training(const Amp& amp) {
  Function f = training_function(loss_function(amp, kSample, kSample, mse), Adam{.lr = 1e-3, .clip_norm = 1});
  f.func.name = "train_step";
  return f;
}

inline LibraryOptions options_for(const TempDir& dir, const std::string& name,
                                  std::vector<std::string> targets = {"host"}) {
  LibraryOptions o;
  o.name = name;
  o.directory = dir.file("");
  o.targets = std::move(targets);
  o.dims = {{"B", 1}};
  return o;
}

/// Runs a command in the directory; its output if it fails.
inline std::string shell(const TempDir& dir, const std::string& command) {
  const std::string line = "cd '" + dir.file("") + "' && { " + command + "; } 2>&1";
  std::FILE* pipe = ::popen(line.c_str(), "r");
  std::string text;
  for (int c; pipe && (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  const int status = ::pclose(pipe);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : command + ":\n" + text;
}

inline const std::string kC = std::string("'") + RONDO_CC + "' -std=c99 -O1 -Wall -Wextra -Werror -pedantic ";
inline const std::string kC11 = std::string("'") + RONDO_CC + "' -std=gnu11 -O1 -Wall -Wextra -Werror ";
inline const std::string kCxx = std::string("'") + RONDO_CXX + "' -std=c++20 -O1 -Wall -Wextra -Werror ";

/// The self-test of a library; `define` is for the compiler.
inline std::string run_selftest(const TempDir& dir, const std::string& name, const std::string& define = "",
                                const std::string& argument = "") {
  return shell(
      dir, kC + define + " " + name + "_selftest.c lib" + name + ".a -o selftest && ./selftest " + argument);
}

}  // namespace rondo::test
