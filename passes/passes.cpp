#include "passes/passes.h"

namespace rondo::passes {

namespace {

constexpr Pass kPasses[] = {
    {"mask-lengths", mask_lengths, "", "scans with lengths become scans that select by row and step"},
    {"simplify", simplify, "", "local rewrites to a fixed point; dead ops go, also inside scans"},
    {"center-products", center_products, "", "deviations of products from a mean are products of deviations"},
    {"fuse-multiply-adds", fuse_multiply_adds, "", "a product and a sum become one op, which rounds once"},
    {"grad", grad, "wrt=a|b", "appends the gradients of the first result"},
    {"vjp", vjp, "wrt=a|b", "appends the gradients, given the cotangents of the results as further params"},
    {"merge-matmuls", merge_matmuls, "columns=n", "matmuls with one left operand become one"},
    {"hoist-scan", hoist_scan, "", "what needs no carry leaves the scan, before it"},
    {"sink-scan-outputs", sink_scan_outputs, "", "what feeds only ys leaves the scan, after it"},
    {"sink-scan-sums", sink_scan_sums, "", "a carry `acc + f(t)` becomes a sum after the scan"},
    {"split-scan", split_scan, "", "a scan of stacked layers becomes one scan a layer"},
    {"linear-scan", linear_scan, "chunks=n", "carries a_t h + b_t run in chunks of time, side by side"},
    {"recompute", recompute, "window=n", "long scans run in windows, which their gradients compute again"},
    {"unroll-scan", unroll_scan, "factor=n", "n steps become one; all of them by default"},
    {"gather-matmul", gather_matmul, "", "matmul(gather(E, ids), W) becomes gather(matmul(E, W), ids)"},
    {"tile-outputs", tile_outputs, "rows=n", "wide outputs and their losses run for blocks of rows"},
    {"tile-sequences", tile_sequences, "rows=n",
     "gradients of steps and sums over them run for blocks of steps"},
    {"tile-time", tile_time, "window=n", "scans and the products that they need run for blocks of steps"},
    {"tile-rows", tile_rows, "rows=n", "training steps of many rows run for blocks of rows"},
    {"used-rows", used_rows, "rows=n", "updates of tables touch the rows that were looked up"},
    {"bind-dims", [](const ir::Func& func, const Options& o) { return bind_dims(func, o.dims); }, "B=n",
     "names of dims become numbers"},
};

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

}  // namespace rondo::passes
