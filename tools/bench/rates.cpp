#include "tools/bench/rates.h"

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "codegen/llvm/jit.h"
#include "tools/bench/machine.h"

namespace rondo::bench {
namespace {

using namespace ir;

/// Elements that fit the first cache twice, and lanes of the widest vector.
constexpr int64_t kStream = 2048, kLanes = 16;
constexpr int64_t kSteps = 4096;
constexpr int kTurns = 7;

/// What takes more than an instruction or two, or is not pipelined.
bool is_function(ScalarOp op) {
  switch (op) {
    case ScalarOp::exp:
    case ScalarOp::log:
    case ScalarOp::tanh:
    case ScalarOp::sigmoid:
    case ScalarOp::sqrt:
    case ScalarOp::rsqrt:
    case ScalarOp::cos:
    case ScalarOp::div: return true;
    default: return false;
  }
}

/// to[i] = op(from[i], from[i] where it takes two).
std::shared_ptr<Kernel> apply(ScalarOp op, BufferId from, BufferId to, int64_t elements) {
  Node load, value;
  load.op = ScalarOp::load;
  load.access.buffer = from;
  load.access.strides = {1};
  value.op = op;
  value.args.assign(op == ScalarOp::div ? 2 : 1, 0);
  auto kernel = std::make_shared<Kernel>();
  kernel->name = "apply";
  kernel->dims = {elements};
  kernel->nodes = {load, value};
  kernel->stores = {{load.access, 1}};
  kernel->stores[0].access.buffer = to;
  return kernel;
}

LoopProgram empty_program(int64_t elements) {
  LoopProgram p;
  p.name = "rate";
  p.inputs = p.outputs = 1;
  p.buffers = {{"x", DType::f32, elements, Buffer::Kind::input, 0},
               {"y", DType::f32, elements, Buffer::Kind::output, 1}};
  return p;
}

double best_seconds(const LoopProgram& program, const codegen::Target& target) {
  const auto code = codegen::jit(program, target);
  std::vector<float> x(kStream, 0.7f), y(kStream, 0.7f);
  void* args[] = {x.data(), y.data()};
  double best = 1;
  for (int turn = 0; turn < kTurns; ++turn) {
    const double start = processor_time();
    constexpr int kCalls = 32;
    for (int call = 0; call < kCalls; ++call) code->entry()(args, nullptr, nullptr);
    best = std::min(best, (processor_time() - start) / kCalls);
  }
  return best;
}

double stream_seconds(ScalarOp op, const codegen::Target& target) {
  LoopProgram p = empty_program(kStream);
  p.stmts.push_back({apply(op, 0, 1, kStream), nullptr, nullptr});
  return best_seconds(p, target) / kStream;
}

/// One vector is its own next operand, in a register from step to step.
double latency_seconds(ScalarOp op, const codegen::Target& target) {
  LoopProgram p = empty_program(kLanes);
  auto loop = std::make_shared<Loop>();
  loop->trip = kSteps;
  loop->by_points = true;
  loop->body.push_back({apply(op, 1, 1, kLanes), nullptr, nullptr});
  p.stmts.push_back({nullptr, loop, nullptr});
  return best_seconds(p, target) / kSteps;
}

/// f, each value of which is found once.
template <class Key, class F>
std::function<double(Key)> remembered(F f) {
  return [f, found = std::make_shared<std::map<Key, double>>()](Key key) {
    const auto [at, fresh] = found->try_emplace(key);
    if (fresh) at->second = f(key);
    return at->second;
  };
}

}  // namespace

Rates measured_rates(const codegen::Target& target) {
  Rates rates;
  double peak = 0;
  for (int turn = 0; turn < kTurns; ++turn) peak = std::max(peak, fma_peak_gflops(1, target.vector_bytes));
  rates.multiply_add = 2 / peak * 1e-9;
  rates.multiply_add_latency = fma_latency();
  // What is no function is one operation of a vector, as a multiply-add is.
  rates.stream = remembered<ScalarOp>([=, one = rates.multiply_add](ScalarOp op) {
    return is_function(op) ? stream_seconds(op, target) : one;
  });
  rates.latency = remembered<ScalarOp>([=, one = rates.multiply_add_latency](ScalarOp op) {
    return is_function(op) ? latency_seconds(op, target) : one;
  });
  rates.read = remembered<double>([width = target.vector_bytes](double bytes) {
    const ReadBandwidth buffer(std::max<size_t>(static_cast<size_t>(bytes), 4096), 1, width);
    return 1 / std::max({buffer.gbs(), buffer.gbs(), buffer.gbs()}) * 1e-9;
  });
  return rates;
}

}  // namespace rondo::bench
