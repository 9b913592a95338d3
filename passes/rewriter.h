// Emits ops through local rewrites.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/builder.h"

namespace rondo::passes {

/// Emits an op, or what a rule of `rewrite_rules()` makes of it; what a rule emits is rewritten too. Every
/// rule replaces an op by fewer or simpler ones, so this ends.
class Rewriter {
 public:
  explicit Rewriter(ir::Builder& b) : b(b) {}

  ir::Value emit(ir::OpKind, std::vector<ir::Value> operands, ir::Attrs = {});

  const ir::Op* def(ir::Value v) const { return b.func().def(v); }
  /// The op that defines v if it is of that kind, else null.
  const ir::Op* def(ir::Value v, ir::OpKind kind) const;
  /// The number that every element of v is, if v is a const.
  std::optional<double> number(ir::Value v) const;
  bool is_number(ir::Value v, double x) const { return number(v) == x; }
  const ir::Type& type(ir::Value v) const { return b.type(v); }
  /// Where each part of a concat ends, along its axis.
  const std::vector<int64_t>& part_ends(ir::Value concat);

  ir::Value constant(ir::Type, double);
  ir::Value reshape(ir::Value, ir::Shape);
  ir::Value slice(ir::Value, int64_t axis, int64_t lo, int64_t hi);
  ir::Value pad(ir::Value, int64_t axis, int64_t before, int64_t after);
  ir::Value concat(std::vector<ir::Value>, int64_t axis);
  ir::Value broadcast(ir::Value, ir::Shape, std::vector<int64_t> axes);

  ir::Builder& b;

 private:
  std::unordered_map<uint32_t, std::vector<int64_t>>
      part_ends_;  // so that n slices of n parts take no n * n steps
};

/// What an op over given operands equals, or Value{} if the rule does not apply. The op is not emitted yet:
/// its results have no ids.
using Rule = ir::Value (*)(Rewriter&, const ir::Op&);

struct NamedRule {
  ir::OpKind kind;
  std::string_view identity;  // "x + 0 = x"
  Rule rule;
};

/// Rules about numbers, and about where elements come from.
std::span<const NamedRule> arithmetic_rules();
std::span<const NamedRule> movement_rules();

}  // namespace rondo::passes
