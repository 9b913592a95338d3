#include "passes/pipeline.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <vector>

#include "ir/text.h"
#include "ir/verifier.h"
#include "passes/check_pass.h"
#include "passes/passes.h"
#include "support/environment.h"
#include "support/error.h"
#include "support/skip.h"
#include "support/stage_dump.h"

namespace rondo::passes {

using namespace ir;

namespace {

struct Stage {
  const Pass* pass;
  Options options;
};

std::string_view trimmed(std::string_view s) {
  const size_t from = s.find_first_not_of(" \t\n");
  return from == std::string_view::npos ? "" : s.substr(from, s.find_last_not_of(" \t\n") - from + 1);
}

/// The parts between separators that stand outside of braces; none for an empty text.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  if (trimmed(text).empty()) return parts;
  int depth = 0;
  size_t from = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == separator && depth == 0)) {
      parts.push_back(trimmed(text.substr(from, i - from)));
      from = i + 1;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}') {
      --depth;
    }
  }
  return parts;
}

const Pass& find_pass(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Pass& pass : all_passes()) {
    if (pass.name == name) return pass;
    names.push_back(pass.name);
  }
  throw Error(fmt::format("rondo: unknown pass `{}`; there are: {}", name, fmt::join(names, ", ")));
}

int64_t number(const Pass& pass, std::string_view key, std::string_view text) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < 0)
    throw Error(fmt::format("rondo: pass {}: {}={} is not a number from 0", pass.name, key, text));
  return n;
}

/// A number from 1, or the name of a dim.
Dim dim(const Pass& pass, std::string_view key, std::string_view text) {
  const bool named = !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0]));
  return named ? Dim(std::string(text)) : Dim(std::max<int64_t>(number(pass, key, text), 1));
}

/// One "key=value" between a pass's braces.
void parse_option(const Pass& pass, std::string_view text, Options& options) {
  const size_t equals = text.find('=');
  const std::string_view key = trimmed(text.substr(0, equals));
  const std::string_view value = equals == std::string_view::npos ? "" : trimmed(text.substr(equals + 1));
  const std::string_view known = pass.options.substr(0, pass.options.find('='));
  const bool any_name = pass.name == "bind-dims";
  if (equals == std::string_view::npos || key.empty() || known.empty() || (key != known && !any_name))
    throw Error(fmt::format("rondo: pass {} has no option `{}`; {}", pass.name, text,
                            known.empty() ? "it takes none" : fmt::format("it takes {{{}}}", pass.options)));
  if (any_name)
    options.dims[std::string(key)] = number(pass, key, value);
  else if (key == "factor")
    options.factor = number(pass, key, value);
  else if (key == "chunks")
    options.chunks = number(pass, key, value);
  else if (key == "columns")
    options.columns = number(pass, key, value);
  else if (key == "rows")
    options.rows = number(pass, key, value);
  else if (key == "window")
    options.window = dim(pass, key, value);
  else
    for (std::string_view name : split(value, '|')) options.wrt.emplace_back(name);
}

std::vector<Stage> parse_pipeline(std::string_view text) {
  std::vector<Stage> stages;
  for (std::string_view part : split(text, ',')) {
    const size_t brace = part.find('{');
    Stage stage{&find_pass(trimmed(part.substr(0, brace))), {}};
    if (brace != std::string_view::npos) {
      if (part.back() != '}')
        throw Error(fmt::format("rondo: pipeline: `{}` has no closing brace at its end", part));
      for (std::string_view option : split(part.substr(brace + 1, part.size() - brace - 2), ';'))
        parse_option(*stage.pass, option, stage.options);
    }
    stages.push_back(std::move(stage));
  }
  return stages;
}

}  // namespace

Func run_pipeline(const Func& func, std::string_view pipeline, const RunOptions& run_options) {
  const std::vector<Stage> stages = parse_pipeline(pipeline);
  const StageDump dump(run_options.dump_dir, func.name);
  const bool time = environment("RONDO_TIME") == "1", compare = environment("RONDO_CHECK") == "1";
  check(func, "before the first pass");
  if (dump.on()) dump.write("00-input.rondo", print(func));
  if (run_options.observe) run_options.observe("input", func);
  Func now = func;
  for (size_t i = 0; i < stages.size(); ++i) {
    const auto& [pass, options] = stages[i];
    if (is_skipped(pass->name)) continue;
    const auto start = std::chrono::steady_clock::now();
    Func next = pass->run(now, options);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (time)
      fmt::print(stderr, "{:9.3f} ms  {} of {}: {} ops\n", took.count(), pass->name, func.name,
                 next.ops.size());
    if (dump.on()) dump.write(fmt::format("{:02}-{}.rondo", i + 1, pass->name), print(next));
    check(next, fmt::format("after {}", pass->name));
    if (run_options.observe) run_options.observe(pass->name, next);
    if (compare) check_pass(pass->name, now, next);
    now = std::move(next);
  }
  return now;
}

}  // namespace rondo::passes
