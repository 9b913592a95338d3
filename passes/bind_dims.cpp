#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "passes/passes.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

Func bind_dims(const Func& func, const DimValues& dims) {
  const std::vector<std::string> names = named_dims(func);
  for (const auto& [name, value] : dims) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(fmt::format("rondo: bind-dims: {} has no dim `{}`, only: {}", func.name, name,
                              fmt::join(names, ", ")));
    if (value < 0) throw Error(fmt::format("rondo: bind-dims: {}={} is negative", name, value));
  }
  return replace_dims(func, dims);
}

}  // namespace rondo::passes
