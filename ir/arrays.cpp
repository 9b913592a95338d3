#include "ir/arrays.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace rondo::ir {

std::vector<Array> random_inputs(const Func& func, const DimValues& dims, uint64_t seed, int64_t ids) {
  std::mt19937_64 bits(seed);  // distributions differ between standard libraries, the generator does not
  std::vector<Array> inputs;
  for (Value v : func.params) {
    Array a;
    a.dtype = func.type(v).dtype;
    a.shape = bind(func.type(v).shape, dims);
    int64_t count = 1;
    for (int64_t size : a.shape) count *= size;
    for (int64_t i = 0; i < count; ++i) {
      uint64_t r = bits() >> 11;
      if (is_float(a.dtype))
        a.data.push_back(static_cast<float>(static_cast<double>(r) * 0x1p-52 - 1));
      else
        a.data.push_back(static_cast<double>(r % static_cast<uint64_t>(a.dtype == DType::pred ? 2 : ids)));
    }
    inputs.push_back(std::move(a));
  }
  return inputs;
}

int64_t ids_in_range(const Func& func, const DimValues& dims) {
  int64_t ids = 3;
  auto limit = [&](const Dim& dim, int64_t more = 0) {
    if (!dim.is_named() || dims.contains(dim.name())) ids = std::min(ids, bind(dim, dims) + more);
  };
  for (const Op& op : func.ops) {
    if (const IdRangeRule rule = def_of(op.kind).ids) {
      const IdRange range = rule(func, op);
      limit(range.dim, range.more);
    }
    if (op.attrs.lengths) limit(trip_count(func, op), 1);
    if (op.body) ids = std::min(ids, ids_in_range(*op.body, dims));
  }
  return std::max<int64_t>(ids, 1);
}

double difference(std::span<const Array> a, std::span<const Array> b) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return infinity;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].shape != b[i].shape || a[i].data.size() != b[i].data.size()) return infinity;
    for (size_t j = 0; j < a[i].data.size(); ++j) {
      double x = a[i].data[j], y = b[i].data[j];
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      double d = std::abs(x - y) / std::max(1.0, std::abs(y));
      worst = std::isnan(d) ? infinity : std::max(worst, d);
    }
  }
  return worst;
}

double tolerance(const Func& func) {
  for (const auto& value : func.values)
    if (value.type.dtype == DType::f32) return 2e-5;
  for (const Op& op : func.ops)
    if (op.body && tolerance(*op.body) > 1e-9) return 2e-5;
  return 1e-12;
}

std::vector<std::vector<int64_t>> shapes_of(std::span<const Array> arrays) {
  std::vector<std::vector<int64_t>> shapes;
  for (const Array& a : arrays) shapes.push_back(a.shape);
  return shapes;
}

}  // namespace rondo::ir
