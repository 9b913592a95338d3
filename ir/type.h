// Types of the tensor IR: `dtype[dims]`, where a dim is a number or a name that a call binds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/dtype.h"

namespace rondo::ir {

/// One extent of a tensor: a number known now, or a name ("T", "B") that is bound at the call.
class Dim {
 public:
  Dim() = default;
  Dim(int size) : size_(size) {}                     // NOLINT: numbers are dims
  Dim(int64_t size) : size_(size) {}                 // NOLINT
  Dim(const char* name) : name_(name) {}             // NOLINT: so are names
  Dim(std::string name) : name_(std::move(name)) {}  // NOLINT

  bool is_named() const { return !name_.empty(); }
  const std::string& name() const { return name_; }
  /// The number; 0 for a named dim.
  int64_t size() const { return size_; }
  bool operator==(const Dim&) const = default;
  auto operator<=>(const Dim&) const = default;

 private:
  int64_t size_ = 0;
  std::string name_;
};

/// ceil(steps / longest): how many windows of at most `longest` steps there are. Where either is a name, it
/// is a dim of the name "T/64", which follows from theirs and is not bound by itself. The latter may be a
/// quotient: "T/512/B" are windows of at most ceil(512 / B) steps.
Dim quotient(const Dim& steps, const Dim& longest);
/// The two that a quotient is named by; none for any other dim.
std::optional<std::pair<Dim, Dim>> quotient_parts(const Dim&);
/// The number. Where `longest` is 0, one has all steps: of rows that are none, any number makes a block.
inline int64_t windows_of(int64_t steps, int64_t longest) {
  const int64_t each = longest > 0 ? longest : std::max(steps, int64_t{1});
  return (steps + each - 1) / each;
}

using Shape = std::vector<Dim>;
/// No extent and no product of the numeric extents of a shape is larger, so that sums and products of extents
/// do not overflow.
inline constexpr int64_t kMaxElements = int64_t{1} << 40;
/// What each named dim stands for in one call.
using DimValues = std::map<std::string, int64_t>;

struct Type {
  DType dtype = DType::f32;
  Shape shape;

  int rank() const { return static_cast<int>(shape.size()); }
  bool operator==(const Type&) const = default;
};

std::string to_string(const Dim&);
std::string to_string(const Shape&);  // "[T,B,64]"
std::string to_string(const Type&);   // "f32[T,B,64]"

/// The number a dim stands for. Throws Error if its name is not bound.
int64_t bind(const Dim&, const DimValues&);
std::vector<int64_t> bind(const Shape&, const DimValues&);

}  // namespace rondo::ir
