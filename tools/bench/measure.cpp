#include "tools/bench/measure.h"

#include <algorithm>
#include <cmath>

#include "codegen/target.h"
#include "frontend/arrays.h"
#include "ir/evaluator.h"
#include "passes/passes.h"
#include "tools/bench/machine.h"
#include "tools/bench/work.h"

namespace rondo::bench {

BuildOptions build_options(const Spec& spec) {
  BuildOptions options;
  options.dims = dims_to_bind(spec);
  options.threads = spec.threads;
  options.schedule = spec.schedule;
  options.cpu = spec.cpu;
  options.frozen = spec.mode != Mode::train;
  return options;
}

namespace {

Program compiled(const Function& function, const Weights& weights, const Spec& spec, BuildTimes* times) {
  BuildOptions options = build_options(spec);
  options.times = times;
  Program program = compile(function, weights, options);
  if (spec.mode != Mode::stream) program.resize({{"T", spec.steps}});
  return program;
}

double sum_of_outputs(const Program& program) {
  double sum = 0;
  for (size_t i = 0; i < program.signature().outputs.size(); ++i)
    for (double v : array_of(program.output(i)).data) sum += v;
  return sum;
}

ir::DimValues dims_of(const Spec& spec) { return {{"T", spec.steps}, {"B", spec.batch}}; }

double bytes_of(const Weights& weights) {
  double sum = 0;
  for (const auto& [name, buffer] : weights.all()) sum += static_cast<double>(buffer.bytes());
  return sum;
}

/// Inputs, outputs and state of the program's own; what an output shares with an input counts once.
double argument_bytes(const Program& program) {
  const Signature& s = program.signature();
  double sum = 0;
  for (const Arg& arg : s.inputs)
    if (!const_cast<Program&>(program).weights().contains(arg.name))
      sum += static_cast<double>(program.buffer(arg.name).bytes());
  for (size_t i = 0; i < s.outputs.size(); ++i)
    if (std::ranges::none_of(s.aliases, [&](const Signature::Alias& a) { return a.output == i; }))
      sum += static_cast<double>(program.output(i).bytes());
  return sum;
}

}  // namespace

void fill_inputs(Program& program, const Spec& spec) {
  uint32_t state = 1;
  auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
  for (const Arg& arg : program.signature().inputs) {
    if (arg.name != "x" && arg.name != "dy" && arg.name != "target") continue;
    if (arg.dtype == DType::i32) {
      for (int32_t& id : program.i32(arg.name)) id = static_cast<int32_t>(next() % spec.vocabulary);
    } else {
      for (float& v : program.f32(arg.name)) v = static_cast<float>(next()) * 0x1p-23f - 1;
    }
  }
}

Bench::Bench(const Spec& spec)
    : spec_(spec), built_(build(spec)), program_(compiled(built_.function, built_.weights, spec, &times_)) {
  fill_inputs(program_, spec);
  for (int64_t call = spec.mode == Mode::stream ? 16 : 1; call > 0; --call) {
    program_.run();
    checksum_ += sum_of_outputs(program_);
  }
}

int Bench::vector_bytes() const { return codegen::target_for(spec_.cpu).vector_bytes; }

size_t Bench::read_bytes() const {
  return static_cast<size_t>(step_weight_bytes(after_passes(), dims_of(spec_)));
}

double Bench::flops() const {
  return (spec_.mode == Mode::train ? 3 : 1) * matmul_flops(built_.forward.func, dims_of(spec_));
}

double Bench::least_seconds(double peak_gflops, double read_gbs) const {
  if (spec_.batch != 1) return flops() / peak_gflops * 1e-9;
  return seconds_of_one_row(after_passes(), dims_of(spec_), peak_gflops * 1e9, read_gbs * 1e9);
}

ir::Func Bench::after_passes() const {
  return passes::run_pipeline(built_.function.func, built_.function.pipeline);
}

double Bench::seconds(int64_t calls) {
  program_.run();
  const double start = now();
  for (int64_t call = 0; call < calls; ++call) program_.run();
  return (now() - start) / static_cast<double>(calls);
}

int64_t Bench::calls_in(double wanted) {
  int64_t calls = 1;
  double taken = seconds(1);
  while (taken < wanted / 2) {
    calls *= 2;
    taken = seconds(calls) * static_cast<double>(calls);
  }
  return std::max<int64_t>(1, std::llround(static_cast<double>(calls) * wanted / taken));
}

double max_abs_diff_vs_evaluator(const Spec& spec) {
  Spec small = spec;
  small.input = std::min<int64_t>(spec.input_size(), 9);
  small.hidden = std::min<int64_t>(spec.hidden, 17);
  small.batch = std::min<int64_t>(spec.batch, 3);
  small.steps = std::min<int64_t>(spec.steps, 5);
  small.vocabulary = std::min<int64_t>(spec.vocabulary, 11);
  const Built built = build(small);
  Program program = compiled(built.function, built.weights, small, nullptr);
  fill_inputs(program, small);
  const ir::Func& func = built.function.func;
  std::vector<ir::Array> inputs;
  for (ir::Value p : func.params) inputs.push_back(array_of(program.buffer(func.value_name(p))));
  const std::vector<ir::Array> expected = ir::evaluate(func, inputs, dims_of(small));
  program.run();
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const ir::Array got = array_of(program.output(i));
    for (size_t k = 0; k < got.data.size(); ++k) {
      const double difference = std::abs(got.data[k] - expected[i].data[k]);
      if (!(difference <= largest)) largest = difference;
    }
  }
  return largest;
}

Memory memory_of(const Spec& spec) {
  const Built built = build(spec);
  const bool train = spec.mode == Mode::train;
  const Function& function = train ? built.update : built.function;
  Program program = compiled(function, built.weights, spec, nullptr);
  Memory m;
  m.weights = bytes_of(built.weights);
  const double all_weights = bytes_of(program.weights());
  if (train) {
    m.gradients = m.weights;
    m.optimizer = all_weights - m.weights;
    const ir::Func func = passes::bind_dims(function.func, build_options(spec).dims);
    m.stash = stash_bytes(passes::run_pipeline(func, function.pipeline), dims_of(spec));
  }
  m.arguments = argument_bytes(program);
  m.whole = static_cast<double>(program.memory_bytes()) + all_weights;
  return m;
}

}  // namespace rondo::bench
