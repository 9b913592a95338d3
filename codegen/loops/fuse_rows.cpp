#include "codegen/loops/fuse_rows.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "codegen/kernels/simplify_kernel.h"
#include "codegen/loops/split_kernels.h"
#include "codegen/loops/sum_columns.h"
#include "codegen/loops/touches.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Lanes of whole vectors.
constexpr int64_t kLanes = 16;

/// Rows at a time: enough that their sums do not wait for each other, few enough for a near cache.
constexpr uint64_t kAbreast = 8;

using Extents = std::vector<Poly>;

bool starts_with(const Extents& dims, const Extents& rows) {
  return dims.size() >= rows.size() && std::equal(rows.begin(), rows.end(), dims.begin());
}

/// Whether all accesses of an expression reach elements that follow each other along a variable, or one.
bool in_runs(const Nodes& nodes, size_t variable) {
  return std::ranges::all_of(nodes, [&](const Node& n) {
    if (n.op != ScalarOp::load) return true;
    const Poly stride = stride_of(n.access, variable);
    return (stride.is_zero() || stride == Poly(1)) &&
           (n.access.row == kNone || stride_of(nodes[n.access.row].access, variable).is_zero());
  });
}

/// Sums or maxima over the elements of rows.
bool reduces_rows(const Kernel& k, const Extents& rows) {
  return k.dims == rows && !k.accs.empty() && std::ranges::all_of(k.accs, [&](const Accumulator& a) {
           return !a.dims.empty() && (a.order == SumOrder::lanes || a.kind != AccKind::sum) &&
                  in_runs(a.nodes, rows.size() + a.dims.size() - 1);
         });
}

/// Whether vectors of columns are mostly full.
bool fills_vectors(const Poly& columns) {
  if (!columns.is_constant()) return true;
  const int64_t n = columns.constant(), whole = (n + kLanes - 1) / kLanes * kLanes;
  return 4 * whole <= 5 * n;
}

bool is_one_row(const Extents& rows) {
  return std::ranges::all_of(rows, [](const Poly& extent) { return extent == Poly(1); });
}

int64_t abreast(const Poly& rows) {
  const uint64_t most = rows.is_constant() ? static_cast<uint64_t>(rows.constant()) : kAbreast;
  return static_cast<int64_t>(std::bit_floor(std::clamp<uint64_t>(most, 1, kAbreast)));
}

/// Element by element, of the columns of rows.
bool maps_rows(const Kernel& k, const Extents& rows) {
  if (!k.accs.empty() || k.dims.size() != rows.size() + 1 || !starts_with(k.dims, rows)) return false;
  if (!fills_vectors(k.dims.back()) && !is_one_row(rows)) return false;
  return in_runs(k.nodes, rows.size()) && std::ranges::all_of(k.stores, [&](const Store& s) {
           return s.access.row == kNone && stride_of(s.access, rows.size()) == Poly(1);
         });
}

class RowFuser {
 public:
  RowFuser(ProgramBuilder& p, const std::vector<Signature::Alias>& aliases, int64_t threads)
      : p_(p), threads_(threads), trips_(trips_of(p.program)) {
    for (uint32_t i = 0; i < p.program.buffers.size(); ++i) homes_.push_back(i);
    for (const Signature::Alias& a : aliases)
      homes_[buffer_of(p.program.inputs + a.output)] = buffer_of(a.input);
    for (const auto& [buffer, touches] : touches_of(p.program))
      for (const Touch& t : touches) touches_[t.kernel].push_back(t);
  }

  void run() {
    walk(p_.program.stmts);
    for (const auto& [buffer, touches] : touches_of(p_.program)) shrink(buffer, touches);
  }

 private:
  BufferId buffer_of(uint32_t argument) const {
    const std::vector<Buffer>& buffers = p_.program.buffers;
    const auto found = std::ranges::find_if(
        buffers, [&](const Buffer& b) { return b.kind != Buffer::Kind::scratch && b.arg == argument; });
    return static_cast<BufferId>(found - buffers.begin());
  }

  void walk(std::vector<Stmt>& stmts) {
    std::vector<Stmt> fused;
    for (size_t i = 0; i < stmts.size();) {
      if (stmts[i].loop && !stmts[i].loop->by_points) walk(stmts[i].loop->body);
      const std::span rest(stmts.begin() + static_cast<std::ptrdiff_t>(i), stmts.end());
      const auto [rows, count] = longest_run(rest);
      if (count > 1)
        std::ranges::move(rows_loop(rest.first(count), rows), std::back_inserter(fused));
      else
        fused.push_back(std::move(stmts[i]));
      i += std::max<size_t>(count, 1);
    }
    stmts = std::move(fused);
  }

  /// How many of the statements can be one loop over rows, and over which.
  std::pair<Extents, size_t> longest_run(std::span<const Stmt> stmts) const {
    std::pair<Extents, size_t> longest;
    if (!stmts[0].kernel) return longest;
    Extents rows = stmts[0].kernel->dims;
    for (int i = 0; i < 2 && !rows.empty(); ++i, rows.pop_back())
      if (const size_t count = has_enough(rows) ? run_over(stmts, rows) : 0; count > longest.second)
        longest = {rows, count};
    return longest;
  }

  /// Whether all threads have rows, always the same ones.
  bool has_enough(const Extents& rows) const {
    const bool counted =
        std::ranges::any_of(rows, [&](const Poly& e) { return at_most(p_.program, e) != e; });
    return threads_ == 1 || (!counted && std::ranges::any_of(rows, [&](const Poly& extent) {
             return !extent.is_constant() || extent.constant() >= kRowsOfThread * threads_;
           }));
  }

  size_t run_over(std::span<const Stmt> stmts, const Extents& rows) const {
    size_t count = 0;
    bool reduces = false;
    for (; count < stmts.size() && can_follow(stmts.first(count), stmts[count], rows); ++count)
      reduces = reduces || reduces_rows(*stmts[count].kernel, rows);
    return reduces ? count : 0;
  }

  bool can_follow(std::span<const Stmt> before, const Stmt& s, const Extents& rows) const {
    if (!s.kernel || s.kernel->schedule.form != Schedule::Form::vector) return false;
    const Kernel& k = *s.kernel;
    if (!reduces_rows(k, rows) && !maps_rows(k, rows) && !adds_rows(k, rows)) return false;
    if (std::ranges::any_of(k.stores, [&](const Store& st) { return st.ordered() || is_count(st); }))
      return false;
    return std::ranges::all_of(before, [&](const Stmt& b) { return share_rows_only(*b.kernel, k, rows); });
  }

  /// Sums of columns that take a row after the other.
  bool adds_rows(const Kernel& k, const Extents& rows) const {
    return threads_ == 1 && !is_one_row(rows) && sums_columns(k, rows) && fills_vectors(k.dims[0]) &&
           std::ranges::all_of(k.accs, [](const Accumulator& a) { return in_runs(a.nodes, 0); });
  }

  bool is_count(const Store& s) const {
    return std::ranges::any_of(p_.program.counts,
                               [&](const Count& c) { return c.buffer == s.access.buffer; });
  }

  /// Whether no row of one kernel reaches what another row of the other writes, nor the other way round.
  bool share_rows_only(const Kernel& a, const Kernel& b, const Extents& rows) const {
    for (const Touch& x : touches_.at(&a))
      for (const Touch& y : touches_.at(&b)) {
        if (homes_[x.access->buffer] != homes_[y.access->buffer] || !(x.store || y.store)) continue;
        const std::optional<size_t> of_x = first_row_variable(x, rows), of_y = first_row_variable(y, rows);
        if (!of_x || !of_y) return false;
        for (size_t v = 0; v < rows.size(); ++v)
          if (rows[v] != Poly(1) && !tell_alike(x, *of_x + v, y, *of_y + v)) return false;
      }
    return true;
  }

  /// Sums of columns read rows in their terms; what else they reach, they reach once for all rows.
  static std::optional<size_t> first_row_variable(const Touch& t, const Extents& rows) {
    if (!sums_columns(*t.kernel, rows)) return 0;
    return t.in_accumulator ? std::optional(t.kernel->dims.size()) : std::nullopt;
  }

  bool tell_alike(const Touch& x, size_t of_x, const Touch& y, size_t of_y) const {
    return stride_of(*x.access, of_x) == stride_of(*y.access, of_y) &&
           tells(*x.access, of_x, x.extents, trips_) && tells(*y.access, of_y, y.extents, trips_);
  }

  static Stmt statement(Kernel k) { return {std::make_shared<Kernel>(std::move(k)), nullptr, nullptr}; }

  /// The loop, between what starts sums of columns and what follows from them.
  std::vector<Stmt> rows_loop(std::span<const Stmt> stmts, const Extents& rows) {
    std::vector<Kernel> kernels;
    std::vector<Stmt> all, ends;
    for (const Stmt& s : stmts) {
      if (!sums_columns(*s.kernel, rows)) {
        kernels.push_back(*s.kernel);
        continue;
      }
      ColumnSums parts = part_column_sums(p_, *s.kernel);
      all.push_back(statement(std::move(parts.start)));
      kernels.push_back(std::move(parts.add));
      ends.push_back(statement(std::move(parts.end)));
    }
    all.push_back({nullptr, rows_loop(std::move(kernels), rows), nullptr});
    std::ranges::move(ends, std::back_inserter(all));
    return all;
  }

  std::shared_ptr<Loop> rows_loop(std::vector<Kernel> kernels, Extents rows) {
    merge_rows(kernels, rows);
    std::shared_ptr<Loop> outermost, innermost;
    std::vector<LoopId> ids;
    for (const Poly& extent : rows) {
      auto loop = std::make_shared<Loop>();
      ids.push_back(loop->id = p_.loops++);
      loop->trip = extent;
      loop->rows = true;
      if (innermost)
        innermost->body = {{nullptr, loop, nullptr}};
      else
        outermost = loop;
      innermost = loop;
    }
    innermost->abreast = abreast(rows.back());
    loops_.push_back(innermost);
    for (Kernel& k : kernels) innermost->body.push_back(statement(row_of(std::move(k), ids)));
    return outermost;
  }

  /// Makes dims of rows one where all kernels walk them as one, so that there are many rows where there are
  /// many steps.
  static void merge_rows(std::vector<Kernel>& kernels, Extents& rows) {
    for (size_t v = rows.size(); v-- > 0 && rows.size() > 1;) {
      const bool one = rows[v] == Poly(1), last = v + 1 == rows.size();
      if (!one && (last || !walk_as_one(kernels, v, rows[v + 1]))) continue;
      if (!one) rows[v + 1] = rows[v] * rows[v + 1];
      rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(v));
      for (Kernel& k : kernels) {
        k.dims.erase(k.dims.begin());
        std::ranges::copy(rows, k.dims.begin());
        visit_accesses(k, [&](Access& a) {
          if (v < a.strides.size()) a.strides.erase(a.strides.begin() + static_cast<std::ptrdiff_t>(v));
        });
      }
    }
  }

  static bool walk_as_one(std::vector<Kernel>& kernels, size_t v, const Poly& inner) {
    bool fits = true;
    for (Kernel& k : kernels)
      visit_accesses(k, [&](Access& a) { fits = fits && stride_of(a, v) == stride_of(a, v + 1) * inner; });
    return fits;
  }

  static Kernel row_of(Kernel k, const std::vector<LoopId>& rows) {
    const auto count = static_cast<std::ptrdiff_t>(rows.size());
    k.dims.erase(k.dims.begin(), k.dims.begin() + count);
    visit_accesses(k, [&](Access& a) {
      for (size_t v = 0; v < rows.size(); ++v)
        if (const Poly stride = stride_of(a, v); !stride.is_zero()) a.outer.emplace_back(rows[v], stride);
      const auto known = std::min(count, static_cast<std::ptrdiff_t>(a.strides.size()));
      a.strides.erase(a.strides.begin(), a.strides.begin() + known);
    });
    return k;
  }

  /// Makes a buffer that the kernels of one row alone use, and write first, one of a row.
  void shrink(BufferId id, const Touches& touches) {
    Buffer& buffer = p_.program.buffers[id];
    const auto found = std::ranges::find(loops_, touches.front().loop(), &std::shared_ptr<Loop>::get);
    if (buffer.kind != Buffer::Kind::scratch || found == loops_.end()) return;
    Loop& loop = **found;
    const auto& outer = touches.front().access->outer;
    const Poly size = outer.empty() ? Poly(1) : outer.back().second;
    if (!size.is_constant()) return;
    bool written = false;
    for (const Touch& t : touches) {
      written = written || t.store;
      if (t.loop() != &loop || !written || t.access->outer != outer || !is_within(t, size.constant())) return;
    }
    for (const Touch& t : touches) t.access->outer.clear();
    buffer.size = size * Poly(loop.abreast);
    loop.own.push_back(id);
  }

  static bool is_within(const Touch& t, int64_t size) {
    const Access& a = *t.access;
    if (a.row != kNone || !a.offset.is_constant() || a.offset.constant() < 0) return false;
    int64_t last = a.offset.constant();
    for (size_t v = 0; v < a.strides.size(); ++v) {
      const Poly reach = a.strides[v] * (t.extents[v] - Poly(1));
      if (!reach.is_constant() || reach.constant() < 0) return false;
      last += reach.constant();
    }
    return last < size;
  }

  ProgramBuilder& p_;
  int64_t threads_;
  Trips trips_;
  std::vector<BufferId> homes_;  // the buffer whose memory a buffer has
  std::map<const Kernel*, Touches> touches_;
  std::vector<std::shared_ptr<Loop>> loops_;  // the innermost ones over rows
};

}  // namespace

void fuse_rows(ProgramBuilder& p, const std::vector<Signature::Alias>& aliases, int64_t threads) {
  RowFuser(p, aliases, threads).run();
}

const std::vector<Stmt>& row_body(const Loop& loop) {
  const Stmt& first = loop.body.front();
  return first.loop ? row_body(*first.loop) : loop.body;
}

Kernel over_all_rows(const Loop& loop, const Kernel& kernel) {
  Kernel all = loop.body.front().loop ? over_all_rows(*loop.body.front().loop, kernel) : kernel;
  all.dims.insert(all.dims.begin(), loop.trip);
  visit_accesses(all, [&](Access& a) {
    a.strides.insert(a.strides.begin(), stride_of_loop(a, loop.id));
    std::erase_if(a.outer, [&](const auto& outer) { return outer.first == loop.id; });
  });
  return all;
}

std::string name_of_rows(const Loop& loop) {
  const std::vector<Stmt>& body = row_body(loop);
  return body.front().kernel->name + "_to_" + body.back().kernel->name;
}

}  // namespace rondo::codegen
