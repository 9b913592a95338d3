#include "tests/support/random_values.h"

#include <iterator>

namespace rondo::test {

using ir::Dim;
using ir::OpKind;
using ir::Shape;
using ir::Type;
using ir::Value;

namespace {

constexpr int64_t kMaxCount = 600;  // elements of a value

}  // namespace

void RandomValues::param(Type type, Item like, std::string name) {
  like.v = b_.param(std::move(type), std::move(name));
  pool_.push_back(like);
}

const Item* RandomValues::pick(const std::function<bool(const Item&)>& fits) {
  std::vector<const Item*> found;
  for (const Item& i : pool_)
    if (fits(i)) found.push_back(&i);
  // Half of the time one of the newest, so that functions grow deep.
  if (found.size() > 3 && below(2)) found.erase(found.begin(), found.end() - 3);
  return found.empty() ? nullptr : found[below(found.size())];
}

int64_t RandomValues::count(const Shape& s) const {
  int64_t n = 1;
  for (const Dim& d : s) n *= extent(d);
  return n;
}

std::vector<int64_t> RandomValues::numeric_axes(Value v) const {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < shape(v).size(); ++i)
    if (!shape(v)[i].is_named()) axes.push_back(static_cast<int64_t>(i));
  return axes;
}

Dim RandomValues::any_dim() {
  static const Dim kDims[] = {"T", "B", "N", 1, 2, 3, 4, 5, 8, 17};
  return kDims[below(std::size(kDims))];
}

void RandomValues::add(Value v, double bound, bool exact, bool ids) {
  if (count(shape(v)) <= kMaxCount) pool_.push_back({v, bound, exact, ids});
}

Item RandomValues::fresh(Type type) {
  const Value key = b_.scalar(DType::i32, static_cast<double>(below(100)));
  return {b_.random(key, key, std::move(type)), 1, true};
}

std::optional<Item> RandomValues::pick_float(int rank) {
  const Item* i = pick([&](const Item& x) { return is_float_item(x) && b_.type(x.v).rank() >= rank; });
  if (!i) return std::nullopt;
  return i->bound <= kTame ? *i : Item{b_.unary(OpKind::tanh, i->v)};
}

const Item* RandomValues::pick_ids() {
  return pick([](const Item& i) { return i.ids; });
}

std::optional<std::pair<Item, int64_t>> RandomValues::pick_numeric_axis() {
  const Item* i = pick([&](const Item& x) { return !numeric_axes(x.v).empty(); });
  if (!i) return std::nullopt;
  const auto axes = numeric_axes(i->v);
  return std::pair(*i, axes[below(axes.size())]);
}

Item RandomValues::partner(Type type) {  // by value: building moves the types of values
  const Item* i = pick([&](const Item& x) { return b_.type(x.v) == type && x.bound <= kTame; });
  return i && below(4) ? *i : fresh(std::move(type));
}

}  // namespace rondo::test
