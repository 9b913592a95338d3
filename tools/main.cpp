#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "ir/text.h"
#include "passes/pipeline.h"
#include "runtime/text_data.h"
#include "support/error.h"
#include "tools/commands.h"

namespace rondo::tools {

ir::Func run_passes(const ir::Func& func, const std::string& pipeline) {
  if (pipeline == "inference") return passes::run_pipeline(func, passes::kInference);
  if (pipeline == "training") return passes::run_pipeline(func, passes::kTraining);
  return pipeline.empty() ? func : passes::run_pipeline(func, pipeline);
}

ir::Func read_function(const std::string& path, const std::string& pipeline) {
  return run_passes(ir::parse(read_text(path), path), pipeline);
}

ir::DimValues parse_dims(const std::vector<std::string>& texts) {
  ir::DimValues dims;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    int64_t value = -1;
    const char* end = text.data() + text.size();
    if (equals != text.npos && equals > 0) {
      const auto [last, error] = std::from_chars(text.data() + equals + 1, end, value);
      if (error != std::errc() || last != end) value = -1;
    }
    if (value < 0) throw Error(fmt::format("--dims: `{}` is not NAME=NUMBER", text));
    if (!dims.emplace(text.substr(0, equals), value).second)
      throw Error(fmt::format("--dims: {} twice", text.substr(0, equals)));
  }
  return dims;
}

namespace {

/// What is wrong with the arguments, in one line.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  if (!app->get_subcommands().empty() || app->remaining().empty())
    return fmt::format("rondo: {}; --help tells more\n", error.what());
  return fmt::format("rondo: no command `{}`; --help lists those there are\n", app->remaining().front());
}

}  // namespace
}  // namespace rondo::tools

// Exit codes: 0, 1 for an error in what was asked, 2 for wrong usage.
int main(int argc, char** argv) {
  CLI::App app("Works on functions of Rondo's tensor IR as text, and measures models.", "rondo");
  app.require_subcommand(1);
  rondo::tools::add_opt(app);
  rondo::tools::add_run(app);
  rondo::tools::add_compile(app);
  rondo::tools::add_bench(app);
  rondo::tools::add_tune(app);
  app.failure_message(rondo::tools::usage_error);
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit is an error as a full disk is
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "rondo: out of memory\n");
    return 1;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    fmt::print(stderr, "{}{}\n", what.starts_with("rondo: ") ? "" : "rondo: ", what);
    return 1;
  }
}
