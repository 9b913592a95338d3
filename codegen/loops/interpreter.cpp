#include "codegen/loops/interpreter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "codegen/kernels/scalar_ops.h"
#include "codegen/loops/fuse_rows.h"
#include "codegen/loops/split_kernels.h"
#include "support/error.h"

namespace rondo::codegen {
namespace {

using namespace ir;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Calls visit(variables) for every point of the box, row-major, writing variables[first...].
template <class Visit>
void for_each_point(const std::vector<int64_t>& extents, std::vector<int64_t>& variables, size_t first,
                    Visit&& visit) {
  if (std::ranges::any_of(extents, [](int64_t n) { return n <= 0; })) return;
  for (size_t i = 0; i < extents.size(); ++i) variables[first + i] = 0;
  for (;;) {
    visit();
    size_t i = extents.size();
    while (i > 0 && ++variables[first + i - 1] == extents[i - 1]) variables[first + --i] = 0;
    if (i == 0) return;
  }
}

/// Where one buffer's elements are: cell `base + step * i` holds element i, and the cells between are its
/// further bytes.
struct Cells {
  std::vector<double>* memory = nullptr;
  int64_t base = 0, step = 1;
};

class Interpreter {
 public:
  Interpreter(const LoopProgram& program, const DimValues& dims) : program_(program), dims_(dims) {}

  std::vector<Array> run(std::span<const Array> inputs, std::span<const std::vector<int64_t>> output_shapes) {
    RONDO_CHECK(inputs.size() == program_.inputs && output_shapes.size() == program_.outputs, program_.name);
    std::vector<std::vector<double>> in;
    for (const Array& a : inputs) in.push_back(a.data);
    std::vector<Array> out(output_shapes.size());
    bind_buffers(in, out, output_shapes);
    run(program_.stmts);
    run_pending();
    return out;
  }

  int64_t terms() const { return terms_; }

 private:
  void bind_buffers(std::vector<std::vector<double>>& in, std::vector<Array>& out,
                    std::span<const std::vector<int64_t>> output_shapes) {
    std::vector<int64_t> starts = {0};
    for (const Poly& bytes : program_.slots)
      starts.push_back(starts.back() + (bytes.evaluate(dims_) + 63) / 64 * 64);
    arena_.assign(starts.back(), kNaN);
    for (const Buffer& b : program_.buffers) {
      int64_t count = b.size.evaluate(dims_), bytes = static_cast<int64_t>(size_of(b.dtype));
      Cells cells;
      if (b.kind == Buffer::Kind::input) {
        cells.memory = &in.at(b.arg);
        RONDO_CHECK(static_cast<int64_t>(cells.memory->size()) == count, "size of input " + b.name);
      } else if (b.kind == Buffer::Kind::output) {
        size_t index = b.arg - program_.inputs;
        out.at(index) = Array{b.dtype, output_shapes[index], std::vector<double>(count, kNaN)};
        cells.memory = &out[index].data;
      } else if (b.slot != kNone) {
        cells = {&arena_, starts.at(b.slot), bytes};
        RONDO_CHECK(cells.base + count * bytes <= starts.at(b.slot + 1),
                    "slot too small for buffer " + b.name);
      }
      cells_.push_back(cells);
    }
  }

  void run(const std::vector<Stmt>& stmts) {
    for (const Stmt& s : stmts) {
      // One thread runs all in order: how often a loop runs may be a count that the kernel before wrote.
      if (s.sync || program_.threads == 1) run_pending();
      if (s.kernel) pending_.push_back({s.kernel.get(), loop_values_, row_thread_});
      if (s.loop) run(*s.loop);
    }
  }

  /// What threads run until they wait for each other: one thread all, then the next one, the last one first.
  /// Where that is fine, any order is, unless two of them reach one element; and that is checked.
  void run_pending() {
    const std::map<LoopId, int64_t> here = loop_values_;
    for (int64_t t = program_.threads; t-- > 0;) {
      thread_ = t;
      for (const auto& [kernel, loop_values, row_thread] : pending_) {
        loop_values_ = loop_values;
        if (!row_thread)
          run(*kernel);
        else if (*row_thread == t)
          run_points(*kernel);
      }
    }
    loop_values_ = here;
    pending_.clear();
    reached_.clear();
  }

  void run(const Kernel& kernel) {
    read_counts();
    if (program_.threads == 1) return run_points(kernel);
    if (kernel.schedule.split.dim == kNone) {
      if (thread_ == 0) run_points(kernel);
      return;
    }
    auto part = parts_.find(&kernel);
    if (part == parts_.end()) part = parts_.emplace(&kernel, part_of(kernel, program_.threads)).first;
    const Share& share = part->second.share;
    const Range own = share_of(share.split, share.extent.evaluate(dims_), thread_, program_.threads);
    dims_[share.first] = own.first;
    dims_[share.size] = own.size;
    run_points(part->second.kernel);
  }

  void note_reach(const double& cell, const Access& access, bool write) {
    if (program_.threads == 1) return;
    const auto [it, fresh] = reached_.try_emplace(&cell, Reach{thread_, false, write});
    Reach& r = it->second;
    RONDO_CHECK(r.thread == thread_ ? !(write && r.others) : !(write || r.written),
                "threads race on buffer " + program_.buffers[access.buffer].name);
    r.others = r.others || r.thread != thread_;
    r.written = r.written || write;
  }

  void run(const Loop& loop) {
    read_counts();
    int64_t trip = loop.trip.evaluate(dims_);
    for (int64_t i = 0; i < trip; ++i) {
      loop_values_[loop.id] = loop.reverse ? trip - 1 - i : i;
      const bool shared = loop.rows && program_.threads > 1;
      if (shared) enter_row(loop, i, trip);
      run(loop.body);
      if (shared) leave_row(loop);
    }
    loop_values_.erase(loop.id);
  }

  /// Finds the thread that runs a row: the first one where rows are not split.
  void enter_row(const Loop& loop, int64_t row, int64_t rows) {
    const Split& split = row_body(loop).front().kernel->schedule.split;
    if (split.dim == kNone) row_thread_ = 0;
    if (split.dim == row_level_++)
      for (int64_t t = 0; t < program_.threads; ++t)
        if (const Range own = share_of(split, rows, t, program_.threads); row >= own.first && own.size > 0)
          row_thread_ = t;
  }
  void leave_row(const Loop& loop) {
    --row_level_;
    if (const uint32_t dim = row_body(loop).front().kernel->schedule.split.dim;
        dim == kNone || dim == row_level_)
      row_thread_.reset();
  }

  /// Binds the counts that are known by now.
  void read_counts() {
    for (const Count& c : program_.counts) {
      if (c.loop != kNone && !loop_values_.count(c.loop)) continue;
      if (c.buffer == kNone) {
        const int64_t most = c.most.evaluate(dims_), steps = c.steps.evaluate(dims_);
        dims_[c.name] = std::min(most, steps - loop_values_[c.loop] * most);
        continue;
      }
      const Cells& cells = cells_.at(c.buffer);
      double value = (*cells.memory)[cells.base + cells.step * (c.loop == kNone ? 0 : loop_values_[c.loop])];
      if (!std::isnan(value)) dims_[c.name] = static_cast<int64_t>(value);
    }
  }

  void run_points(const Kernel& kernel) {
    variables_.assign(kernel.dims.size(), 0);
    std::vector<double> accs(kernel.accs.size());
    for_each_point(evaluate(kernel.dims), variables_, 0, [&] {
      for (size_t a = 0; a < accs.size(); ++a) accs[a] = accumulate(kernel.accs[a], kernel.dims.size());
      std::vector<double> values = evaluate(kernel.nodes, accs);
      for (const Store& s : kernel.stores) {
        double& cell = at(s.access, values);
        note_reach(cell, s.access, true);
        cell = s.add ? cell + values[s.value] : values[s.value];
        const Cells& c = cells_[s.access.buffer];
        for (int64_t i = 1; i < c.step; ++i) (&cell)[i] = kNaN;
      }
    });
  }

  double accumulate(const Accumulator& acc, size_t rank) {
    std::vector<int64_t> extents = evaluate(acc.dims);
    variables_.resize(rank + extents.size());
    double partial[partial_sums(SumOrder::lanes)] = {}, best = -std::numeric_limits<double>::infinity(),
           best_index = 0;
    int64_t index = 0;
    for_each_point(extents, variables_, rank, [&] {
      double term = evaluate(acc.nodes, {})[acc.value];
      ++terms_;
      if (acc.kind == AccKind::sum) {
        partial[acc.order == SumOrder::chain ? 0 : variables_.back() % partial_sums(acc.order)] += term;
      } else if (best < term) {
        best = term;
        best_index = static_cast<double>(index);
      }
      ++index;
    });
    variables_.resize(rank);
    for (int64_t width = partial_sums(SumOrder::lanes) / 2; width > 0; width /= 2)
      for (int64_t l = 0; l < width; ++l) partial[l] += partial[l + width];
    if (acc.kind == AccKind::sum) return partial[0];
    return acc.kind == AccKind::max ? best : best_index;
  }

  std::vector<int64_t> evaluate(const std::vector<Poly>& polys) const {
    std::vector<int64_t> values;
    for (const Poly& p : polys) values.push_back(p.evaluate(dims_));
    return values;
  }

  /// Offset plus the variables' contributions, without the row.
  int64_t affine(const Access& access) const {
    int64_t at = access.offset.evaluate(dims_);
    for (size_t i = 0; i < access.strides.size() && i < variables_.size(); ++i)
      if (variables_[i] != 0) at += variables_[i] * access.strides[i].evaluate(dims_);
    for (const auto& [loop, stride] : access.outer) at += loop_values_.at(loop) * stride.evaluate(dims_);
    return at;
  }

  double& at(const Access& access, const std::vector<double>& values) {
    int64_t index = affine(access);
    if (access.row != kNone) {
      int64_t rows = access.rows.evaluate(dims_), row = static_cast<int64_t>(values[access.row]);
      index += std::clamp<int64_t>(row, 0, rows - 1) * access.row_stride.evaluate(dims_);
    }
    index += thread_ * program_.buffers[access.buffer].own.evaluate(dims_);
    const Cells& cells = cells_.at(access.buffer);
    RONDO_CHECK(cells.memory, "buffer without memory: " + program_.buffers[access.buffer].name);
    int64_t count = program_.buffers[access.buffer].size.evaluate(dims_);
    RONDO_CHECK(index >= 0 && index < count,
                "access outside of buffer " + program_.buffers[access.buffer].name);
    return (*cells.memory)[cells.base + cells.step * index];
  }

  double load(const Access& access, const std::vector<double>& values) {
    const double& cell = at(access, values);
    note_reach(cell, access, false);
    return cell;
  }

  std::vector<double> evaluate(const Nodes& nodes, const std::vector<double>& accs) {
    std::vector<double> values;
    for (const Node& n : nodes) {
      double x[3] = {};
      for (size_t i = 0; i < n.args.size(); ++i) x[i] = values[n.args[i]];
      double v = n.op == ScalarOp::acc     ? accs.at(n.acc)
                 : n.op == ScalarOp::load  ? load(n.access, values)
                 : n.op == ScalarOp::index ? static_cast<double>(affine(n.access))
                 : n.op == ScalarOp::size  ? static_cast<double>(n.access.offset.evaluate(dims_))
                                           : evaluate_scalar(n, x);
      values.push_back(v);
    }
    return values;
  }

  /// A kernel of a step.
  struct Pending {
    const Kernel* kernel;
    std::map<LoopId, int64_t> loop_values;
    std::optional<int64_t> row_thread;  // of a row that one thread runs
  };
  /// Who reached an element since all threads waited: one, and maybe others.
  struct Reach {
    int64_t thread;
    bool others, written;
  };

  const LoopProgram& program_;
  DimValues dims_;             // and counts, and the share of a thread
  std::vector<double> arena_;  // one cell per byte of scratch
  std::vector<Cells> cells_;   // per buffer
  std::map<LoopId, int64_t> loop_values_;
  int64_t terms_ = 0;
  int64_t thread_ = 0;
  std::optional<int64_t> row_thread_;
  uint32_t row_level_ = 0;
  std::vector<Pending> pending_;
  std::map<const Kernel*, KernelPart> parts_;
  std::unordered_map<const double*, Reach> reached_;
  std::vector<int64_t> variables_;  // the kernel's dims, then those of the accumulator in evaluation
};

}  // namespace

std::vector<Array> interpret(const LoopProgram& program, std::span<const Array> inputs,
                             std::span<const std::vector<int64_t>> output_shapes, const DimValues& dims,
                             int64_t* terms) {
  Interpreter interpreter(program, dims);
  std::vector<Array> out = interpreter.run(inputs, output_shapes);
  if (terms) *terms = interpreter.terms();
  return out;
}

}  // namespace rondo::codegen
