// All passes: each reads one function and builds a new one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/func.h"

namespace rondo::passes {

/// What a pass may be told. In a pipeline's text: `grad{wrt=wx|wh;keep}` `unroll-scan{factor=4}`,
/// `recompute{window=64}`, `tile-outputs{rows=8}` or `bind-dims{B=16;T=50}`.
struct Options {
  std::vector<std::string> wrt;  // grad: params by name; empty: all float params
  int64_t factor = 0;            // unroll-scan: 0 unrolls fully where the trip count is known
  ir::DimValues dims = {};       // bind-dims
  int64_t chunks = 4;            // linear-scan
  ir::Dim window = 64;           // recompute: the most steps of a window, or a dim that says it at the call;
                                 // tile-time: the most steps of a block
  int64_t columns = 0;           // merge-matmuls: products of so many are left alone; 0: none are
  int64_t rows = 0;              // tile-outputs: of a block, for outputs of any width; tile-sequences and
                                 // tile-rows: of a block; used-rows: of the smallest table; 0: their own
                                 // choice
};

/// Appends to func's results the gradients of result 0 (a scalar) with respect to options.wrt, in their
/// order, named d_<param>. The other results stay (they get no cotangent). Source: reverse-mode
/// differentiation; scan: see grad_scan.cpp.
ir::Func grad(const ir::Func& func, const Options& options = {});

/// The vector-Jacobian product: adds params for the cotangents of all float results, named d_<result>;
/// results are func's results, then the cotangents of options.wrt.
ir::Func vjp(const ir::Func& func, const Options& options = {});

/// Scans with lengths become scans without, whose rows keep their state and give zeros beyond their length:
/// see mask_lengths.cpp. The other passes leave the inside of a scan with lengths to this one.
ir::Func mask_lengths(const ir::Func& func, const Options& options = {});
/// Named local rewrites, to a fixed point; dead ops go, also inside scans (unused carries, xs, ys and consts
/// too).
ir::Func simplify(const ir::Func& func, const Options& options = {});
/// Products less the mean of their columns become products with matrices less theirs, in scans: see
/// center_products.cpp.
ir::Func center_products(const ir::Func& func, const Options& options = {});
/// A product and a sum become one op, fma: see fuse_multiply_adds.cpp.
ir::Func fuse_multiply_adds(const ir::Func& func, const Options& options = {});
/// k matmuls with one left operand become one with concatenated right operands (and sums over their gates
/// stay slices): so their gradients are one product as well. Forward, products of options.columns and more
/// are as fast alone, and nothing is concatenated.
ir::Func merge_matmuls(const ir::Func& func, const Options& options = {});
/// What needs no carry leaves the scan: for all t at once before it, or once if it needs no x.
ir::Func hoist_scan(const ir::Func& func, const Options& options = {});
/// What feeds only ys leaves the scan: for all t at once after it.
ir::Func sink_scan_outputs(const ir::Func& func, const Options& options = {});
/// A carry `acc + f(t)` becomes a sum after the scan: of matmuls, one matmul over stacked operands.
ir::Func sink_scan_sums(const ir::Func& func, const Options& options = {});
/// A scan of stacked layers becomes one scan a layer, where that frees a product for hoist-scan.
ir::Func split_scan(const ir::Func& func, const Options& options = {});
/// A carry  h_t = a_t h_{t-1} + b_t,  where a_t and b_t need no carry, gets a scan of its own of nothing
/// else, which runs in options.chunks stretches of time side by side; what it was made of, and what follows
/// from it, is then free to leave time (hoist-scan). Changes the order of sums: see kLinear.
ir::Func linear_scan(const ir::Func& func, const Options& options = {});
/// A scan over T steps becomes one over windows of steps, which keeps for its gradient no more than the
/// carries between windows: see recompute.cpp. Stands before grad; sums over all steps become sums of
/// windows' sums.
ir::Func recompute(const ir::Func& func, const Options& options = {});
/// Several steps become one (options.factor, which must divide the trip count), or all of them straight-line
/// code. Scans of other trip counts stay.
ir::Func unroll_scan(const ir::Func& func, const Options& options = {});
/// matmul(gather(E, ids), W) becomes gather(matmul(E, W), ids) when E has fewer rows than ids.
ir::Func gather_matmul(const ir::Func& func, const Options& options = {});
/// A wide output layer, its loss and their gradients run for a block of rows at a time: see tile_outputs.cpp.
ir::Func tile_outputs(const ir::Func& func, const Options& options = {});
/// Gradients of all steps that only sums over the steps need live for a block of steps: see
/// tile_sequences.cpp.
ir::Func tile_sequences(const ir::Func& func, const Options& options = {});
/// Products that were hoisted out of a forward scan run with it for a block of steps at a time: see
/// tile_time.cpp.
ir::Func tile_time(const ir::Func& func, const Options& options = {});
/// A training step of many rows runs for a block of rows at a time: see tile_rows.cpp.
ir::Func tile_rows(const ir::Func& func, const Options& options = {});
/// An update that leaves alone the rows of a table which were not looked up does not touch them: see
/// used_rows.cpp.
ir::Func used_rows(const ir::Func& func, const Options& options = {});
/// Names of dims become numbers. Throws Error for a name that func does not have, and for a negative number.
ir::Func bind_dims(const ir::Func& func, const ir::DimValues& dims);

/// A pass as pipelines know it.
struct Pass {
  std::string_view name;
  ir::Func (*run)(const ir::Func&, const Options&);
  std::string_view options;  // as in a pipeline's text, for help; empty if it takes none
  std::string_view doc;
};
std::span<const Pass> all_passes();

}  // namespace rondo::passes
