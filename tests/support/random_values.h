// The values that a random function has at hand while it is built (random_func.cpp), and what is known of
// them.
#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ir/builder.h"

namespace rondo::test {

constexpr DType F = DType::f64;
constexpr int64_t kIds = 3;  // inputs of i32 are in [0, kIds)
constexpr double kTame = 8;  // larger values are squashed before they are used

using Random = std::mt19937_64;

struct Item {
  ir::Value v;
  double bound = 1;    // of the absolute value, roughly
  bool exact = false;  // computed without rounding: may be compared, floored, cast to i32
  bool ids = false;    // i32 in [0, kIds)
};

class RandomValues {
 public:
  RandomValues(Random& random, const ir::DimValues& dims) : random_(random), dims_(dims), b_("random") {}

  void param(ir::Type type, Item like, std::string name = "");
  const std::vector<Item>& pool() const { return pool_; }
  ir::Builder& builder() { return b_; }
  size_t below(size_t n) { return random_() % n; }

  /// One that fits; null if none does.
  const Item* pick(const std::function<bool(const Item&)>& fits);

 protected:
  const ir::Shape& shape(ir::Value v) const { return b_.type(v).shape; }
  int64_t extent(const ir::Dim& d) const { return ir::bind(d, dims_); }
  int64_t count(const ir::Shape&) const;
  bool is_float_item(const Item& i) const { return b_.type(i.v).dtype == F; }
  /// The axes with a numeric extent.
  std::vector<int64_t> numeric_axes(ir::Value) const;

  ir::Dim any_dim();
  /// A value of too many elements is left out.
  void add(ir::Value v, double bound, bool exact = false, bool ids = false);
  Item fresh(ir::Type type);

  /// A float of at least that rank, squashed if it is large.
  std::optional<Item> pick_float(int rank = 0);
  const Item* pick_ids();
  /// Any value with a numeric axis, and such an axis.
  std::optional<std::pair<Item, int64_t>> pick_numeric_axis();
  /// Another value of the type, which is there or fresh.
  Item partner(ir::Type type);

  Random& random_;
  const ir::DimValues& dims_;
  ir::Builder b_;
  std::vector<Item> pool_;
};

}  // namespace rondo::test
