#include "codegen/loops/step_runs.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "codegen/loops/fuse_rows.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Bytes of a step from which it pays to ask: less the machine's own prefetchers bring in time.
constexpr int64_t kLargeStep = 1 << 16;

bool are_large(const std::vector<Run>& runs) {
  int64_t bytes = 0;
  for (const Run& r : runs) {
    if (!r.elements.is_constant()) return true;
    bytes += r.elements.constant() * static_cast<int64_t>(size_of(r.dtype));
  }
  return bytes >= kLargeStep;
}

class Runs {
 public:
  Runs(const Loop& loop, int64_t threads) : loop_(loop), threads_(threads) {}

  /// What a kernel reaches, at this step or the next one.
  void add(const Kernel& whole, bool next_step) {
    const Kernel k = part(whole);
    for (const Accumulator& acc : k.accs) {
      std::vector<Poly> extents = k.dims;
      extents.insert(extents.end(), acc.dims.begin(), acc.dims.end());
      add(acc.nodes, extents, next_step);
    }
    add(k.nodes, k.dims, next_step);
    for (const Store& s : k.stores) add(s.access, k.nodes[s.value].dtype, k.dims, next_step);
  }

  StepRuns all() && { return std::move(all_); }

 private:
  Kernel part(const Kernel& k) {
    if (threads_ == 1 || k.schedule.split.dim == kNone) return k;
    KernelPart part = part_of(k, threads_);
    all_.shares.push_back(std::move(part.share));
    return std::move(part.kernel);
  }

  void add(const Nodes& nodes, const std::vector<Poly>& extents, bool next_step) {
    for (const Node& n : nodes)
      if (n.op == ScalarOp::load) add(n.access, n.dtype, extents, next_step);
  }

  void add(Access a, DType dtype, const std::vector<Poly>& extents, bool next_step) {
    const Poly step = stride_of_loop(a, loop_.id);
    if (a.row != kNone || step.is_zero()) return;
    Poly elements = 1;
    for (size_t v = 0; v < extents.size(); ++v) elements += stride_of(a, v) * (extents[v] - Poly(1));
    if (next_step) a.offset += loop_.reverse ? step * Poly(-1) : step;
    a.strides.clear();
    merge({std::move(a), std::move(elements), dtype}, step);
  }

  /// Columns of the same rows, and what stands a step or less apart, are one run.
  void merge(Run run, const Poly& step) {
    for (Run& r : all_.runs) {
      if (r.first.buffer != run.first.buffer || r.first.outer != run.first.outer) continue;
      const Poly apart = run.first.offset - r.first.offset;
      if (!apart.is_constant() ||
          (step.is_constant() && std::abs(apart.constant()) > std::abs(step.constant())))
        continue;
      const auto& [low, high] = apart.constant() < 0 ? std::tie(run, r) : std::tie(r, run);
      const Poly more = high.elements + high.first.offset - low.first.offset - low.elements;
      if (!more.is_constant()) continue;
      r = {low.first, low.elements + Poly(std::max<int64_t>(more.constant(), 0)), low.dtype};
      return;
    }
    all_.runs.push_back(std::move(run));
  }

  const Loop& loop_;
  int64_t threads_;
  StepRuns all_;
};

}  // namespace

StepRuns runs_after(const Loop& loop, size_t product, int64_t threads) {
  Runs runs(loop, threads);
  for (size_t n = 1; n <= loop.body.size(); ++n) {
    const size_t i = (product + n) % loop.body.size();
    const Stmt& s = loop.body[i];
    const bool next_step = i <= product;
    if (s.loop && !s.loop->rows) break;
    if (s.loop)
      for (const Stmt& of_row : row_body(*s.loop)) {
        Kernel k = over_all_rows(*s.loop, *of_row.kernel);
        k.schedule.split = row_body(*s.loop).front().kernel->schedule.split;
        runs.add(k, next_step);
      }
    if (!s.kernel || s.kernel->schedule.form == Schedule::Form::none) continue;
    if (s.kernel->schedule.form != Schedule::Form::vector) break;
    runs.add(*s.kernel, next_step);
  }
  StepRuns all = std::move(runs).all();
  return are_large(all.runs) ? all : StepRuns{};
}

}  // namespace rondo::codegen
