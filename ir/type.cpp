#include "ir/type.h"

#include <fmt/format.h>

#include "support/error.h"

namespace rondo::ir {

std::string to_string(const Dim& d) { return d.is_named() ? d.name() : std::to_string(d.size()); }

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (const Dim& d : shape) {
    if (text.size() > 1) text += ',';
    text += to_string(d);
  }
  return text += ']';
}

std::string to_string(const Type& t) { return std::string(name_of(t.dtype)) + to_string(t.shape); }

int64_t bind(const Dim& d, const DimValues& values) {
  if (!d.is_named()) return d.size();
  auto it = values.find(d.name());
  if (it == values.end()) throw Error(fmt::format("rondo: dim {} is not bound", d.name()));
  return it->second;
}

std::vector<int64_t> bind(const Shape& shape, const DimValues& values) {
  std::vector<int64_t> sizes;
  for (const Dim& d : shape) sizes.push_back(bind(d, values));
  return sizes;
}

}  // namespace rondo::ir
