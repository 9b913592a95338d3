#include "codegen/loops/thread_gain.h"

#include "codegen/loops/split_kernels.h"

namespace rondo::codegen {

using namespace ir;

namespace {

// Picoseconds on a machine of today: of one term of a matrix product, of other things for each element.
constexpr int64_t kProduct = 10, kTerm = 50, kMove = 50, kArithmetic = 10, kFunction = 300;
// To wake threads that sleep.
constexpr int64_t kStart = 10'000'000;

int64_t cost(ScalarOp op) {
  switch (op) {
    case ScalarOp::constant:
    case ScalarOp::size:
    case ScalarOp::acc: return 0;
    case ScalarOp::load: return kMove;
    case ScalarOp::exp:
    case ScalarOp::log:
    case ScalarOp::tanh:
    case ScalarOp::sigmoid:
    case ScalarOp::cos:
    case ScalarOp::random: return kFunction;
    default: return kArithmetic;
  }
}

int64_t cost(const Nodes& nodes) {
  int64_t sum = 0;
  for (const Node& n : nodes) sum += cost(n.op);
  return sum;
}

class Estimate {
 public:
  explicit Estimate(const LoopProgram& program) : program_(program) {}

  Poly shared, syncs;  // time of what is split, and how often all wait

  void visit(const std::vector<Stmt>& stmts, const Poly& times) {
    for (const Stmt& s : stmts) {
      if (s.sync) syncs += at_most(program_, times);
      if (s.kernel && s.kernel->schedule.split.dim != kNone)
        shared += at_most(program_, times * time(*s.kernel));
      if (s.loop) visit(s.loop->body, times * s.loop->trip);
    }
  }

 private:
  static Poly time(const Kernel& k) {
    Poly each = cost(k.nodes) + static_cast<int64_t>(k.stores.size()) * kMove;
    for (const Accumulator& acc : k.accs) {
      Poly terms = k.schedule.form != Schedule::Form::vector ? kProduct : kTerm + cost(acc.nodes);
      for (const Poly& d : acc.dims) terms = terms * d;
      each += terms;
    }
    for (const Poly& d : k.dims) each = each * d;
    return each;
  }

  const LoopProgram& program_;
};

}  // namespace

ThreadGain thread_gain(const LoopProgram& program) {
  Estimate estimate(program);
  estimate.visit(program.stmts, 1);
  Poly saved;
  // Rounding of the coefficients does not matter.
  for (const auto& [names, picoseconds] : estimate.shared.terms())
    saved += product(names, picoseconds * (program.threads - 1) / program.threads);
  return {saved - Poly(kStart), estimate.syncs};
}

}  // namespace rondo::codegen
