#include "ir/poly.h"

#include <algorithm>

namespace rondo::ir {

Poly::Poly(const Dim& dim) {
  if (dim.is_named())
    add({dim.name()}, 1);
  else
    add(Term{}, dim.size());
}

void Poly::add(const Term& term, int64_t coefficient) {
  if (coefficient == 0) return;
  auto [it, fresh] = terms_.try_emplace(term, coefficient);
  if (!fresh && (it->second += coefficient) == 0) terms_.erase(it);
}

Poly& Poly::operator+=(const Poly& other) {
  for (const auto& [term, coefficient] : std::map(other.terms_)) add(term, coefficient);
  return *this;
}

Poly operator*(const Poly& a, const Poly& b) {
  Poly product;
  for (const auto& [ta, ca] : a.terms_)
    for (const auto& [tb, cb] : b.terms_) {
      Poly::Term term;
      std::merge(ta.begin(), ta.end(), tb.begin(), tb.end(), std::back_inserter(term));
      product.add(term, ca * cb);
    }
  return product;
}

int64_t Poly::constant() const {
  auto it = terms_.find(Term{});
  return it == terms_.end() ? 0 : it->second;
}

int64_t Poly::evaluate(const DimValues& values) const {
  int64_t sum = 0;
  for (const auto& [term, coefficient] : terms_) {
    int64_t product = coefficient;
    for (const std::string& name : term) product *= bind(Dim(name), values);
    sum += product;
  }
  return sum;
}

std::string to_string(const Poly& p) {
  if (p.is_zero()) return "0";
  std::string text;
  for (auto it = p.terms().rbegin(); it != p.terms().rend(); ++it) {
    const auto& [term, coefficient] = *it;
    if (!text.empty()) text += coefficient < 0 ? "-" : "+";
    int64_t shown = text.empty() ? coefficient : std::abs(coefficient);
    std::string product = term.empty() || shown != 1 ? std::to_string(shown) : "";
    for (const std::string& name : term) product += (product.empty() ? "" : "*") + name;
    text += product;
  }
  return text;
}

Poly product(const Poly::Term& names, int64_t coefficient) {
  Poly result = coefficient;
  for (const std::string& name : names) result = result * Poly(Dim(name));
  return result;
}

Poly substitute(const Poly& p, const std::string& name, const Poly& by) {
  Poly result;
  for (const auto& [term, coefficient] : p.terms()) {
    Poly product = coefficient;
    for (const std::string& factor : term) product = product * (factor == name ? by : Poly(Dim(factor)));
    result += product;
  }
  return result;
}

Poly element_count(const Shape& shape) {
  Poly count = 1;
  for (const Dim& d : shape) count = count * Poly(d);
  return count;
}

std::vector<Poly> row_major_strides(const Shape& shape) {
  std::vector<Poly> strides(shape.size());
  Poly stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride = stride * Poly(shape[i]);
  }
  return strides;
}

}  // namespace rondo::ir
