// Several steps of a scan become one, or all of them straight-line code.

#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite_scans.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Straight-line code of more ops than this is not worth its compile time: such a scan stays.
constexpr int64_t kMostOps = 4096;

Shape without_first(const Shape& shape) { return {shape.begin() + 1, shape.end()}; }

Shape with_first(Dim first, Shape shape) {
  shape.insert(shape.begin(), std::move(first));
  return shape;
}

/// Emits `steps` steps of a scan's body one after the other. xs and the returned ys are stacked along a
/// leading dim of that extent.
struct Steps {
  std::vector<Value> carries, ys;
};

Steps emit_steps(Builder& b, const ScanView& scan, std::vector<Value> consts, std::vector<Value> carries,
                 const std::vector<Value>& xs, int64_t steps) {
  std::vector<std::vector<Value>> parts(scan.ys, std::vector<Value>(static_cast<size_t>(steps)));
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t t = scan.op.attrs.reverse ? steps - 1 - step : step;
    std::vector<Value> args = consts;
    args.insert(args.end(), carries.begin(), carries.end());
    for (Value x : xs) args.push_back(b.reshape(b.slice(x, 0, t, t + 1), without_first(b.type(x).shape)));
    const std::vector<Value> results = b.inline_func(scan.body, args);
    carries.assign(results.begin(), results.begin() + scan.carries);
    for (uint32_t i = 0; i < scan.ys; ++i) {
      const Value y = results[scan.carries + i];
      parts[i][static_cast<size_t>(t)] = b.reshape(y, with_first(1, b.type(y).shape));
    }
  }
  Steps out{std::move(carries), {}};
  for (uint32_t i = 0; i < scan.ys; ++i) {
    const Type& y = scan.body.type(scan.y_value(i));
    out.ys.push_back(steps == 0 ? b.constant({y.dtype, with_first(0, y.shape)}, 0) : b.concat(parts[i], 0));
  }
  return out;
}

std::vector<Value> joined(std::vector<Value> a, const std::vector<Value>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<Value> unroll_fully(Builder& b, const ScanView& scan, const std::vector<Value>& operands,
                                int64_t trip) {
  const auto carries = operands.begin() + scan.consts, xs = carries + scan.carries;
  Steps steps = emit_steps(b, scan, {operands.begin(), carries}, {carries, xs}, {xs, operands.end()}, trip);
  return joined(std::move(steps.carries), steps.ys);
}

/// A scan of trip / factor steps, each of which does `factor` steps of the old one.
std::vector<Value> unroll_by(Builder& b, const Func& func, const ScanView& scan, std::vector<Value> operands,
                             int64_t trip, int64_t factor) {
  Builder body(scan.body.name);
  std::vector<Value> consts, carries, xs;
  auto param = [&](Value v, Shape shape) {
    return body.param({scan.body.type(v).dtype, std::move(shape)}, scan.body.value_name(v));
  };
  for (uint32_t i = 0; i < scan.consts; ++i)
    consts.push_back(param(scan.const_param(i), scan.body.type(scan.const_param(i)).shape));
  for (uint32_t i = 0; i < scan.carries; ++i)
    carries.push_back(param(scan.carry_param(i), scan.body.type(scan.carry_param(i)).shape));
  for (uint32_t i = 0; i < scan.xs; ++i) {
    const Shape slices = with_first(factor, scan.body.type(scan.x_param(i)).shape);
    xs.push_back(param(scan.x_param(i), slices));
    Value& x = operands[scan.consts + scan.carries + i];
    x = b.reshape(x, with_first(trip / factor, slices));
  }
  Steps steps = emit_steps(body, scan, consts, carries, xs, factor);
  Attrs attrs = scan.op.attrs;
  attrs.dim = scan.xs ? Dim() : Dim(trip / factor);
  std::vector<std::string> names;
  for (uint32_t i = 0; i < scan.op.result_count; ++i) names.push_back(func.value_name(scan.op.result(i)));
  auto new_body = std::make_shared<Func>(std::move(body).finish(joined(std::move(steps.carries), steps.ys)));
  std::vector<Value> results =
      b.emit_scan(std::move(operands), std::move(attrs), std::move(new_body), std::move(names));
  for (uint32_t i = 0; i < scan.ys; ++i) {
    Value& y = results[scan.carries + i];
    y = b.reshape(y, with_first(trip, scan.body.type(scan.y_value(i)).shape));
  }
  return results;
}

}  // namespace

Func unroll_scan(const Func& func, const Options& options) {
  return rewrite_scans(func, [&](Builder& b, const Func& outer, const Op& op, std::vector<Value> operands) {
    const ScanView scan(op);
    const Dim trip = trip_count(outer, op);
    const int64_t factor = options.factor ? options.factor : trip.size();
    const int64_t ops = factor * static_cast<int64_t>(std::max<size_t>(1, scan.body.ops.size()));
    const bool divides = !trip.is_named() && (factor == trip.size() || (factor && trip.size() % factor == 0));
    if (!divides || ops > kMostOps) return b.copy(outer, op, std::move(operands));
    if (factor == trip.size()) return unroll_fully(b, scan, operands, trip.size());
    return unroll_by(b, outer, scan, std::move(operands), trip.size(), factor);
  });
}

}  // namespace rondo::passes
