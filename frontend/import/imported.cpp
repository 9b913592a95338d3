#include "frontend/import/imported.h"

#include <fmt/format.h>

#include "support/error.h"

namespace rondo {

const Function& ImportedModel::function(const std::string& name) const {
  std::string names;
  for (const Function& f : functions) {
    if (f.func.name == name) return f;
    names += (names.empty() ? "" : ", ") + f.func.name;
  }
  throw Error(fmt::format("rondo: the model has no function `{}`; functions: {}", name, names));
}

}  // namespace rondo
