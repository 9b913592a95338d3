#include "ir/type.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "support/error.h"

namespace rondo::ir {

std::string to_string(const Dim& d) { return d.is_named() ? d.name() : std::to_string(d.size()); }

Dim quotient(const Dim& steps, const Dim& longest) {
  if (!steps.is_named() && !longest.is_named()) return windows_of(steps.size(), longest.size());
  return fmt::format("{}/{}", to_string(steps), to_string(longest));
}

std::optional<std::pair<Dim, Dim>> quotient_parts(const Dim& d) {
  const size_t slash = d.name().find('/');
  if (slash == std::string::npos || d.name()[0] == '#') return std::nullopt;  // '#': the compiler's own
  auto part = [](const std::string& text) {
    const bool number =
        std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
    return number ? Dim(static_cast<int64_t>(std::stoll(text))) : Dim(text);
  };
  return std::pair(part(d.name().substr(0, slash)), part(d.name().substr(slash + 1)));
}

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
  if (const auto parts = quotient_parts(d))
    return windows_of(bind(parts->first, values), bind(parts->second, values));
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
