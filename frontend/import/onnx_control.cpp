// If, Loop and Scan of ONNX.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "frontend/import/onnx_importer.h"
#include "frontend/import/onnx_shapes.h"
#include "frontend/scan.h"

namespace rondo::onnx {
namespace {

constexpr int64_t kUnrolled = 8;  // steps of a Loop whose body then knows the number of its step

Tensor tensor_of(const Call& c, const Value& value) { return c.importer().tensor(value, c.where()); }

std::vector<Value> run(const Call& c, const Graph& graph, const std::vector<Value>& inputs) {
  if (graph.inputs.size() != inputs.size())
    c.fail(fmt::format("a graph of {} inputs where {} are needed", graph.inputs.size(), inputs.size()));
  return c.importer().run(graph, inputs, &c.scope());
}

/// A constant condition chooses a branch; else both are computed, and their results have the same types.
void emit_if(Call& c) {
  const Graph &yes = c.graph("then_branch"), &no = c.graph("else_branch");
  if (c.constant(0)) {
    for (Value& value : run(c, c.number(0) != 0 ? yes : no, {})) c.result(std::move(value));
    return;
  }
  const Tensor condition = c.tensor(0);
  const std::vector<Value> a = run(c, yes, {}), b = run(c, no, {});
  if (a.size() != b.size()) c.fail("the branches differ in the number of outputs");
  for (size_t i = 0; i < a.size(); ++i) {
    const Tensor x = tensor_of(c, a[i]), y = tensor_of(c, b[i]);
    if (x.type() != y.type())
      c.fail(fmt::format("output {} is {} in one branch, {} in the other", i, to_string(x.type()),
                         to_string(y.type())));
    c.result(select(broadcast_to(reshape(condition, {}), x.shape()), x, y));
  }
}

/// A Loop's condition, where it has one that the body may change.
bool runs_to_its_end(const Call& c, const Value& condition) {
  const Constant* constant = std::get_if<Constant>(&condition);
  if (!constant || (*constant)->count() != 1) return false;
  if ((*constant)->data[0] == 0) c.fail("a condition that is always false is not supported");
  return true;
}

/// Few steps, one after another.
void unroll(Call& c, const Graph& body, int64_t steps, std::vector<Value> carries) {
  const size_t count = carries.size();
  std::vector<std::vector<Tensor>> stacked;
  Value condition = make_constant(pred, {}, {1});
  for (int64_t t = 0; t < steps; ++t) {
    std::vector<Value> inputs{make_constant(i32, {}, {static_cast<double>(t)}), condition};
    inputs.insert(inputs.end(), carries.begin(), carries.end());
    std::vector<Value> outputs = run(c, body, inputs);
    if (outputs.size() < count + 1) c.fail("the body has too few outputs");
    if (!runs_to_its_end(c, outputs[0])) c.fail("a condition that is computed is not supported");
    std::copy_n(outputs.begin() + 1, count, carries.begin());
    stacked.resize(outputs.size() - 1 - count);
    for (size_t i = 0; i < stacked.size(); ++i) stacked[i].push_back(tensor_of(c, outputs[1 + count + i]));
  }
  for (Value& carry : carries) c.result(std::move(carry));
  for (const std::vector<Tensor>& parts : stacked) c.result(stack(parts, 0));
}

/// The carries and the number of the step, as a scan without xs.
void repeat_body(Call& c, const Graph& body, const Dim& steps, const std::vector<Value>& carries) {
  std::vector<Tensor> initial;
  for (const Value& carry : carries) initial.push_back(tensor_of(c, carry));
  auto step = [&](const std::vector<Tensor>& state, const Tensor& t) {
    std::vector<Value> inputs{t, make_constant(pred, {}, {1})};
    inputs.insert(inputs.end(), state.begin(), state.end());
    const std::vector<Value> outputs = run(c, body, inputs);
    if (outputs.size() < state.size() + 1) c.fail("the body has too few outputs");
    if (!runs_to_its_end(c, outputs[0])) c.fail("a condition that is computed is not supported");
    std::vector<Tensor> next, ys;
    for (size_t i = 1; i < outputs.size(); ++i)
      (i <= state.size() ? next : ys).push_back(tensor_of(c, outputs[i]));
    return std::pair(next, ys);
  };
  detail::ScanBody traced(initial, {iota({steps}, 0)}, std::nullopt, {}, c.where());
  const auto [next, ys] = step(traced.state(), traced.slices()[0]);
  for (const Tensor& result : traced.finish(next, ys)) c.result(result);
}

void emit_loop(Call& c) {
  const Graph& body = c.graph("body");
  if (!c.has(0)) c.fail("a Loop without a number of steps is not supported");
  const ir::Array* steps = c.constant(0);
  if (!steps || steps->count() != 1) c.fail("the number of steps is no constant");
  if (c.has(1)) {
    if (!c.constant(1)) c.fail("the condition is no constant");
    if (c.number(1) == 0) c.fail("a condition that is false at first is not supported");
  }
  std::vector<Value> carries;
  for (size_t i = 2; i < c.inputs(); ++i) carries.push_back(c.value(i));
  const Dim count = c.importer().constants().dim_of(steps->data[0]);
  if (!count.is_named() && (count.size() < 0 || count.size() > std::numeric_limits<int32_t>::max()))
    c.fail(fmt::format("{} steps", count.size()));
  if (!count.is_named() && count.size() > 0 && count.size() <= kUnrolled)
    return unroll(c, body, count.size(), carries);
  repeat_body(c, body, count, carries);
}

/// The axes and directions of Scan: one for each x or y, 0 where none are given. With a batch dim, axes count
/// from the one after it.
std::vector<int64_t> list_for(const Call& c, const char* name, size_t count) {
  std::vector<int64_t> list = c.integers(name);
  if (list.empty()) list.resize(count);
  if (list.size() != count)
    c.fail(fmt::format("attribute {} has {} numbers, not {}", name, list.size(), count));
  return list;
}

/// One direction for all.
bool reversed(const Call& c, const std::vector<int64_t>& directions, bool otherwise) {
  if (directions.empty()) return otherwise;
  for (int64_t d : directions)
    if (d != directions[0] || d < 0 || d > 1) c.fail("directions that differ are not supported");
  return directions[0] == 1;
}

std::vector<int64_t> axis_from_first(int64_t rank, int64_t axis) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  std::rotate(axes.begin(), axes.begin() + 1, axes.begin() + axis + 1);
  return axes;
}

struct ScanNode {
  const Graph& body;
  std::vector<Tensor> initial, xs;
  std::vector<int64_t> y_axes;
  bool reverse = false;
};

/// States after the scan, then ys.
std::vector<Tensor> scan_results(const Call& c, const ScanNode& node) {
  detail::ScanBody traced(node.initial, node.xs, std::nullopt, {.reverse = node.reverse}, c.where());
  std::vector<Value> inputs(traced.state().begin(), traced.state().end());
  inputs.insert(inputs.end(), traced.slices().begin(), traced.slices().end());
  const std::vector<Value> outputs = run(c, node.body, inputs);
  const size_t states = node.initial.size();
  if (outputs.size() != states + node.y_axes.size()) c.fail("the body has not as many outputs as the node");
  std::vector<Tensor> next, ys;
  for (size_t i = 0; i < outputs.size(); ++i) (i < states ? next : ys).push_back(tensor_of(c, outputs[i]));
  std::vector<Tensor> results = traced.finish(next, ys);
  for (size_t i = 0; i < ys.size(); ++i) {
    Tensor& y = results[states + i];
    y = transpose(y, axis_from_first(y.rank(), c.axis(node.y_axes[i], y.rank())));
  }
  return results;
}

void emit_scan(Call& c) {
  const auto count = c.integer("num_scan_inputs");
  const bool batched = c.opset() < 9;  // then all have a batch dim before, and lengths come first
  const size_t first = batched ? 1 : 0;
  if (batched && c.has(size_t{0})) c.fail("sequence_lens are not supported");
  const auto given = static_cast<int64_t>(c.inputs() - first);
  if (count < 1 || count > given) c.fail(fmt::format("num_scan_inputs is {}", count));
  const size_t states = static_cast<size_t>(given - count), xs = static_cast<size_t>(count);
  if (c.outputs() < states) c.fail("too few outputs");
  const size_t ys = c.outputs() - states;
  const bool reverse = reversed(c, list_for(c, batched ? "directions" : "scan_input_directions", xs), false);
  std::vector<int64_t> x_axes(xs), y_axes(ys);
  if (!batched) {
    if (ys && reversed(c, list_for(c, "scan_output_directions", ys), false) != reverse)
      c.fail("directions of inputs and outputs that differ are not supported");
    x_axes = list_for(c, "scan_input_axes", xs), y_axes = list_for(c, "scan_output_axes", ys);
  }
  ScanNode node{c.graph("body"), {}, {}, y_axes, reverse};
  auto unbatched = [&](const Tensor& t) {
    if (!batched) return t;
    if (t.rank() == 0 || t.shape()[0] != Dim(1))
      c.fail("a batch of more than one row is not supported before opset 9");
    return without_axes(t, {0});
  };
  for (size_t i = 0; i < states; ++i) node.initial.push_back(unbatched(c.tensor(first + i)));
  for (size_t i = 0; i < xs; ++i) {
    const Tensor x = unbatched(c.tensor(first + states + i));
    node.xs.push_back(transpose(x, with_axis_first(x.rank(), c.axis(x_axes[i], x.rank()))));
  }
  for (const Tensor& result : scan_results(c, node)) c.result(batched ? with_axes(result, {0}) : result);
}

}  // namespace

const OpTable& control_ops() {
  static const OpTable ops = {
      {"If", {emit_if, OpEntry::never}},
      {"Loop", {emit_loop, OpEntry::never}},
      {"Scan", {emit_scan, OpEntry::never}},
  };
  return ops;
}

}  // namespace rondo::onnx
