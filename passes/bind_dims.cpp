#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "passes/copier.h"
#include "passes/passes.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

namespace {

class Binder {
 public:
  explicit Binder(const DimValues& dims) : dims_(dims) {}

  Func run(const Func& func) const {
    Builder b(func.name);
    ValueMap map(func);
    for (Value v : func.params)
      map[v] = b.param({func.type(v).dtype, bound(func.type(v).shape)}, func.value_name(v));
    for (const Op& op : func.ops) {
      Op copy = op;
      copy.attrs.type.shape = bound(op.attrs.type.shape);
      copy.attrs.dim = bound(op.attrs.dim);
      copy.attrs.longest = bound(op.attrs.longest);
      if (op.body) copy.body = std::make_shared<Func>(run(*op.body));
      map.set_results(op, b.copy(func, copy, map.operands(op)));
    }
    return std::move(b).finish(map.of(func.results));
  }

 private:
  Dim bound(const Dim& d) const {
    if (const auto parts = quotient_parts(d)) return quotient(bound(parts->first), bound(parts->second));
    const auto value = d.is_named() ? dims_.find(d.name()) : dims_.end();
    return value == dims_.end() ? d : Dim(value->second);
  }

  Shape bound(Shape shape) const {
    for (Dim& d : shape) d = bound(d);
    return shape;
  }

  const DimValues& dims_;
};

}  // namespace

Func bind_dims(const Func& func, const DimValues& dims) {
  const std::vector<std::string> names = named_dims(func);
  for (const auto& [name, value] : dims) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(fmt::format("rondo: bind-dims: {} has no dim `{}`, only: {}", func.name, name,
                              fmt::join(names, ", ")));
    if (value < 0) throw Error(fmt::format("rondo: bind-dims: {}={} is negative", name, value));
  }
  return Binder(dims).run(func);
}

}  // namespace rondo::passes
