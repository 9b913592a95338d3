#include "tests/support/random_func.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>

#include "ir/arrays.h"
#include "ir/builder.h"
#include "tests/support/random_values.h"

namespace rondo::test {
namespace {

using ir::Attrs;
using ir::Builder;
using ir::Dim;
using ir::OpKind;
using ir::Shape;
using ir::Type;
using ir::Value;

constexpr int kMaxDepth = 2;

/// Builds one function or body, op by op.
class Generator : public RandomValues {
 public:
  Generator(Random& random, const ir::DimValues& dims, int depth)
      : RandomValues(random, dims), depth_(depth) {}

  void grow(int ops) {
    using Step = void (Generator::*)();
    static constexpr Step kSteps[] = {
        &Generator::unary,     &Generator::unary,   &Generator::binary,  &Generator::binary,
        &Generator::positive,  &Generator::choose,  &Generator::reshape, &Generator::transpose,
        &Generator::broadcast, &Generator::slice,   &Generator::pad,     &Generator::concat,
        &Generator::gather,    &Generator::scatter, &Generator::matmul,  &Generator::matmul,
        &Generator::outer,     &Generator::reduce,  &Generator::convert, &Generator::leaf,
        &Generator::draws,     &Generator::deviate, &Generator::scan,    &Generator::scan};
    for (int i = 0; i < ops; ++i) (this->*kSteps[below(std::size(kSteps))])();
  }

  /// The next value of a carry.
  Value next(const Item& carry) {
    const Type type = b_.type(carry.v);
    const Item* other = pick([&](const Item& i) { return b_.type(i.v) == type && i.ids == carry.ids; });
    if (carry.ids) return other->v;
    return b_.unary(OpKind::tanh, b_.add(carry.v, other->v));
  }

 private:
  void unary() {
    const auto x = pick_float();
    if (!x) return;
    switch (below(7)) {
      case 0: return add(b_.neg(x->v), x->bound, x->exact);
      case 1: return add(b_.unary(OpKind::abs, x->v), x->bound, x->exact);
      case 2: return add(b_.unary(OpKind::cos, x->v), 1);
      case 3: return add(b_.unary(OpKind::sigmoid, x->v), 1);
      case 4: return add(b_.unary(OpKind::exp, b_.binary(OpKind::min, x->v, b_.like(x->v, 1))), 3);
      case 5: return add(b_.detach(x->v), x->bound, x->exact);
      default: return add(b_.unary(OpKind::tanh, x->v), 1);
    }
  }

  void binary() {
    const auto x = pick_float();
    if (!x) return;
    const Item y = partner(b_.type(x->v));
    const double bound = std::max(x->bound, y.bound);
    switch (below(6)) {
      case 0: return add(b_.sub(x->v, y.v), x->bound + y.bound);
      case 1: return add(b_.mul(x->v, y.v), x->bound * y.bound);
      case 2: return add(b_.binary(OpKind::max, x->v, y.v), bound, x->exact && y.exact);
      case 3: return add(b_.binary(OpKind::min, x->v, y.v), bound, x->exact && y.exact);
      case 4: return add(b_.add(x->v, y.v), x->bound + y.bound);
      default: {
        const Item z = partner(b_.type(x->v));
        return add(b_.fma(x->v, y.v, z.v), x->bound * y.bound + z.bound);
      }
    }
  }

  /// Functions that want a positive operand, of x^2 + 1/2.
  void positive() {
    const auto x = pick_float();
    if (!x) return;
    const Value p = b_.add(b_.mul(x->v, x->v), b_.like(x->v, 0.5));
    switch (below(4)) {
      case 0: return add(b_.unary(OpKind::log, p), 5);
      case 1: return add(b_.unary(OpKind::sqrt, p), x->bound + 1);
      case 2: return add(b_.unary(OpKind::rsqrt, p), 1.5);
      default: return add(b_.div(partner(b_.type(x->v)).v, p), 2 * kTame);
    }
  }

  void choose() {
    const auto x = pick_float();
    if (!x) return;
    const Item y = partner(b_.type(x->v));
    const Item* p = pick([&](const Item& i) { return b_.type(i.v) == Type{DType::pred, shape(x->v)}; });
    Value pred = p ? p->v : Value{};
    if (!pred && x->exact && y.exact) pred = b_.binary(below(2) ? OpKind::less : OpKind::equal, x->v, y.v);
    if (!pred) pred = b_.binary(OpKind::less, fresh(b_.type(x->v)).v, b_.like(x->v, 0.5));
    add(pred, 1, true);
    add(b_.select(pred, x->v, y.v), std::max(x->bound, y.bound), x->exact && y.exact);
  }

  /// Merges all neighbouring numeric dims, or splits an even one, or adds dims of 1.
  void reshape() {
    const Item* x = pick([](const Item&) { return true; });
    Shape to;
    const size_t way = below(3);
    for (const Dim& d : shape(x->v)) {
      const bool number = !d.is_named();
      if (way == 0 && number && !to.empty() && !to.back().is_named()) {
        to.back() = to.back().size() * d.size();
      } else if (way == 1 && number && d.size() % 2 == 0) {
        to.insert(to.end(), {2, d.size() / 2});
      } else {
        if (way == 2) to.push_back(1);
        to.push_back(d);
      }
    }
    if (to.size() <= 4) add(b_.reshape(x->v, to), x->bound, x->exact, x->ids);
  }

  void transpose() {
    const Item* x = pick([&](const Item& i) { return b_.type(i.v).rank() > 1; });
    if (!x) return;
    std::vector<int64_t> axes;
    for (int64_t i = 0; i < b_.type(x->v).rank(); ++i)
      axes.insert(axes.begin() + static_cast<int64_t>(below(axes.size() + 1)), i);
    add(b_.transpose(x->v, axes), x->bound, x->exact, x->ids);
  }

  void broadcast() {
    const Item* x = pick([&](const Item& i) { return b_.type(i.v).rank() < 4; });
    if (!x) return;
    Shape to = shape(x->v);
    const auto at = static_cast<int64_t>(below(to.size() + 1));
    to.insert(to.begin() + at, any_dim());
    std::vector<int64_t> axes;
    for (int64_t i = 0; i < static_cast<int64_t>(to.size()); ++i)
      if (i != at) axes.push_back(i);
    add(b_.broadcast(x->v, to, axes), x->bound, x->exact, x->ids);
  }

  void slice() {
    const auto found = pick_numeric_axis();
    if (!found) return;
    const auto& [x, axis] = *found;
    const int64_t n = shape(x.v)[axis].size();
    if (n < 2) return;
    const auto lo = static_cast<int64_t>(below(n));
    add(b_.slice(x.v, axis, lo, lo + 1 + static_cast<int64_t>(below(n - lo))), x.bound, x.exact, x.ids);
  }

  void pad() {
    const auto found = pick_numeric_axis();
    if (!found) return;
    const auto& [x, axis] = *found;
    add(b_.pad(x.v, axis, static_cast<int64_t>(below(3)), static_cast<int64_t>(below(3))), x.bound, x.exact,
        x.ids);
  }

  void concat() {
    const auto found = pick_numeric_axis();
    if (!found || b_.type(found->first.v).dtype != F) return;
    const auto& [x, axis] = *found;
    Type other = b_.type(x.v);
    other.shape[axis] = static_cast<int64_t>(below(4));
    const Item y = partner(other);
    add(below(2) ? b_.concat({x.v, y.v, x.v}, axis) : b_.concat({y.v, x.v}, axis), std::max(x.bound, y.bound),
        x.exact && y.exact);
  }

  /// i32[B] of numbers from 0 to the number of steps.
  Value lengths(const Dim& steps) {
    const Type type{F, {"B"}};
    const Value end = b_.add(b_.size(steps, F), b_.scalar(F, 1));
    return b_.cast(b_.mul(fresh(type).v, b_.broadcast(end, type.shape, {})), DType::i32);
  }

  void gather() {
    const Item* ids = pick_ids();
    const Item* table = pick([&](const Item& i) {
      return b_.type(i.v).rank() > 0 && !shape(i.v)[0].is_named() && shape(i.v)[0].size() >= kIds;
    });
    if (!ids || !table) return;
    if (below(4) == 0) return add(b_.in_range(ids->v, kIds), ids->bound, true, true);
    add(b_.gather(table->v, ids->v), table->bound, table->exact, table->ids);
  }

  void scatter() {
    const Item* ids = pick_ids();
    if (!ids) return;
    Shape updates = shape(ids->v), result = {kIds + static_cast<int64_t>(below(3))};
    if (below(2)) {
      const Dim width = any_dim();
      updates.push_back(width);
      result.push_back(width);
    }
    const Item u = partner({F, updates});
    const double sum = u.bound * static_cast<double>(count(shape(ids->v)));
    switch (below(3)) {
      case 0: return add(b_.scatter_add({F, result}, ids->v, u.v), sum);
      case 1: return add(b_.sum_repeated(result[0], ids->v, u.v), sum);
      default: break;
    }
    const Item table = partner({F, result});
    add(b_.scatter(table.v, ids->v, u.v), std::max(table.bound, u.bound), table.exact && u.exact);
  }

  void matmul() {
    const auto x = pick_float(1);
    if (!x) return;
    const Dim inner = shape(x->v).back(), width = any_dim();
    const Item* known = pick([&](const Item& i) {
      return is_float_item(i) && i.bound <= 1 && b_.type(i.v).rank() == 2 &&
             (shape(i.v)[0] == inner || shape(i.v)[1] == inner);
    });
    const Item w = known ? *known : fresh(below(2) ? Type{F, {inner, width}} : Type{F, {width, inner}});
    const bool transposed = shape(w.v)[0] != inner;
    add(b_.matmul(x->v, w.v, false, transposed), x->bound * w.bound * static_cast<double>(extent(inner)));
  }

  void outer() {
    const auto x = pick_float(2);
    if (!x) return;
    Type other = b_.type(x->v);
    if (below(2)) other.shape.back() = any_dim();
    const Item y = partner(other);
    const int64_t terms = count(Shape(other.shape.begin(), other.shape.end() - 1));
    add(b_.matmul(x->v, y.v, true), x->bound * y.bound * static_cast<double>(terms));
  }

  void reduce() {
    const auto x = pick_float(1);
    if (!x) return;
    std::vector<int64_t> axes;
    double terms = 1;
    for (int64_t i = 0; i < b_.type(x->v).rank(); ++i)
      if (below(2)) {
        axes.push_back(i);
        terms *= static_cast<double>(extent(shape(x->v)[i]));
      }
    if (axes.empty() || terms == 0) return;
    if (below(2)) return add(b_.reduce_sum(x->v, axes), x->bound * terms);
    if (x->exact) add(b_.argmax(x->v, axes[0]), 20, true);
    add(b_.reduce_max(x->v, axes), x->bound, x->exact);
  }

  /// The last value, often a product, less the mean of its columns.
  void deviate() {
    if (below(4) != 0) matmul();
    const Item x = pool_.back();
    if (!is_float_item(x) || b_.type(x.v).rank() == 0) return;
    const auto last = static_cast<int64_t>(b_.type(x.v).rank()) - 1;
    const Dim columns = shape(x.v).back();
    if (columns.is_named() || columns == Dim(0)) return;
    const Value sum = b_.reduce_sum(x.v, {last});
    const Value mean = b_.div(sum, b_.like(sum, static_cast<double>(columns.size())));
    std::vector<int64_t> rows(static_cast<size_t>(last));
    std::iota(rows.begin(), rows.end(), 0);
    add(b_.sub(x.v, b_.broadcast(mean, shape(x.v), rows)), 2 * x.bound);
  }

  void convert() {
    const Item* i = pick([&](const Item& x) { return b_.type(x.v).dtype != F; });
    if (i) add(b_.cast(i->v, F), i->bound, true);
    const auto x = pick_float();
    if (!x || !x->exact) return;
    const Value scaled = b_.mul(x->v, b_.like(x->v, 4));
    add(b_.unary(OpKind::floor, scaled), 4 * x->bound, true);
    add(b_.cast(scaled, below(2) ? DType::i32 : DType::pred), 4 * x->bound, true);
  }

  /// Random numbers of their own for each id.
  void draws() {
    const Item* counters = pick_ids();
    if (!counters) return;
    Shape to = shape(counters->v);
    to.push_back(any_dim());
    if (to.size() <= 4) add(b_.random(b_.scalar(DType::i32, 7), counters->v, {F, to}), 1, true);
  }

  void leaf() {
    const Type type{F, {any_dim(), any_dim()}};
    switch (below(4)) {
      case 0: return add(b_.constant(type, static_cast<double>(below(9)) / 4 - 1), 1, true);
      case 1: return add(b_.iota(type, static_cast<int64_t>(below(2))), 20, true);
      case 2: return add(b_.size("B", F), 5, true);
      default: return pool_.push_back(fresh(type));
    }
  }

  void scan();

  int depth_;
};

void Generator::scan() {
  if (depth_ == kMaxDepth) return;
  Generator body(random_, dims_, depth_ + 1);
  Attrs attrs;
  attrs.reverse = below(2) != 0;
  std::vector<Value> operands;
  auto pass = [&](const Item* i, Type type, bool carry) {
    if (!i) return false;
    operands.push_back(i->v);
    body.param(std::move(type),
               carry ? Item{{}, std::max(i->bound, 1.0), b_.type(i->v).dtype != F, i->ids} : *i);
    return true;
  };
  attrs.lengths = below(4) == 0;
  // With lengths, what belongs to one row has B in front.
  auto has_rows = [&](const Builder& b, const Item& i, size_t axis) {
    const Shape& s = b.type(i.v).shape;
    return !attrs.lengths || (s.size() > axis && s[axis] == Dim("B"));
  };
  for (size_t n = below(3); n > 0; --n) {
    const Item* i = pick([](const Item&) { return true; });
    attrs.consts += pass(i, b_.type(i->v), false);
  }
  for (size_t n = below(3); n > 0; --n) {
    const Item* i = pick([&](const Item& x) { return (is_float_item(x) || x.ids) && has_rows(b_, x, 0); });
    if (pass(i, i ? b_.type(i->v) : Type{}, true)) ++attrs.carries;
  }
  Dim trip = below(2) ? Dim("N") : Dim(static_cast<int64_t>(below(4)));
  size_t xs = 0;
  for (size_t n = below(3); n > 0; --n) {
    const Item* i = pick([&](const Item& x) {
      return b_.type(x.v).rank() > 0 && (xs == 0 || shape(x.v)[0] == trip) &&
             (!is_float_item(x) || has_rows(b_, x, 1));
    });
    if (!i) continue;
    Type t = b_.type(i->v);
    trip = t.shape[0];
    t.shape.erase(t.shape.begin());
    xs += pass(i, std::move(t), false);
  }
  if (xs == 0) attrs.dim = trip;
  if (operands.empty()) return;
  body.grow(5);
  std::vector<Value> results;
  for (uint32_t i = 0; i < attrs.carries; ++i) results.push_back(body.next(body.pool()[attrs.consts + i]));
  std::vector<Item> outs(attrs.carries);
  for (uint32_t i = 0; i < attrs.carries; ++i) {
    outs[i] = body.pool()[attrs.consts + i];
    outs[i].exact = b_.type(operands[attrs.consts + i]).dtype != F;
  }
  for (size_t n = below(2) + (results.empty() ? 1 : 0); n > 0; --n) {
    const Item* y = body.pick([&](const Item& x) { return has_rows(body.builder(), x, 0); });
    if (!y) continue;
    results.push_back(y->v);
    outs.push_back(*y);
  }
  if (results.empty()) return;
  if (attrs.lengths) operands.push_back(lengths(trip));
  auto func = std::make_shared<const ir::Func>(std::move(body.builder()).finish(results));
  const std::vector<Value> values = b_.emit_scan(operands, attrs, func);
  for (size_t i = 0; i < values.size(); ++i) add(values[i], outs[i].bound, outs[i].exact, outs[i].ids);
}

}  // namespace

RandomFunc random_func(uint64_t seed, int size) {
  Random random(seed);
  const ir::DimValues dims = {{"T", 1 + static_cast<int64_t>(random() % 5)},
                              {"B", 1 + static_cast<int64_t>(random() % 4)},
                              {"N", static_cast<int64_t>(random() % 4)}};
  Generator g(random, dims, 0);
  const Item number{{}, 1, true}, ids{{}, static_cast<double>(kIds), true, true};
  g.param({F, {"T", "B", 4}}, number, "x");
  g.param({F, {4, 8}}, number, "w");
  g.param({F, {8, 4}}, number, "u");
  g.param({F, {"B", 4}}, number, "h");
  g.param({F, {"N", "B"}}, number, "n");
  g.param({DType::i32, {"T", "B"}}, ids, "ids");
  g.param({DType::i32, {}}, ids, "id");
  g.param({DType::pred, {"B", 4}}, number, "p");
  g.grow(size);
  std::vector<Value> results;
  for (int i = 0; i < 3; ++i) results.push_back(g.pick([](const Item&) { return true; })->v);
  RandomFunc r{std::move(g.builder()).finish(results), dims, {}};
  r.inputs = ir::random_inputs(r.func, dims, seed, kIds);
  return r;
}

}  // namespace rondo::test
