// A loop over time, run with the points outside and the steps inside: the elements that a point carries stay
// in registers from step to step, and many points are under way at once.
#include <algorithm>

#include "codegen/kernels/simplify_kernel.h"
#include "codegen/llvm/emit.h"
#include "codegen/loops/point_loops.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// More points keep the machine busy as it is, and are read in longer runs step by step.
constexpr int64_t kFewPoints = 64;

/// The nodes that are the same at every step: what depends on neither the loop nor what the kernel writes.
std::vector<char> steady_nodes(const Kernel& kernel, const Loop& loop) {
  auto written = [&](BufferId b) {
    return std::ranges::any_of(kernel.stores, [&](const Store& s) { return s.access.buffer == b; });
  };
  std::vector<char> steady;
  for (const Node& n : kernel.nodes) {
    const bool moves = std::ranges::any_of(n.access.outer, [&](const auto& o) { return o.first == loop.id; });
    bool same = !moves && !(n.op == ScalarOp::load && written(n.access.buffer));
    for (NodeId arg : n.args) same = same && steady[arg];
    if (n.op == ScalarOp::load && n.access.row != kNone) same = same && steady[n.access.row];
    steady.push_back(same);
  }
  return steady;
}

class PointLoop {
 public:
  PointLoop(FunctionBuilder& f, const Loop& loop, Kernel kernel)
      : f_(f), loop_(loop), kernel_(std::move(kernel)) {
    loop_.body = {{std::make_shared<Kernel>(kernel_), nullptr, nullptr}};
    carried_ = *carried_elements(loop_);
    steady_ = steady_nodes(kernel_, loop_);
    if (loop_.chunks) linear_ = *linear_steps(loop_);
  }

  void run() {
    if (kernel_.dims.empty()) return walk({{}, -1, 1, nullptr});
    const int columns = static_cast<int>(kernel_.dims.size()) - 1;
    std::vector<Poly> rows(kernel_.dims.begin(), kernel_.dims.end() - 1);
    f_.for_box(rows, [&](const Values& row) {
      for_lanes(f_, kernel_.dims.back(), lane_widths(),
                [&](llvm::Value* first, unsigned lanes, llvm::Value* mask) {
                  Scope scope{row, columns, lanes, mask};
                  scope.variables.push_back(first);
                  walk(scope);
                });
    });
  }

 private:
  std::vector<unsigned> lane_widths() const {
    const unsigned lanes = full_lanes(kernel_);
    if (lanes < 8 || loop_.chunks) return {lanes};
    return {4 * lanes, lanes};
  }

  void set_step(llvm::Value* i) {
    llvm::Value* last = f_.poly(loop_.trip - Poly(1));
    f_.set_loop_variable(loop_.id, loop_.reverse ? f_.b.CreateNSWSub(last, i) : i);
  }

  /// All steps of the points of `scope`.
  void walk(const Scope& scope) {
    set_step(f_.i64(0));
    const Values steady = NodeValues(f_, kernel_.nodes, scope, {}, {}, steady_).all();
    Values state;
    for (const Carried& c : carried_) state.push_back(load(scope, kernel_.nodes[c.loads.front()]));
    llvm::Value* first = f_.i64(0);
    if (loop_.chunks) {
      llvm::Value* length = f_.b.CreateSDiv(f_.poly(loop_.trip), f_.i64(loop_.chunks));
      state = walk_chunks(scope, steady, state, length);
      first = f_.mul(length, f_.i64(loop_.chunks));
    }
    state = f_.fold(first, f_.poly(loop_.trip), 1, state, [&](llvm::Value* i, const Values& carried) {
      set_step(i);
      return step(scope, steady, carried);
    });
    for (size_t c = 0; c < carried_.size(); ++c)
      if (!carried_[c].stacked) store(scope, kernel_.stores[carried_[c].store], state[c]);
  }

  /// Chunks of `length` steps, all at their first step, then all at their second, and so on: twice. At first
  /// from h = 0, which gives for each chunk  end = product h + sum,  where product is that of all a; so that
  /// the start of each follows from the start of the one before. Then from these starts. No product is
  /// divided by, so one that underflows only says that the start is forgotten.
  Values walk_chunks(const Scope& scope, const Values& steady, const Values& start, llvm::Value* length) {
    const size_t count = carried_.size(), chunks = static_cast<size_t>(loop_.chunks);
    auto at = [&](size_t chunk, llvm::Value* i) {
      set_step(f_.add(i, f_.mul(length, f_.i64(static_cast<int64_t>(chunk)))));
    };
    Values init;  // products, then sums; of the elements, for all chunks but the last
    for (llvm::Value* v : start) init.push_back(llvm::ConstantFP::get(v->getType(), 1));
    for (llvm::Value* v : start) init.push_back(llvm::Constant::getNullValue(v->getType()));
    Values states;
    for (size_t k = 0; k + 1 < chunks; ++k) states.insert(states.end(), init.begin(), init.end());
    states = f_.fold(f_.i64(0), length, 1, states, [&](llvm::Value* i, Values now) {
      for (size_t k = 0; k + 1 < chunks; ++k) {
        at(k, i);
        advance(scope, steady, std::span(now).subspan(2 * count * k, 2 * count));
      }
      return now;
    });
    Values starts = start;
    for (size_t k = 0; k + 1 < chunks; ++k)
      for (size_t c = 0; c < count; ++c)
        starts.push_back(f_.b.CreateFAdd(f_.b.CreateFMul(states[2 * count * k + c], starts[count * k + c]),
                                         states[2 * count * k + count + c]));
    const Values ends = f_.fold(f_.i64(0), length, 1, starts, [&](llvm::Value* i, const Values& now) {
      Values next;
      for (size_t k = 0; k < chunks; ++k) {
        at(k, i);
        const auto from = now.begin() + static_cast<std::ptrdiff_t>(count * k);
        const Values stepped = step(scope, steady, {from, from + static_cast<std::ptrdiff_t>(count)});
        next.insert(next.end(), stepped.begin(), stepped.end());
      }
      return next;
    });
    return {ends.end() - static_cast<std::ptrdiff_t>(count), ends.end()};
  }

  /// One step of a chunk's products and sums.
  void advance(const Scope& scope, const Values& steady, std::span<llvm::Value*> state) {
    std::vector<char> wanted(kernel_.nodes.size());
    for (const LinearStep& s : linear_)
      for (NodeId n : {s.a, s.b})
        if (n != kNone) wanted[n] = true;
    for (NodeId n = static_cast<NodeId>(wanted.size()); n-- > 0;) {
      if (!wanted[n]) continue;
      for (NodeId arg : kernel_.nodes[n].args) wanted[arg] = true;
      if (kernel_.nodes[n].op == ScalarOp::load && kernel_.nodes[n].access.row != kNone)
        wanted[kernel_.nodes[n].access.row] = true;
    }
    const NodeValues values(f_, kernel_.nodes, scope, {}, steady, wanted);
    const size_t count = linear_.size();
    for (size_t c = 0; c < count; ++c) {
      if (linear_[c].a != kNone)
        for (llvm::Value** v : {&state[c], &state[count + c]})
          *v = f_.b.CreateFMul(values.lanes(linear_[c].a), *v);
      if (linear_[c].b != kNone)
        state[count + c] = f_.b.CreateFAdd(state[count + c], values.lanes(linear_[c].b));
    }
  }

  Values step(const Scope& scope, Values known, const Values& carried) {
    for (size_t c = 0; c < carried_.size(); ++c)
      for (NodeId n : carried_[c].loads) known[n] = carried[c];
    const NodeValues values(f_, kernel_.nodes, scope, {}, std::move(known));
    for (size_t s = 0; s < kernel_.stores.size(); ++s)
      if (!overwritten(s)) values.store(kernel_.stores[s]);
    Values next;
    for (const Carried& c : carried_) next.push_back(values.lanes(kernel_.stores[c.store].value));
    return next;
  }

  /// Whether a store belongs to an element that only the last step needs to write.
  bool overwritten(size_t store) const {
    return std::ranges::any_of(carried_, [&](const Carried& c) { return c.store == store && !c.stacked; });
  }

  llvm::Value* load(const Scope& scope, const Node& node) {
    const Nodes nodes = {node};
    return NodeValues(f_, nodes, scope).lanes(0);
  }

  void store(const Scope& scope, Store to, llvm::Value* value) {
    const Nodes nodes = {kernel_.nodes[to.value]};
    to.value = 0;
    NodeValues(f_, nodes, scope, {}, {value}).store(to);
  }

  FunctionBuilder& f_;
  Loop loop_;
  Kernel kernel_;
  std::vector<Carried> carried_;
  std::vector<char> steady_;
  std::vector<LinearStep> linear_;  // of the carried elements, if there are chunks
};

}  // namespace

llvm::Value* few_points(FunctionBuilder& f, const Loop& loop) {
  Poly points = 1;
  for (const Poly& d : loop.body[0].kernel->dims) points = points * d;
  return f.b.CreateICmpSLE(f.poly(points), f.i64(kFewPoints));
}

void emit_point_loop(FunctionBuilder& f, const Loop& loop) {
  Kernel kernel = merge_dims(*loop.body[0].kernel, false);
  if (!kernel.dims.empty()) kernel = move_dim_last(kernel, best_lane_dim(kernel));
  PointLoop(f, loop, std::move(kernel)).run();
}

}  // namespace rondo::codegen
