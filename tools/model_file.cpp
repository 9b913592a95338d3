#include "tools/model_file.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "support/error.h"

namespace rondo::tools {
namespace {

/// "a=b" as a pair.
std::pair<std::string, std::string> parse_pair(const std::string& text, const char* option,
                                               const char* form) {
  const size_t equals = text.find('=');
  if (equals == text.npos || equals == 0 || equals + 1 == text.size())
    throw Error(fmt::format("{}: `{}` is not {}", option, text, form));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

void add_model_options(CLI::App& command, ModelArgs& args) {
  command.add_option("file", args.file, "A model: .rondo, .onnx, .nam or .json")->required();
  command.add_option("--set", args.values, "ONNX: inputs that are constants: sr=16000")->delimiter(',');
  command.add_option("--state", args.state, "ONNX: inputs that outputs become at the end of a call: h=hN")
      ->delimiter(',');
}

bool is_imported(const ModelArgs& args) {
  return args.file.ends_with(".onnx") || args.file.ends_with(".nam") || args.file.ends_with(".json");
}

ImportedModel read_model(const ModelArgs& args, ir::DimValues& dims) {
  OnnxOptions options;
  for (const std::string& text : args.values) {
    const auto [name, value] = parse_pair(text, "--set", "NAME=NUMBER");
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size())
      throw Error(fmt::format("--set: `{}` is not NAME=NUMBER", text));
    options.values[name] = number;
  }
  for (const std::string& text : args.state)
    options.state.insert(parse_pair(text, "--state", "INPUT=OUTPUT"));
  if (args.file.ends_with(".onnx")) options.dims = std::exchange(dims, {});
  return load_model(args.file, options);
}

}  // namespace rondo::tools
