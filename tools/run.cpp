#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "codegen/compile.h"
#include "ir/arrays.h"
#include "ir/evaluator.h"
#include "runtime/program.h"
#include "tools/commands.h"
#include "tools/model_file.h"

namespace rondo::tools {
namespace {

constexpr size_t kShown = 8;  // elements of an output that are printed

struct RunArgs {
  ModelArgs model;
  std::string function, passes = "mask-lengths", inputs;
  std::vector<std::string> dims;
  uint64_t seed = 1;
  bool check = false;
  std::optional<double> tolerance;
};

/// What runs, and which of its inputs have values.
struct Subject {
  ir::Func func;
  Weights weights;
  std::vector<std::string> state;    // zero
  std::vector<std::string> outputs;  // names; none: those of the values

  bool is_state(const std::string& name) const { return std::ranges::find(state, name) != state.end(); }
};

/// A file of text holds one function, all of whose inputs are given; a model of another kind brings its
/// weights, and starts.
Subject read_subject(const RunArgs& args, ir::DimValues& dims) {
  if (!is_imported(args.model)) return {read_function(args.model.file, args.passes), {}, {}, {}};
  const ImportedModel model = read_model(args.model, dims);
  const Function f = bind_training(model.function(args.function.empty() ? "run" : args.function), false);
  return {run_passes(f.func, args.passes), model.weights, f.state, f.outputs};
}

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

/// The names among the dims of a shape that these extents bind.
void learn_dims(const ir::Shape& shape, const std::vector<int64_t>& extents, ir::DimValues& dims) {
  for (size_t i = 0; i < std::min(shape.size(), extents.size()); ++i)
    if (shape[i].is_named()) dims.try_emplace(shape[i].name(), extents[i]);
}

/// Inputs from the file, else weights and states of the subject, with the dims that their shapes bind.
std::vector<Buffer> read_inputs(const RunArgs& args, const Subject& subject, ir::DimValues& dims) {
  const Weights file = Weights::load(args.inputs);
  const ir::Func& func = subject.func;
  std::vector<Buffer> inputs;
  for (ir::Value param : func.params) {
    const std::string& name = func.value_name(param);
    const bool given = file.contains(name) || !(subject.weights.contains(name) || subject.is_state(name));
    inputs.push_back(given                            ? file.at(name)
                     : subject.weights.contains(name) ? subject.weights.at(name)
                                                      : Buffer());
    if (given) learn_dims(func.type(param).shape, inputs.back().shape(), dims);
  }
  std::vector<std::vector<int64_t>> shapes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ir::Type& type = func.type(func.params[i]);
    if (!inputs[i].data()) inputs[i] = Buffer(type.dtype, ir::bind(type.shape, dims));
    shapes.push_back(inputs[i].shape());
  }
  dims = ir::bind_dims(func, shapes, dims);
  return inputs;
}

/// Random inputs whose indices and lengths are in range, beside the subject's weights and states.
std::vector<Buffer> make_inputs(const RunArgs& args, const Subject& subject, const Signature& signature,
                                const ir::DimValues& dims) {
  need_dims(signature, dims);
  int64_t rows = std::numeric_limits<int32_t>::max();
  for (const Signature::Bound& b : signature.bounds)
    rows = std::min(rows, b.more + (b.bound.dim < 0 ? b.bound.size : dims.at(signature.dims[b.bound.dim])));
  const int64_t ids = signature.bounds.empty() ? 3 : std::max<int64_t>(rows, 1);
  std::vector<Buffer> inputs;
  for (const ir::Array& array : ir::random_inputs(subject.func, dims, args.seed, ids)) {
    const std::string& name = subject.func.value_name(subject.func.params[inputs.size()]);
    inputs.push_back(subject.weights.contains(name) ? subject.weights.at(name) : to_buffer(array));
    if (subject.is_state(name)) inputs.back().clear();
  }
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
  ir::DimValues dims = parse_dims(args.dims);
  const Subject subject = read_subject(args, dims);
  const ir::Func& func = subject.func;
  codegen::CompileTimes times;
  const auto executable = codegen::compile(func, {.outputs = subject.outputs}, &times);
  const Signature& signature = executable->signature();

  for (const auto& [name, value] : dims)
    if (std::ranges::find(signature.dims, name) == signature.dims.end())
      throw Error(fmt::format("--dims: no dim {}", name));
  std::vector<Buffer> inputs =
      args.inputs.empty() ? make_inputs(args, subject, signature, dims) : read_inputs(args, subject, dims);
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
  add_model_options(*run, args->model);
  run->add_option("--function", args->function,
                  "Which function of a model that is imported; run if not given");
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
