#include "frontend/library/model_export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <string_view>

#include "frontend/library/export.h"
#include "support/error.h"

namespace rondo {

namespace {

constexpr const char* kHelp =
    R"(Writes a model as a static library with a C header. Options, each with a value:
  --output DIR         the folder (needed)
  --name NAME          lib<NAME>.a, <NAME>.h (needed)
  --prefix PREFIX      of the C functions; the name if not given
  --weights FILE       a safetensors file; or `external`: the caller brings them
  --weights-in PLACE   library (read-only data), pointer (and a .bin file), array (and a C array)
  --targets A,B        host, x86-64-v3, aarch64 ..., or triple[:cpu[:features]]
  --functions A,B      of the model; step,run if not given; train is train_step
  --batch N            rows of a batch, or `any`: known at a call; 1 if not given
  --block N            steps that run walks at a time, 64 if not given; fewer take less scratch
  --emit A,B           texts of the stages: ir, llvm, assembly, html
)";

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> items;
  for (size_t at = 0; at < text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    items.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return items;
}

class CommandLine {
 public:
  CommandLine(int argc, char** argv) {
    for (int i = 1; i < argc; i += 2) {
      const std::string name = argv[i];
      if (!kDefaults.contains(name)) throw Error(fmt::format("rondo: unknown option {}", name));
      if (i + 1 == argc) throw Error(fmt::format("rondo: {} needs a value", name));
      values_[name] = argv[i + 1];
    }
    for (const char* name : {"--output", "--name"})
      if (text(name).empty()) throw Error(fmt::format("rondo: {} is missing", name));
  }

  const std::string& text(const std::string& name) const {
    const auto it = values_.find(name);
    return it != values_.end() ? it->second : kDefaults.at(name);
  }
  std::vector<std::string> list(const std::string& name) const { return split(text(name)); }

 private:
  static const std::map<std::string, std::string> kDefaults;
  std::map<std::string, std::string> values_;
};

const std::map<std::string, std::string> CommandLine::kDefaults = {{"--output", ""},
                                                                   {"--name", ""},
                                                                   {"--prefix", ""},
                                                                   {"--weights", "external"},
                                                                   {"--weights-in", ""},
                                                                   {"--targets", "host"},
                                                                   {"--functions", "step,run"},
                                                                   {"--batch", "1"},
                                                                   {"--block", "64"},
                                                                   {"--emit", ""}};

/// A number from 1 on. Throws Error that tells what the text is instead.
int64_t parse_number(const char* option, const std::string& text, const char* instead) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1)
    throw Error(fmt::format("rondo: {} `{}` is {}", option, text, instead));
  return value;
}

std::vector<Function> trace(const ModelExport& model, const std::vector<std::string>& names) {
  std::vector<Function> functions;
  for (const std::string& name : names) {
    const auto it = model.functions.find(name == "train" ? "train_step" : name);
    if (it == model.functions.end()) {
      std::vector<std::string> there;
      for (const auto& [known, make] : model.functions) there.push_back(known);
      throw Error(fmt::format("rondo: no function {}; there are: {}", name, fmt::join(there, ", ")));
    }
    functions.push_back(it->second());
  }
  return functions;
}

LibraryReport write_library(const CommandLine& line, const ModelExport& model) {
  LibraryOptions options;
  options.directory = line.text("--output");
  options.name = line.text("--name");
  options.prefix = line.text("--prefix");
  options.targets = join_features(line.list("--targets"));
  options.emit = line.list("--emit");
  const bool external = line.text("--weights") == "external";
  const std::string in = line.text("--weights-in");
  options.weights = parse_weights_in(!in.empty() ? in : external ? "pointer" : "library");
  const std::vector<Function> functions = trace(model, line.list("--functions"));
  if (line.text("--batch") != "any")
    options.dims["B"] = parse_number("--batch", line.text("--batch"), "neither a number from 1 on nor `any`");
  options.block = parse_number("--block", line.text("--block"), "no number from 1 on");
  return export_library(functions, external ? Weights() : Weights::load(line.text("--weights")), options);
}

}  // namespace

int export_main(int argc, char** argv, const ModelExport& model) {
  try {
    if (argc == 2 && std::string(argv[1]) == "--help") {
      fmt::print("{}", kHelp);
      return 0;
    }
    fmt::print("{}", to_string(write_library(CommandLine(argc, argv), model)));
    return 0;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    fmt::print(stderr, "{}{}\n", what.starts_with("rondo: ") ? "" : "rondo: ", what);
    return 1;
  }
}

}  // namespace rondo
