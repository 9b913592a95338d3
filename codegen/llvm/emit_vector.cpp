#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <span>

#include "codegen/kernels/simplify_kernel.h"
#include "codegen/llvm/accumulate.h"
#include "codegen/llvm/emit.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Vectors of a copy that is no loop.
constexpr int64_t kShortCopy = 4;

bool any_double(const Kernel& kernel) {
  auto wide = [](const Nodes& nodes) {
    return std::ranges::any_of(nodes, [](const Node& n) { return n.dtype == DType::f64; });
  };
  return wide(kernel.nodes) ||
         std::ranges::any_of(kernel.accs, [&](const Accumulator& a) { return wide(a.nodes); });
}

}  // namespace

void for_lanes(FunctionBuilder& f, const Poly& extent, std::span<const unsigned> widths,
               const std::function<void(llvm::Value* first, unsigned lanes, llvm::Value* mask)>& visit) {
  llvm::Value* end = f.poly(extent);
  llvm::Value* done = f.i64(0);
  for (unsigned lanes : widths) {
    llvm::Value* whole = f.b.CreateAnd(end, f.i64(-static_cast<int64_t>(lanes)));
    f.for_each(done, whole, lanes, [&](llvm::Value* first) { visit(first, lanes, nullptr); });
    done = whole;
  }
  unsigned lanes = widths.back();
  if (lanes == 1) return;
  f.if_then(f.b.CreateICmpSLT(done, end), [&] { visit(done, lanes, f.lanes_below(done, end, lanes)); });
}

unsigned full_lanes(const Kernel& kernel) {
  const unsigned lanes = any_double(kernel) ? 8 : 16;
  const Poly& columns = kernel.dims.back();
  if (!columns.is_constant()) return lanes;
  auto extent = static_cast<uint64_t>(std::max<int64_t>(columns.constant(), 1));
  return static_cast<unsigned>(std::min<uint64_t>(lanes, std::bit_ceil(extent)));
}

namespace {

class VectorEmitter {
 public:
  VectorEmitter(FunctionBuilder& f, const Kernel& kernel)
      : f_(f), kernel_(kernel), rank_(kernel.dims.size()) {}

  void run() {
    if (sums_rows()) return emit_sums();
    if (rank_ == 0 || reduces_in_lanes() || stores_may_meet())
      return f_.for_box(kernel_.dims, [&](const Values& at) { emit_point({at, -1, 1, nullptr}); });
    std::vector<Poly> outer(kernel_.dims.begin(), kernel_.dims.end() - 1);
    f_.for_box(outer, [&](const Values& at) { emit_columns(at); });
  }

 private:
  /// Sums in lanes, and maxima over elements that are consecutive along the reduced dim but not along the
  /// kernel's.
  bool reduces_in_lanes() const {
    for (const Accumulator& a : kernel_.accs) {
      if (a.order == SumOrder::lanes) return true;
      if (a.kind == AccKind::sum) continue;
      for (const Node& n : a.nodes) {
        if (n.op != ScalarOp::load) continue;
        Poly stride = stride_of(n.access, rank_ - 1);
        if (!stride.is_zero() && stride != Poly(1)) return true;
        if (n.access.row != kNone && varies_with(a.nodes, n.access.row, rank_ - 1)) return true;
      }
    }
    return false;
  }

  /// Whether the kernel is sums in lanes whose results stand side by side along its last dim.
  bool sums_rows() const {
    if (rank_ == 0 || kernel_.accs.empty() || stores_may_meet() || !has_room_for_rows()) return false;
    auto side_by_side = [&](const Access& a) {
      const Poly stride = stride_of(a, rank_ - 1);
      return a.row == kNone && (stride.is_zero() || stride == Poly(1));
    };
    return std::ranges::all_of(kernel_.accs,
                               [&](const Accumulator& a) {
                                 return a.order == SumOrder::lanes && a.kind == AccKind::sum &&
                                        is_float(a.dtype) && a.dims == kernel_.accs[0].dims;
                               }) &&
           std::ranges::all_of(
               kernel_.nodes,
               [&](const Node& n) { return n.op != ScalarOp::load || side_by_side(n.access); }) &&
           std::ranges::all_of(kernel_.stores, [&](const Store& s) { return side_by_side(s.access); });
  }

  /// Whether half of the registers hold the sums of some rows.
  bool has_room_for_rows() const {
    size_t bytes = 0;
    for (const Accumulator& a : kernel_.accs) bytes += kSumRows * kSumLanes * size_of(a.dtype);
    return 2 * bytes <= static_cast<size_t>(f_.target.vector_registers * f_.target.vector_bytes);
  }

  void emit_sums() {
    std::vector<Poly> outer(kernel_.dims.begin(), kernel_.dims.end() - 1);
    const int lane_variable = static_cast<int>(rank_ - 1);
    f_.for_box(outer, [&](const Values& at) {
      for_lanes(f_, kernel_.dims.back(), std::array{kSumRows, 1u},
                [&](llvm::Value* first, unsigned rows, llvm::Value*) {
                  Values variables = at;
                  variables.push_back(first);
                  if (rows == 1) return emit_point({variables, -1, 1, nullptr});
                  const Values sums = sum_rows(f_, kernel_.accs, variables);
                  const Scope scope{variables, lane_variable, kSumRows, nullptr};
                  NodeValues values(f_, kernel_.nodes, scope, sums);
                  for (const Store& s : kernel_.stores) values.store(s);
                });
    });
  }

  /// Whether an ordered store may address one element from several lanes.
  bool stores_may_meet() const {
    for (const Store& s : kernel_.stores) {
      if (!s.ordered()) continue;
      if (stride_of(s.access, rank_ - 1) != Poly(1)) return true;
      if (s.access.row != kNone && varies_with(kernel_.nodes, s.access.row, rank_ - 1)) return true;
    }
    return false;
  }

  void emit_columns(const Values& outer) {
    const unsigned lanes = full_lanes(kernel_);
    const Values shared = of_all_columns(outer);
    auto visit = [&](llvm::Value* first, unsigned width, llvm::Value* mask) {
      Values at = outer;
      at.push_back(first);
      emit_point({at, static_cast<int>(rank_ - 1), width, mask}, shared);
    };
    if (is_short_copy(lanes)) {
      for (int64_t first = 0; first < kernel_.dims.back().constant(); first += lanes)
        visit(f_.i64(first), lanes, nullptr);
      return;
    }
    // Accumulators take several vectors at once: more than one chain of additions, and longer runs in each
    // row.
    std::vector<unsigned> widths = {lanes};
    if (!kernel_.accs.empty() && lanes >= 8) widths.insert(widths.begin(), vectors_at_once(lanes) * lanes);
    for_lanes(f_, kernel_.dims.back(), widths, visit);
  }

  /// Vectors of columns that accumulators take at once: so many, a power of two, that half of the registers
  /// hold them all.
  unsigned vectors_at_once(unsigned lanes) const {
    const unsigned bytes = lanes * static_cast<unsigned>(size_of(kernel_.accs[0].dtype));
    const unsigned registers =
        static_cast<unsigned>(f_.target.vector_registers * f_.target.vector_bytes) / bytes;
    return std::clamp<unsigned>(std::bit_floor(registers / 2 / static_cast<unsigned>(kernel_.accs.size())), 1,
                                4);
  }

  /// What all columns of a row read: LLVM would load it again after each store.
  Values of_all_columns(const Values& outer) {
    std::vector<char> wanted;
    for (NodeId i = 0; i < kernel_.nodes.size(); ++i) wanted.push_back(is_of_all_columns(i));
    if (std::ranges::count(wanted, 1) == 0) return {};
    const Scope scope{outer, -1, 1, nullptr};
    return NodeValues(f_, kernel_.nodes, scope, {}, {}, wanted).all();
  }

  bool is_of_all_columns(NodeId id) const {
    const Node& n = kernel_.nodes[id];
    return n.op == ScalarOp::load && n.access.row == kNone && stride_of(n.access, rank_ - 1).is_zero() &&
           std::ranges::none_of(kernel_.stores,
                                [&](const Store& s) { return s.access.buffer == n.access.buffer; });
  }

  void emit_point(const Scope& scope, const Values& known = {}) {
    const std::vector<Accumulator>& all = kernel_.accs;
    Values accs;
    while (accs.size() < all.size()) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(accs.size());
      const bool lanes = in_lanes(*first, scope);
      const auto end = std::find_if(first, all.end(), [&](const Accumulator& a) {
        return a.dims != first->dims || a.order != first->order || in_lanes(a, scope) != lanes;
      });
      const std::span<const Accumulator> walk(first, end);
      std::ranges::copy(lanes ? accumulate_lanes(f_, walk, scope)
                              : accumulate(f_, walk, scope, sums_so_far(scope, walk.front())),
                        std::back_inserter(accs));
    }
    NodeValues values(f_, kernel_.nodes, scope, accs, known);
    for (Store s : kernel_.stores) {
      s.add = s.add && !goes_on(s);
      values.store(s);
    }
  }

  /// Whether the store adds a sum to what is there: the sum goes on from it.
  bool goes_on(const Store& s) const {
    return s.add && kernel_.nodes[s.value].op == ScalarOp::acc &&
           kernel_.accs[kernel_.nodes[s.value].acc].order == SumOrder::chain;
  }

  /// What stands where sums go on: if one of them does, all do.
  Values sums_so_far(const Scope& scope, const Accumulator& first) {
    Values sums;
    for (const Store& s : kernel_.stores) {
      if (!goes_on(s) || kernel_.accs[kernel_.nodes[s.value].acc].dims != first.dims) continue;
      Node so_far;
      so_far.op = ScalarOp::load, so_far.dtype = kernel_.nodes[s.value].dtype, so_far.access = s.access;
      sums.push_back(NodeValues(f_, {so_far}, scope).lanes(0));
    }
    return sums;
  }

  static bool in_lanes(const Accumulator& acc, const Scope& scope) {
    return acc.order == SumOrder::lanes ||
           (scope.lanes == 1 && acc.kind != AccKind::sum && !acc.dims.empty());
  }

  /// Few vectors, stored as they are loaded: without a loop LLVM takes what was just computed from registers.
  bool is_short_copy(unsigned lanes) const {
    const Poly& columns = kernel_.dims.back();
    return kernel_.accs.empty() && kernel_.nodes.size() == 1 && columns.is_constant() &&
           columns.constant() % lanes == 0 && columns.constant() <= kShortCopy * lanes;
  }

  FunctionBuilder& f_;
  const Kernel& kernel_;
  size_t rank_;
};

}  // namespace

void emit_vector_kernel(FunctionBuilder& f, const Kernel& original) {
  Kernel kernel = merge_dims(original, false);
  bool ordered = std::ranges::any_of(kernel.stores, [](const Store& s) { return s.ordered(); });
  if (!ordered && !kernel.dims.empty()) kernel = move_dim_last(kernel, best_lane_dim(kernel));
  VectorEmitter(f, kernel).run();
}

}  // namespace rondo::codegen
