#include "tools/bench/limits.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "codegen/kernels/kernel_costs.h"
#include "codegen/kernels/schedule_gemm.h"
#include "codegen/kernels/simplify_kernel.h"
#include "codegen/loops/fuse_rows.h"

namespace rondo::bench {
namespace {

using namespace ir;

std::string list(const std::vector<Poly>& extents) {
  std::vector<std::string> texts;
  for (const Poly& p : extents) texts.push_back(to_string(p));
  return fmt::format("[{}]", fmt::join(texts, ","));
}

class Limits {
 public:
  Limits(const LoopProgram& program, const codegen::Target& target, DimValues dims, const Rates& rates)
      : program_(program), target_(target), dims_(std::move(dims)), rates_(rates) {
    for (const Count& c : program.counts) dims_[c.name] = c.most.evaluate(dims_);
  }

  std::vector<KernelLimit> run() {
    walk(program_.stmts, 1);
    return std::move(limits_);
  }

 private:
  void walk(const std::vector<Stmt>& stmts, double times) {
    for (const Stmt& s : stmts) {
      if (s.kernel) add(*s.kernel, times);
      if (s.pack) add(*s.pack, times);
      if (s.loop) walk(*s.loop, times);
    }
  }

  void walk(const Loop& loop, double times) {
    const int64_t trip = loop.trip.evaluate(dims_);
    if (loop.windows) {
      for (int64_t window = 0; window < trip; ++window) {
        for (const Count& c : program_.counts)
          if (c.loop == loop.id && c.buffer == kNone)
            dims_[c.name] =
                std::min(c.most.evaluate(dims_), c.steps.evaluate(dims_) - window * c.most.evaluate(dims_));
        walk(loop.body, times);
      }
      return;
    }
    if (loop.rows) {
      const std::string outer = std::exchange(rows_, codegen::name_of_rows(loop));
      walk(loop.body, times * static_cast<double>(trip));
      rows_ = outer;
      return;
    }
    const Loop* const outer = std::exchange(loop_, &loop);
    const double outer_bytes = std::exchange(again_, bytes_again(loop.body));
    walk(loop.body, times * static_cast<double>(trip));
    loop_ = outer;
    again_ = outer_bytes;
  }

  KernelLimit& limit(const std::string& name, const std::string& what) {
    auto found = std::ranges::find(limits_, name, &KernelLimit::name);
    if (found != limits_.end()) return *found;
    limits_.push_back({.name = name, .what = what});
    return limits_.back();
  }

  void add(const Kernel& kernel, double times) {
    const std::string sums = kernel.accs.empty() ? "" : " sums over " + list(kernel.accs[0].dims);
    const std::string where = !loop_ ? "" : loop_->reverse ? ", each step backward" : ", each step";
    KernelLimit& l = rows_.empty() ? limit(kernel.name, list(kernel.dims) + sums + where)
                                   : limit(rows_, "all kernels of each row" + where);
    const codegen::KernelCosts costs = codegen::costs_of(kernel);
    const double products = times * number(costs.multiply_adds) * rates_.multiply_add;
    double operations = 0, memory = 0;
    for (const auto& [op, elements] : costs.operations)
      operations += times * number(elements) * rates_.stream(op);
    for (const codegen::Reached& r : codegen::reached(kernel))
      memory += times * bytes(r) * rates_.read(is_again(r.access) ? again_ : whole_bytes(r.access.buffer));
    memory += times * further_passes(kernel);
    const double chain = times * longest_path(kernel);
    const double packing =
        times * copying(static_cast<double>(codegen::packed_elements(kernel, target_, dims_)));
    l.products += products, l.operations += operations, l.memory += memory, l.chain += chain;
    l.packing += packing;
    l.least += std::max({products + operations, memory, chain}) + packing;
  }

  void add(const Pack& pack, double times) {
    KernelLimit& l = limit("pack", "copies of right operands for loops");
    const double seconds = times * copying(number(codegen::packed_elements(pack)));
    l.packing += seconds;
    l.least += seconds;
  }

  double copying(double elements) const {
    const double bytes = 2 * sizeof(float) * elements;
    return bytes == 0 ? 0 : bytes * rates_.read(bytes);
  }

  /// Whether each step of the loop around reaches the same elements.
  bool is_again(const Access& a) const { return loop_ && stride_of_loop(a, loop_->id).is_zero(); }

  /// What each step of a loop reaches again: it stays in the cache that so much fits into.
  double bytes_again(const std::vector<Stmt>& body) const {
    double sum = 0;
    for (const Stmt& s : body) {
      if (s.loop) sum += bytes_again(s.loop->body);
      if (!s.kernel) continue;
      for (const codegen::Reached& r : codegen::reached(*s.kernel))
        if (is_again(r.access)) sum += bytes(r);
    }
    return sum;
  }

  /// The tiles of a product read its right operands once a tile of rows and its left ones once a block of
  /// columns: after the first time from the cache that a panel, or a block of rows, fits into.
  double further_passes(const Kernel& original) const {
    if (original.schedule.form != Schedule::Form::gemm) return 0;
    const Kernel kernel = codegen::merge_dims(original, true);
    const codegen::GemmBlocks blocks = codegen::gemm_blocks(kernel, target_);
    const codegen::GemmColumns cut = codegen::gemm_columns(kernel, target_);
    const double rows = number(codegen::row_count(kernel)), columns = number(kernel.dims.back());
    const double row_tiles = std::ceil(rows / codegen::gemm_tile(kernel, target_).rows);
    const double column_blocks = std::ceil(columns / static_cast<double>(cut.widest()));
    double seconds = 0;
    for (const codegen::GemmGroup& g : codegen::gemm_groups(kernel)) {
      const double element = static_cast<double>(size_of(kernel.accs[g.accs[0]].dtype));
      const double terms = number(codegen::extent_of(kernel.accs[g.accs[0]].dims));
      const double at_once = kernel.schedule.block ? std::min(terms, static_cast<double>(blocks.k)) : terms;
      const double width = element * static_cast<double>(g.accs.size());
      const double height = element * std::min(rows, static_cast<double>(blocks.rows));
      const auto passes = [&](double bytes, double times, double panel) {
        return times > 1 ? bytes * (times - 1) * rates_.read(panel) : 0;
      };
      seconds +=
          passes(width * columns * terms, row_tiles, width * static_cast<double>(cut.widest()) * at_once);
      seconds += passes(element * rows * terms, column_blocks, height * at_once);
    }
    return seconds;
  }

  double longest_path(const Kernel& kernel) const {
    std::vector<double> sums, paths;
    for (const Accumulator& acc : kernel.accs)
      sums.push_back(number(codegen::extent_of(acc.dims)) / static_cast<double>(partial_sums(acc.order)) *
                     rates_.multiply_add_latency);
    const codegen::KernelCosts costs = codegen::costs_of(kernel);
    for (const Node& n : kernel.nodes) {
      double path = n.op == ScalarOp::acc ? sums[n.acc] : 0;
      for (NodeId arg : n.args) path = std::max(path, paths[arg]);
      paths.push_back(path + (costs.operations.contains(n.op) ? rates_.latency(n.op) : 0));
    }
    return paths.empty() ? 0 : std::ranges::max(paths);
  }

  double bytes(const codegen::Reached& r) const {
    return number(r.elements) * static_cast<double>(size_of(program_.buffers[r.access.buffer].dtype));
  }
  double whole_bytes(BufferId id) const {
    return number(program_.buffers[id].size) * static_cast<double>(size_of(program_.buffers[id].dtype));
  }
  double number(const Poly& p) const { return static_cast<double>(p.evaluate(dims_)); }

  const LoopProgram& program_;
  const codegen::Target& target_;
  DimValues dims_;
  const Rates& rates_;
  std::vector<KernelLimit> limits_;
  const Loop* loop_ = nullptr;  // the innermost one over steps
  std::string rows_;            // the name of the loop over rows around; empty: there is none
  double again_ = 0;
};

}  // namespace

std::vector<KernelLimit> limits_of(const LoopProgram& program, const codegen::Target& target,
                                   const DimValues& dims, const Rates& rates) {
  return Limits(program, target, dims, rates).run();
}

}  // namespace rondo::bench
