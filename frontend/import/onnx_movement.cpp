// Ops of ONNX that move elements.
#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "frontend/import/onnx_importer.h"
#include "frontend/import/onnx_shapes.h"

namespace rondo::onnx {
namespace {

void emit_squeeze(Call& c) {
  const Tensor x = c.tensor(0);
  std::vector<int64_t> axes = axes_of(c, 13, x.rank());
  if (axes.empty())
    for (int64_t i = 0; i < x.rank(); ++i)
      if (x.shape()[i] == Dim(1)) axes.push_back(i);
  c.result(without_axes(x, axes));
}

void emit_unsqueeze(Call& c) {
  const Tensor x = c.tensor(0);
  const size_t added = c.opset() < 13 ? c.integers("axes").size() : c.integers(1).size();
  if (x.rank() + added > kMaxRank) c.fail(fmt::format("{} axes", added));
  c.result(with_axes(x, axes_of(c, 13, x.rank() + static_cast<int64_t>(added))));
}

/// What -1 stands for in a shape: the dims of x that the others do not take.
Dim inferred(const Call& c, const Shape& from, const Shape& to, size_t at) {
  int64_t have = 1, want = 1;
  std::vector<Dim> named;
  for (const Dim& dim : from) dim.is_named() ? named.push_back(dim) : void(have *= dim.size());
  for (size_t i = 0; i < to.size(); ++i) {
    if (i == at) continue;
    if (!to[i].is_named()) {
      if (want > ir::kMaxElements / std::max<int64_t>(1, to[i].size()))
        c.fail(fmt::format("{} is too large", to_string(to)));
      want *= to[i].size();
    } else if (const auto same = std::find(named.begin(), named.end(), to[i]); same != named.end()) {
      named.erase(same);
    }
  }
  if (named.size() == 1 && have == want) return named[0];
  if (!named.empty() || want <= 0 || have % want)
    c.fail(fmt::format("{} cannot become {}: the -1 is no dim", to_string(from), to_string(to)));
  return have / want;
}

void emit_reshape(Call& c) {
  const Tensor x = c.tensor(0);
  Shape shape = c.shape(1);
  const bool keep_zeros = c.flag("allowzero");
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].is_named() || shape[i].size() != 0 || keep_zeros) continue;
    if (i >= x.shape().size()) c.fail(fmt::format("{} has no dim {}", to_string(x.type()), i));
    shape[i] = x.shape()[i];
  }
  int inferences = 0;
  for (const Dim& dim : shape) {
    if (dim.size() < -1 || dim.size() > ir::kMaxElements) c.fail(fmt::format("{} is no extent", dim.size()));
    if (dim == Dim(-1) && ++inferences > 1) c.fail(fmt::format("{} has more than one -1", to_string(shape)));
  }
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == Dim(-1)) shape[i] = inferred(c, x.shape(), shape, i);
  c.result(reshape(x, shape));
}

void emit_flatten(Call& c) {
  const Tensor x = c.tensor(0);
  const int64_t given = c.integer("axis", 1);
  const int64_t axis = given == x.rank() ? given : c.axis(given, x.rank());
  auto merged = [&](int64_t from, int64_t to) -> Dim {
    if (to - from == 1) return x.shape()[from];
    int64_t product = 1;
    for (int64_t i = from; i < to; ++i) {
      if (x.shape()[i].is_named())
        c.fail(fmt::format("{}: a named dim cannot be merged", to_string(x.type())));
      product *= x.shape()[i].size();
    }
    return product;
  };
  c.result(reshape(x, {merged(0, axis), merged(axis, x.rank())}));
}

void emit_transpose(Call& c) {
  const Tensor x = c.tensor(0);
  std::vector<int64_t> reversed(x.rank());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  c.result(transpose(x, c.integers("perm", reversed)));
}

void emit_concat(Call& c) {
  std::vector<Tensor> parts;
  for (size_t i = 0; i < c.inputs(); ++i) parts.push_back(c.tensor(i));
  const int64_t axis = c.integer("axis");
  if (parts.empty()) c.fail("no inputs");
  c.result(concat(parts, c.axis(axis, parts[0].rank())));
}

void emit_split(Call& c) {
  const Tensor x = c.tensor(0);
  const int64_t axis = c.axis(c.integer("axis", 0), x.rank());
  const Dim& dim = x.shape()[axis];
  if (dim.is_named()) c.fail(fmt::format("{}: axis {} has a name, no size", to_string(x.type()), axis));
  std::vector<int64_t> sizes = c.opset() < 13 ? c.integers("split")
                               : c.has(1)     ? c.integers(1)
                                              : std::vector<int64_t>();
  const auto parts = static_cast<int64_t>(c.outputs());
  if (c.opset() >= 18 && sizes.empty() && c.integer("num_outputs") != parts)
    c.fail("num_outputs is not the number of outputs");
  if (sizes.empty() && parts) {
    const int64_t each = (dim.size() + parts - 1) / parts;  // the last may be smaller
    for (int64_t at = 0; at < dim.size() || sizes.size() < c.outputs(); at += each)
      sizes.push_back(std::clamp<int64_t>(dim.size() - at, 0, each));
  }
  if (sizes.size() != c.outputs()) c.fail(fmt::format("{} sizes for {} outputs", sizes.size(), c.outputs()));
  int64_t at = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > dim.size() - at) c.fail(fmt::format("the sizes exceed {}", dim.size()));
    c.result(slice(x, axis, at, at + size));
    at += size;
  }
  if (at != dim.size()) c.fail(fmt::format("the sizes sum to {}, not {}", at, dim.size()));
}

/// One axis of Slice.
Tensor sliced(const Call& c, const Tensor& x, int64_t axis, int64_t start, int64_t end, int64_t step) {
  const Dim& extent = x.shape()[axis];
  if (step == 0) c.fail("a step is 0");
  constexpr int64_t kFar = std::numeric_limits<int32_t>::max();  // stands for the end of any axis
  start = std::clamp(start, -kFar, kFar), end = std::clamp(end, -kFar, kFar);
  step = std::clamp(step, -kFar, kFar);
  if (!extent.is_named()) {
    const int64_t n = extent.size();
    auto within = [&](int64_t i, int64_t low, int64_t high) {
      return std::clamp(i < 0 ? i + n : i, low, high);
    };
    const int64_t first = step > 0 ? within(start, 0, n) : within(start, 0, n - 1);
    const int64_t last = step > 0 ? within(end, 0, n) : within(end, -1, n - 1);
    const int64_t count = step > 0 ? (last - first + step - 1) / step : (first - last - step - 1) / -step;
    return count > 0 ? take(x, axis, first, step, count) : slice(x, axis, 0, 0);
  }
  // All of it in either direction, or so many elements from its end.
  if (start == 0 && end >= kFar && step == 1) return x;
  if (start == -1 && end <= -kFar && step == -1) return take(x, axis, -1, -1, extent);
  if (start < 0 && end < 0 && end > start && step > 0)
    return take(x, axis, start, step, (end - start + step - 1) / step);
  if (start < 0 && end >= kFar && step > 0) return take(x, axis, start, step, (-start + step - 1) / step);
  c.fail(fmt::format("{}: [{}, {}) of axis {}, whose dim is named, is not supported", to_string(x.type()),
                     start, end, axis));
}

void emit_slice(Call& c) {
  Tensor x = c.tensor(0);
  const bool as_inputs = c.opset() >= 10;
  const std::vector<int64_t> starts = as_inputs ? c.integers(1) : c.integers("starts");
  const std::vector<int64_t> ends = as_inputs ? c.integers(2) : c.integers("ends");
  std::vector<int64_t> axes(starts.size()), steps(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (!as_inputs) axes = c.integers("axes", axes);
  if (as_inputs && c.has(3)) axes = c.integers(3);
  if (as_inputs && c.has(4)) steps = c.integers(4);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    c.fail("starts, ends, axes and steps differ in number");
  for (size_t i = 0; i < starts.size(); ++i)
    x = sliced(c, x, c.axis(axes[i], x.rank()), starts[i], ends[i], steps[i]);
  c.result(x);
}

void emit_gather(Call& c) {
  const ir::Type type = c.type(0);
  const int64_t axis = c.axis(c.integer("axis", 0), type.rank());
  if (c.type(1).dtype != i32) c.fail(fmt::format("indices are {}", to_string(c.type(1))));
  const Tensor x = c.tensor(0);
  const Dim& extent = type.shape[axis];
  const ir::Array* ids = c.constant(1);
  if (!ids) return c.result(gather_along(x, c.tensor(1), axis));
  const double n = extent.is_named() ? 0x1p30 : static_cast<double>(extent.size());
  for (double id : ids->data)
    if (!(id >= -n && id < n)) c.fail(fmt::format("index {} is outside [0,{})", id, to_string(extent)));
  if (ids->shape.empty()) return c.result(select_along(x, axis, static_cast<int64_t>(ids->data[0])));
  if (extent.is_named()) {
    if (ids->count() == 1 && ids->shape.size() == 1)
      return c.result(take(x, axis, static_cast<int64_t>(ids->data[0]), 1, 1));
    return c.result(gather_along(x, c.tensor(1), axis));
  }
  std::vector<double> from_0 = ids->data;
  for (double& id : from_0) id += id < 0 ? n : 0;
  const Constant indices = make_constant(i32, ids->shape, std::move(from_0));
  c.result(gather_along(x, c.importer().tensor(indices, c.where()), axis));
}

void emit_expand(Call& c) {
  c.result(broadcast_to(c.tensor(0), broadcast_shape(c, c.type(0).shape, c.extents(1))));
}

void emit_tile(Call& c) {
  Tensor x = c.tensor(0);
  const std::vector<int64_t> repeats = c.integers(1);
  if (static_cast<int>(repeats.size()) != x.rank()) c.fail("there is not one number of repeats for each dim");
  constexpr int64_t kMost = 1 << 16;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (repeats[axis] < 1 || repeats[axis] > kMost)
      c.fail(fmt::format("{} repeats are not supported", repeats[axis]));
    if (repeats[axis] == 1) continue;
    const Dim& dim = x.shape()[axis];
    if (dim.is_named()) c.fail(fmt::format("{}: a named dim cannot be repeated", to_string(x.type())));
    Shape shape = x.shape();
    shape[axis] = dim.size() * repeats[axis];
    x = reshape(expand(x, axis, repeats[axis]), shape);
  }
  c.result(x);
}

/// One axis of Pad; negative sizes drop elements.
Tensor padded(const Call& c, Tensor x, int64_t axis, int64_t before, int64_t after, const std::string& mode,
              double value) {
  if (before == 0 && after == 0) return x;
  const Dim& dim = x.shape()[axis];
  if (dim.is_named()) c.fail(fmt::format("{}: axis {} has a name, no size", to_string(x.type()), axis));
  if (before < 0) x = slice(x, axis, -before, x.shape()[axis].size());
  if (after < 0) x = slice(x, axis, 0, x.shape()[axis].size() + after);
  const int64_t n = x.shape()[axis].size();
  const bool reflect = mode == "reflect", constant_value = mode == "constant";
  if (!reflect && !constant_value && mode != "edge") c.fail(fmt::format("mode {} is not supported", mode));
  if (reflect && (before >= n || after >= n))
    c.fail(fmt::format("{} cannot be reflected so far", to_string(x.type())));
  auto beside = [&](int64_t first, int64_t count) {
    if (!constant_value) return take(x, axis, first, reflect ? -1 : 0, count);
    Shape shape = x.shape();
    shape[axis] = count;
    return constant(value, Type{x.dtype(), shape});
  };
  std::vector<Tensor> parts;
  if (before > 0) parts.push_back(beside(reflect ? before : 0, before));
  parts.push_back(x);
  if (after > 0) parts.push_back(beside(reflect ? n - 2 : n - 1, after));
  return concat(parts, axis);
}

void emit_pad(Call& c) {
  Tensor x = c.tensor(0);
  const std::string mode = c.text("mode", "constant");
  const std::vector<int64_t> pads = c.opset() < 11 ? c.integers("pads") : c.integers(1);
  const double value = c.opset() < 11 ? c.number("value", 0) : c.has(2) ? c.number(2) : 0;
  std::vector<int64_t> axes(x.rank());
  std::iota(axes.begin(), axes.end(), 0);
  if (c.opset() >= 18 && c.has(3)) axes = c.integers(3);
  if (pads.size() != 2 * axes.size()) c.fail(fmt::format("{} pads for {} axes", pads.size(), axes.size()));
  constexpr int64_t kMost = int64_t{1} << 32;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t before = pads[i], after = pads[axes.size() + i];
    if (std::min(before, after) < -kMost || std::max(before, after) > kMost) c.fail("a pad is no size");
    x = padded(c, x, c.axis(axes[i], x.rank()), before, after, mode, value);
  }
  c.result(x);
}

}  // namespace

const OpTable& movement_ops() {
  static const OpTable ops = {
      {"Squeeze", {emit_squeeze, OpEntry::moves}},
      {"Unsqueeze", {emit_unsqueeze, OpEntry::moves}},
      {"Reshape", {emit_reshape, OpEntry::moves}},
      {"Flatten", {emit_flatten, OpEntry::moves}},
      {"Transpose", {emit_transpose, OpEntry::moves}},
      {"Concat", {emit_concat, OpEntry::moves}},
      {"Split", {emit_split, OpEntry::moves}},
      {"Slice", {emit_slice, OpEntry::moves}},
      {"Gather", {emit_gather, OpEntry::moves}},
      {"Expand", {emit_expand, OpEntry::moves}},
      {"Tile", {emit_tile}},
      {"Pad", {emit_pad}},
  };
  return ops;
}

}  // namespace rondo::onnx
