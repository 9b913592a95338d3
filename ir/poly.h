// Sizes, strides and offsets as polynomials with integer coefficients in the named dims.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/type.h"

namespace rondo::ir {

/// For example 4*B*T + 64. Exact: sums and products only, like terms merged.
class Poly {
 public:
  /// The names of one product, sorted, with repetition; empty for the constant term.
  using Term = std::vector<std::string>;

  Poly() = default;
  Poly(int64_t constant) { add(Term{}, constant); }  // NOLINT: numbers are polynomials
  Poly(const Dim& dim);                              // NOLINT: dims are polynomials

  Poly& operator+=(const Poly&);
  friend Poly operator+(Poly a, const Poly& b) { return a += b; }
  friend Poly operator-(const Poly& a, const Poly& b) { return a + b * Poly(-1); }
  friend Poly operator*(const Poly& a, const Poly& b);
  bool operator==(const Poly&) const = default;
  bool operator<(const Poly& o) const { return terms_ < o.terms_; }  // any total order: keys of maps

  bool is_zero() const { return terms_.empty(); }
  bool is_constant() const { return terms_.empty() || (terms_.size() == 1 && terms_.begin()->first.empty()); }
  /// The constant term: the value if is_constant().
  int64_t constant() const;
  int64_t evaluate(const DimValues&) const;
  const std::map<Term, int64_t>& terms() const { return terms_; }

 private:
  void add(const Term&, int64_t coefficient);
  std::map<Term, int64_t> terms_;  // no zero coefficients
};

std::string to_string(const Poly&);
/// coefficient * the names.
Poly product(const Poly::Term& names, int64_t coefficient);
/// The polynomial with another one for a name.
Poly substitute(const Poly&, const std::string& name, const Poly& by);

/// The product of all dims: the number of elements.
Poly element_count(const Shape&);
/// Row-major strides, in elements.
std::vector<Poly> row_major_strides(const Shape&);

}  // namespace rondo::ir
