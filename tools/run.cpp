#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "codegen/compile.h"
#include "ir/arrays.h"
#include "ir/evaluator.h"
#include "runtime/program.h"
#include "tools/commands.h"

namespace rondo::tools {
namespace {

constexpr size_t kShown = 8;  // elements of an output that are printed

struct RunArgs {
  std::string file, passes = "mask-lengths", inputs;
  std::vector<std::string> dims;
  uint64_t seed = 1;
  bool check = false;
  std::optional<double> tolerance;
};

/// Calls f with a pointer to the buffer's elements.
template <class F>
void visit(Buffer& buffer, F f) {
  switch (buffer.dtype()) {
    case DType::f32: return f(static_cast<float*>(buffer.data()));
    case DType::f64: return f(static_cast<double*>(buffer.data()));
    case DType::i32: return f(static_cast<int32_t*>(buffer.data()));
    case DType::pred: return f(static_cast<uint8_t*>(buffer.data()));
  }
}

ir::Array to_array(Buffer buffer) {
  ir::Array array{buffer.dtype(), buffer.shape(), std::vector<double>(buffer.count())};
  visit(buffer, [&](const auto* data) { std::copy_n(data, buffer.count(), array.data.begin()); });
  return array;
}

Buffer to_buffer(const ir::Array& array) {
  Buffer buffer(array.dtype, array.shape);
  visit(buffer, [&]<class T>(T* data) {
    std::ranges::transform(array.data, data, [](double x) { return static_cast<T>(x); });
  });
  return buffer;
}

void need_dims(const Signature& signature, const ir::DimValues& dims) {
  for (const std::string& name : signature.dims)
    if (!dims.contains(name)) throw Error(fmt::format("dim {0} is not known: give --dims {0}=NUMBER", name));
}

/// Inputs from the file, with the dims that their shapes bind.
std::vector<Buffer> read_inputs(const RunArgs& args, const ir::Func& func, ir::DimValues& dims) {
  const Weights file = Weights::load(args.inputs);
  std::vector<Buffer> inputs;
  std::vector<std::vector<int64_t>> shapes;
  for (ir::Value param : func.params) {
    inputs.push_back(file.at(func.value_name(param)));
    shapes.push_back(inputs.back().shape());
  }
  dims = ir::bind_dims(func, shapes, dims);
  return inputs;
}

/// Random inputs whose indices and lengths are in range.
std::vector<Buffer> make_inputs(const RunArgs& args, const ir::Func& func, const Signature& signature,
                                const ir::DimValues& dims) {
  need_dims(signature, dims);
  int64_t rows = std::numeric_limits<int32_t>::max();
  for (const Signature::Bound& b : signature.bounds)
    rows = std::min(rows, b.more + (b.bound.dim < 0 ? b.bound.size : dims.at(signature.dims[b.bound.dim])));
  const int64_t ids = signature.bounds.empty() ? 3 : std::max<int64_t>(rows, 1);
  std::vector<Buffer> inputs;
  for (const ir::Array& array : ir::random_inputs(func, dims, args.seed, ids))
    inputs.push_back(to_buffer(array));
  return inputs;
}

/// "hs f32[3,2]: 0.1 0.2 ...".
std::string describe(const std::string& name, const Buffer& buffer) {
  const ir::Array array = to_array(buffer);
  std::string text = fmt::format("{} {}:", name, to_string(buffer.dtype(), buffer.shape()));
  for (size_t i = 0; i < std::min(array.data.size(), kShown); ++i)
    text += fmt::format(" {:.6g}", array.data[i]);
  return array.data.size() > kShown ? text + " ..." : text;
}

/// Prints the outputs; with a reference, how far each is from it. Throws Error if one is further than the
/// tolerance.
void show_outputs(const Program& program, const std::vector<ir::Array>* reference, double tolerance) {
  std::string failures;
  const std::vector<Arg>& outputs = program.signature().outputs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Buffer& buffer = program.output(i);
    fmt::print("{}\n", describe(outputs[i].name, buffer));
    if (!reference) continue;
    const ir::Array got = to_array(buffer);
    const double difference = ir::difference({&got, 1}, {&(*reference)[i], 1});
    fmt::print("  largest difference {:.3g}\n", difference);
    if (!(difference <= tolerance))
      failures += fmt::format("{}{}", failures.empty() ? "" : ", ", outputs[i].name);
  }
  if (!failures.empty())
    throw Error(fmt::format("further than {:.3g} from the evaluator: {}", tolerance, failures));
}

void run_run(const RunArgs& args) {
  const ir::Func func = read_function(args.file, args.passes);
  codegen::CompileTimes times;
  const auto executable = codegen::compile(func, {}, &times);
  const Signature& signature = executable->signature();

  ir::DimValues dims = parse_dims(args.dims);
  for (const auto& [name, value] : dims)
    if (std::ranges::find(signature.dims, name) == signature.dims.end())
      throw Error(fmt::format("--dims: no dim {}", name));
  std::vector<Buffer> inputs =
      args.inputs.empty() ? make_inputs(args, func, signature, dims) : read_inputs(args, func, dims);
  need_dims(signature, dims);

  Program program(executable, {});
  program.resize(dims);
  for (size_t i = 0; i < inputs.size(); ++i) program.set(signature.inputs[i].name, inputs[i]);
  program.run();
  fmt::print("@{}: compiled in {:.1f} ms\n", signature.name, times.total() * 1e3);
  if (!args.check) return show_outputs(program, nullptr, 0);

  std::vector<ir::Array> arrays;
  for (const Buffer& input : inputs) arrays.push_back(to_array(input));
  const std::vector<ir::Array> reference = ir::evaluate(func, arrays, dims);
  show_outputs(program, &reference, args.tolerance.value_or(ir::tolerance(func)));
}

}  // namespace

void add_run(CLI::App& app) {
  auto args = std::make_shared<RunArgs>();
  CLI::App* run = app.add_subcommand("run", "Compiles a function, runs it and prints its outputs");
  run->add_option("file", args->file, "A .rondo file")->required();
  run->add_option(
      "--passes", args->passes,
      "Passes to run before: a pipeline, or inference, or training; mask-lengths if none is named");
  CLI::Option* inputs =
      run->add_option("--inputs", args->inputs, "A safetensors file with a tensor for each param");
  run->add_option("--random", args->seed, "Random inputs from this seed (default: 1)")->excludes(inputs);
  run->add_option("--dims", args->dims, "Named dims: T=5,B=2")->delimiter(',');
  run->add_flag("--check", args->check,
                "Compare with the reference evaluator; exit with 1 beyond the tolerance");
  run->add_option("--tolerance", args->tolerance,
                  "For --check: largest |a - b| / max(1, |b|); default 2e-5 where f32 occurs, else 1e-12");
  run->callback([args] { run_run(*args); });
}

}  // namespace rondo::tools
