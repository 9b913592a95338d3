#include "codegen/loops/split_kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/kernels/simplify_kernel.h"
#include "codegen/loops/fuse_rows.h"

namespace rondo::codegen {

using namespace ir;

Range share_of(const Split& split, int64_t extent, int64_t thread, int64_t threads) {
  if (split.in_turn) return {thread, (extent - thread + threads - 1) / threads};
  const int64_t runs = (extent + split.grain - 1) / split.grain;
  auto start = [&](int64_t t) { return std::min(extent, runs * t / threads * split.grain); };
  return {start(thread), start(thread + 1) - start(thread)};
}

Share share_over(const Poly& extent, const Split& split) {
  const std::string what = fmt::format("{}/{}", to_string(extent), split.in_turn ? 0 : split.grain);
  return {"#first." + what, "#size." + what, extent, split};  // no dim is called so
}

KernelPart part_of(const Kernel& kernel, int64_t threads) {
  const Split split = kernel.schedule.split;
  KernelPart part{kernel, share_over(kernel.dims.at(split.dim), split)};
  Poly& extent = part.kernel.dims[split.dim];
  const Dim first(part.share.first);
  const int64_t step = split.in_turn ? threads : 1;
  visit_accesses(part.kernel, [&](Access& a) {
    const Poly stride = stride_of(a, split.dim);
    if (stride.is_zero()) return;
    a.offset += stride * first;
    a.strides[split.dim] = stride * Poly(step);
  });
  // A size that is one for all threads is a number: shapes that are known make the best tiles.
  const bool even = extent.is_constant() && extent.constant() % (threads * split.grain) == 0;
  extent = even ? Poly(extent.constant() / threads) : Poly(Dim(part.share.size));
  return part;
}

namespace {

/// Whether a block's number of steps, "512/B", or the number of such blocks, "T/512/B".
bool is_of_blocks(const Dim& steps, const Dim& longest) {
  return quotient_parts(longest) || (!steps.is_named() && longest.is_named());
}

/// One term by names of dims and of windows only:  ceil(a / b) b  is less than a + b, and ceil(a / b) at most
/// a.
Poly without_blocks(const Poly::Term& names, int64_t coefficient) {
  // "T/512/B" stands behind "512/B", which divides it.
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const auto parts = quotient_parts(*name);
    if (!parts || !is_of_blocks(parts->first, parts->second)) continue;
    Poly bound(parts->first);
    Poly::Term rest = names;
    rest.erase(std::ranges::find(rest, *name));
    if (const auto divisor = std::ranges::find(rest, parts->second.name()); divisor != rest.end()) {
      rest.erase(divisor);
      bound += Poly(parts->second) - Poly(1);
    }
    const Poly most = product(rest, coefficient) * bound;
    Poly result;
    for (const auto& [more, factor] : most.terms()) result += without_blocks(more, factor);
    return result;
  }
  return product(names, coefficient);
}

}  // namespace

Poly at_most(const LoopProgram& program, const Poly& p) {
  Poly most, result;
  for (const auto& [names, coefficient] : p.terms()) {
    Poly term = product(names, coefficient);
    // What is left of a number may be all of it.
    for (const Count& c : program.counts) {
      const bool counted = std::ranges::any_of(
          term.terms(), [&](const auto& t) { return std::ranges::count(t.first, c.name) > 0; });
      if (counted) term = coefficient < 0 ? Poly() : substitute(term, c.name, c.most);
    }
    most += term;
  }
  for (const auto& [names, coefficient] : most.terms()) result += without_blocks(names, coefficient);
  return result;
}

namespace {

/// Whether each term of p is a multiple of the product m, which has one term.
bool is_multiple(const Poly& p, const Poly& m) {
  const auto& [factors, coefficient] = *m.terms().begin();
  return std::ranges::all_of(p.terms(), [&, names = factors, number = coefficient](const auto& term) {
    return term.second % number == 0 && std::ranges::includes(term.first, names);
  });
}

bool not_negative(const Poly& p) {
  return std::ranges::all_of(p.terms(), [](const auto& term) { return term.second >= 0; });
}

}  // namespace

bool tells(const Access& a, size_t v, const std::vector<Poly>& extents, const Trips& trips) {
  // The index is  row * high + v * stride + low  with low in [0, stride), where a row is stride * extent.
  const Poly stride = stride_of(a, v), row = stride * extents.at(v);
  if (row.terms().size() != 1 || stride.terms().begin()->second <= 0) return false;
  Poly most;  // of low
  auto moves = [&](const Poly& by, const Poly& extent) {
    if (is_multiple(by, row)) return true;
    most += by * (extent - Poly(1));
    return not_negative(by);
  };
  for (size_t i = 0; i < extents.size(); ++i)
    if (i != v && !moves(stride_of(a, i), extents[i])) return false;
  for (const auto& [loop, by] : a.outer)
    if (!moves(by, trips.at(loop))) return false;
  if (a.row != kNone && !moves(a.row_stride, a.rows)) return false;
  Poly low;
  for (const auto& [names, coefficient] : a.offset.terms()) {
    const Poly term = product(names, coefficient);
    if (!is_multiple(term, row)) low += term;
  }
  return not_negative(low) && not_negative(stride - low - most - Poly(1));
}

namespace {

/// Points of the last dim that a thread takes together: a cache line, and whole vectors.
constexpr int64_t kColumns = 16;
/// kRowsOfThread where all weights are at least 1 MB of f32: then those of half the columns stay in a nearer
/// cache, which gains more than a wait at each step loses, until a thread has two tiles of rows.
constexpr int64_t kRowsOfMany = 12, kManyWeights = 1 << 18;

class Splitter {
 public:
  Splitter(LoopProgram& program, const Target& target) : program_(program), target_(target) {}

  void run() {
    find_loops(program_.stmts, false);
    walk(program_.stmts, false);
  }

 private:
  void find_loops(const std::vector<Stmt>& stmts, bool in_loop) {
    for (const Stmt& s : stmts) {
      if (s.kernel && in_loop && s.kernel->dims.size() > 1) rows_.insert(s.kernel->dims[0]);
      if (!s.loop) continue;
      trips_[s.loop->id] = s.loop->trip;
      find_loops(s.loop->body, true);
    }
  }

  void walk(std::vector<Stmt>& stmts, bool in_loop) {
    for (Stmt& s : stmts) {
      if (s.kernel) {
        // Steps and rows are one dim outside of loops, so that few steps or few rows do not matter.
        if (!in_loop) *s.kernel = merge_dims(*s.kernel, true);
        split(*s.kernel);
      }
      if (s.loop && s.loop->rows) {
        share_rows(*s.loop);
      } else if (s.loop) {
        loops_.push_back(s.loop->id);
        walk(s.loop->body, true);
        loops_.pop_back();
      }
    }
  }

  /// Of the loops over rows, the outermost that has rows for all threads is split.
  void share_rows(const Loop& loop, uint32_t level = 0) {
    const bool suits = !loop.trip.is_constant() || loop.trip.constant() >= program_.threads;
    const std::vector<Stmt>& body = loop.body;
    if (body.front().loop && !suits) return share_rows(*body.front().loop, level + 1);
    for (const Stmt& s : row_body(loop))
      if (suits) s.kernel->schedule.split = {level};
    const Loop* innermost = &loop;
    while (innermost->body.front().loop) innermost = innermost->body.front().loop.get();
    for (BufferId id : innermost->own) {
      Buffer& buffer = program_.buffers[id];
      buffer.own = whole_lines(buffer.size);
      buffer.size += buffer.own * Poly(program_.threads - 1);
    }
  }

  void split(Kernel& kernel) {
    kernel.schedule.split = choose(kernel);
    const Split& split = kernel.schedule.split;
    if (split.dim == kNone) return;
    const KernelPart part = part_of(kernel, program_.threads);
    auto give_own = [&](BufferId id, const Poly& size) {
      if (id == kNone) return;
      program_.buffers[id].own = largest(size, part.share);
      program_.buffers[id].size = program_.buffers[id].own * Poly(program_.threads);
    };
    give_own(kernel.schedule.workspace,
             kernel.schedule.workspace == kNone ? Poly() : gemm_scratch_size(part.kernel, target_));
    if (split.dim + 1 != kernel.dims.size()) return;
    for (uint32_t g = 0; g < kernel.schedule.packed.size(); ++g)
      if (kernel.schedule.packed[g] != kNone)
        give_own(kernel.schedule.packed[g], packed_size(part.kernel, g, target_));
  }

  /// A size over all threads, in whole cache lines.
  Poly largest(const Poly& size, const Share& share) const {
    Poly most = share.extent;
    if (share.extent.is_constant()) {
      int64_t n = 0;
      for (int64_t t = 0; t < program_.threads; ++t)
        n = std::max(n, share_of(share.split, share.extent.constant(), t, program_.threads).size);
      most = n;
    }
    return whole_lines(at_most(program_, substitute(size, share.size, most)));
  }

  static Poly whole_lines(const Poly& size) {
    Poly rounded;
    for (const auto& [names, coefficient] : size.terms())
      rounded += product(names, (coefficient + 15) / 16 * 16);
    return rounded;
  }

  Split choose(const Kernel& kernel) const {
    const auto rank = static_cast<uint32_t>(kernel.dims.size());
    std::vector<Split> fit;
    for (uint32_t d = 0; d < rank; ++d)
      if (may_split(kernel, d)) fit.push_back({d, grain(kernel, d), goes_in_turn(kernel.dims[d])});
    auto suits = [&](int64_t least) {
      return std::ranges::find_if(fit, [&](const Split& s) {
        const Poly& extent = kernel.dims[s.dim];
        return !extent.is_constant() ||
               extent.constant() >= (s.dim + 1 < rank ? least : program_.threads) * s.grain;
      });
    };
    // In blocks each thread packs the operands of its part: the smaller one rather twice.
    if (kernel.schedule.block && is_wide(kernel) && !fit.empty() && fit.back().dim + 1 == rank)
      std::rotate(fit.begin(), fit.end() - 1, fit.end());
    auto found = suits((weights(kernel) < kManyWeights ? kRowsOfThread : kRowsOfMany) * program_.threads);
    if (found == fit.end()) found = suits(program_.threads);
    if (found == fit.end()) found = suits(2);
    return found == fit.end() ? Split() : *found;
  }

  /// Elements of a product's right operands; 0 where that is not known.
  static int64_t weights(const Kernel& kernel) {
    if (kernel.schedule.form == Schedule::Form::vector) return 0;
    Poly all;
    for (const Accumulator& acc : kernel.accs) all += extent_of(acc.dims) * kernel.dims.back();
    return all.is_constant() ? all.constant() : 0;
  }

  /// Whether there are more columns than rows.
  static bool is_wide(const Kernel& kernel) {
    const Poly rows = row_count(kernel), columns = kernel.dims.back();
    return rows.is_constant() && columns.is_constant() && columns.constant() > rows.constant();
  }

  int64_t grain(const Kernel& kernel, uint32_t d) const {
    const bool columns = kernel.dims.size() > 1 || kernel.dims[d].is_constant();
    return d + 1 == kernel.dims.size() && columns && !rows_.count(kernel.dims[d]) ? kColumns : 1;
  }

  /// Whether points of different values of the dim write different elements.
  bool may_split(const Kernel& kernel, uint32_t d) const {
    std::vector<Poly> extents;
    for (const Poly& e : kernel.dims) extents.push_back(at_most(program_, e));
    return std::ranges::all_of(kernel.stores, [&](const Store& s) {
      if (s.ordered()) return tells(s.access, d, extents, trips_);
      return s.access.row == kNone ? !stride_of(s.access, d).is_zero() : numbered_by_list(kernel, s, d);
    });
  }

  /// Of a store to rows that a list numbers, each row once: whether the dim is that of the list, or of
  /// columns.
  static bool numbered_by_list(const Kernel& kernel, const Store& s, uint32_t d) {
    const Node& row = kernel.nodes[s.access.row];
    return row.op == ScalarOp::load && row.access.row == kNone &&
           (!stride_of(row.access, d).is_zero() || !stride_of(s.access, d).is_zero()) &&
           std::ranges::any_of(row.access.strides, [](const Poly& stride) { return !stride.is_zero(); });
  }

  /// In a loop whose rows are counted at each step, threads take rows in turn: so each keeps its rows, and
  /// the work stays even.
  bool goes_in_turn(const Poly& extent) const {
    return std::ranges::any_of(program_.counts, [&](const Count& c) {
      return c.buffer != kNone && c.loop != kNone && std::ranges::find(loops_, c.loop) != loops_.end() &&
             (extent == c.most || extent == Poly(Dim(c.name)));
    });
  }

  LoopProgram& program_;
  const Target& target_;
  Trips trips_;
  std::set<Poly> rows_;  // outermost extents of the kernels in loops
  std::vector<LoopId> loops_;
};

}  // namespace

void split_kernels(LoopProgram& program, const Target& target, int64_t threads) {
  program.threads = threads;
  Splitter(program, target).run();
  const std::vector<Pack> prepared = std::exchange(program.prepared, {});
  for (const Pack& pack : prepared) {
    Buffer& copy = program.buffers[pack.kernel->schedule.packed[pack.group]];
    if (copy.own.is_zero()) continue;
    copy.arg =
        program.inputs + program.outputs + static_cast<uint32_t>(prepared.size() + program.prepared.size());
    program.prepared.push_back(pack);
  }
}

}  // namespace rondo::codegen
