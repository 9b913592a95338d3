// Convolutions and pools of ONNX over one axis: [N,C,L].
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "frontend/import/onnx_shapes.h"

namespace rondo::onnx {
namespace {

/// Where the kernel stands on the axis.
struct Windows {
  int64_t width, stride, dilation, before, after, count;  // before, after: of padding; count: of windows
};

/// One number of a list attribute.
int64_t single(const Call& c, const char* name, int64_t otherwise, int64_t least) {
  const std::vector<int64_t> values = c.integers(name, {otherwise});
  constexpr int64_t kMost = 1 << 30;
  if (values.size() != 1 || values[0] < least || values[0] > kMost)
    c.fail(fmt::format("attribute {} is no number from {} for one axis", name, least));
  return values[0];
}

Windows windows_of(const Call& c, const Tensor& x, int64_t width) {
  if (x.rank() != 3)
    c.fail(fmt::format("{}: one axis beside batch and channels is supported", to_string(x.type())));
  if (x.dim(1).is_named() || x.dim(2).is_named())
    c.fail(fmt::format("{}: channels and length have to be numbers", to_string(x.type())));
  constexpr int64_t kMostWide = 1 << 14;
  if (width < 1 || width > kMostWide) c.fail(fmt::format("a kernel of {} elements is not supported", width));
  Windows w{width, single(c, "strides", 1, 1), single(c, "dilations", 1, 1), 0, 0, 0};
  const int64_t length = x.dim(2).size(), reach = (width - 1) * w.dilation + 1;
  const std::string automatic = c.text("auto_pad", "NOTSET");
  const std::vector<int64_t> pads = c.integers("pads", {0, 0});
  if (automatic == "NOTSET") {
    constexpr int64_t kMost = 1 << 30;
    if (pads.size() != 2 || std::min(pads[0], pads[1]) < 0 || std::max(pads[0], pads[1]) > kMost)
      c.fail("pads are not two sizes");
    w.before = pads[0], w.after = pads[1];
  } else if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    const int64_t count = (length + w.stride - 1) / w.stride;
    const int64_t total = std::max<int64_t>(0, (count - 1) * w.stride + reach - length);
    w.before = automatic == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
    w.after = total - w.before;
  } else if (automatic != "VALID") {
    c.fail(fmt::format("auto_pad {} is not supported", automatic));
  }
  const int64_t room = length + w.before + w.after - reach;
  if (room < 0) c.fail(fmt::format("{} is shorter than the kernel's {}", to_string(x.type()), reach));
  w.count = room / w.stride + 1;
  return w;
}

/// [N,C,L], padded, as [N,C,count,width]. The axis is cut into blocks of a stride each; a window is a run of
/// whole blocks, so that the elements of all windows at one block are one slice.
Tensor cut(const Tensor& x, const Windows& w) {
  const int64_t reach = (w.width - 1) * w.dilation + 1, per_window = (reach + w.stride - 1) / w.stride;
  const int64_t blocks = w.count - 1 + per_window, length = x.dim(2).size();
  const Tensor whole = length < blocks * w.stride ? pad_with_zeros(x, 2, 0, blocks * w.stride - length)
                                                  : slice(x, 2, 0, blocks * w.stride);
  const Tensor in_blocks = reshape(whole, {x.dim(0), x.dim(1), blocks, w.stride});
  std::vector<Tensor> parts;
  if (w.dilation == 1) {
    for (int64_t i = 0; i < per_window; ++i) parts.push_back(slice(in_blocks, 2, i, i + w.count));
  } else {
    for (int64_t k = 0; k < w.width; ++k) {
      const int64_t block = k * w.dilation / w.stride, at = k * w.dilation % w.stride;
      parts.push_back(slice(slice(in_blocks, 2, block, block + w.count), 3, at, at + 1));
    }
  }
  return slice(concat(parts, 3), 3, 0, w.width);
}

void emit_conv(Call& c) {
  const Tensor x = c.tensor(0);
  const Type w = c.type(1);
  if (w.rank() != 3 || w.shape[0].is_named() || w.shape[1].is_named() || w.shape[2].is_named())
    c.fail(fmt::format("a kernel {} is not supported", to_string(w)));
  const Windows windows = windows_of(c, x, w.shape[2].size());
  if (single(c, "kernel_shape", windows.width, 1) != windows.width)
    c.fail("kernel_shape is not the kernel's");
  const int64_t groups = c.integer("group", 1), out = w.shape[0].size(), in = w.shape[1].size();
  constexpr int64_t kMostGroups = 1 << 12;
  if (groups < 1 || groups > kMostGroups || out % groups || x.dim(1) != Dim(in * groups))
    c.fail(
        fmt::format("{} does not fit the kernel {} in {} groups", to_string(x.type()), to_string(w), groups));
  const Tensor padded = pad_with_zeros(x, 2, windows.before, windows.after);
  const Tensor pieces = transpose(cut(padded, windows), {0, 2, 1, 3});  // [N,count,C,width]
  std::vector<Tensor> parts;
  for (int64_t g = 0; g < groups; ++g) {
    const Tensor rows =
        reshape(slice(pieces, 2, g * in, (g + 1) * in), {x.dim(0), windows.count, in * windows.width});
    parts.push_back(factor_of(c, 1, out / groups, in * windows.width, g).times(rows));
  }
  Tensor y = parts.size() == 1 ? parts[0] : concat(parts, 2);  // [N,count,out]
  if (c.has(2)) y = y + broadcast_input(c, 2, {out});
  c.result(transpose(y, {0, 2, 1}));
}

/// Padding is no element: neither the largest nor of the mean, unless that counts it.
void emit_pool(Call& c) {
  const Tensor x = c.tensor(0);
  const bool largest = c.op() == "MaxPool", count_padding = !largest && c.flag("count_include_pad");
  const Windows w = windows_of(c, x, single(c, "kernel_shape", 0, 1));
  if (c.flag("ceil_mode")) c.fail("ceil_mode is not supported");
  if (largest && c.flag("storage_order")) c.fail("storage_order is not supported");
  auto pieces = [&](const Tensor& t) { return cut(t, w); };
  if (largest) {
    Tensor t = x;
    auto lowest = [&](int64_t n) {
      return constant(-std::numeric_limits<double>::infinity(), Type{x.dtype(), {x.dim(0), x.dim(1), n}});
    };
    if (w.before) t = concat({lowest(w.before), t}, 2);
    if (w.after) t = concat({t, lowest(w.after)}, 2);
    return c.result(reduce_max(pieces(t), 3));
  }
  auto sums = [&](const Tensor& t) { return sum(pieces(pad_with_zeros(t, 2, w.before, w.after)), 3); };
  if (count_padding) return c.result(sums(x) / static_cast<double>(w.width));
  c.result(sums(x) / sums(constant(1, x.type())));
}

void emit_global_pool(Call& c) {
  const Tensor x = c.tensor(0);
  if (x.rank() < 3) c.fail(fmt::format("{} has no axes beside batch and channels", to_string(x.type())));
  std::vector<int64_t> axes;
  for (int64_t i = 2; i < x.rank(); ++i) axes.push_back(i);
  const Tensor y = c.op() == "GlobalMaxPool" ? max_over(x, axes) : sum_over(x, axes) / count_of(x, axes);
  c.result(with_axes(y, axes));
}

}  // namespace

const OpTable& convolution_ops() {
  static const OpTable ops = {
      {"Conv", {emit_conv}},
      {"MaxPool", {emit_pool}},
      {"AveragePool", {emit_pool}},
      {"GlobalMaxPool", {emit_global_pool}},
      {"GlobalAveragePool", {emit_global_pool}},
  };
  return ops;
}

}  // namespace rondo::onnx
