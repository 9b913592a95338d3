// Structs of tensors: any aggregate of Tensors is a state, without registration.
#pragma once

#include <array>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "frontend/tensor.h"

namespace rondo {
namespace detail {

/// Stands for any member while the members of an aggregate are counted.
struct AnyMember {
  template <class T>
  operator T() const;  // NOLINT: implicit; never defined
};

template <class T, class... Members>
constexpr size_t member_count(Members... members) {
  if constexpr (requires { T{members..., AnyMember{}}; }) {
    return member_count<T>(members..., AnyMember{});
  } else {
    return sizeof...(Members);
  }
}

/// The members of an aggregate, as references.
template <class S>
constexpr auto tie_members(S& s) {
  constexpr size_t n = member_count<std::remove_const_t<S>>();
  static_assert(n <= 12, "a state struct has at most 12 members; nest structs for more");
  // clang-format off
  if constexpr (n == 0) return std::tuple<>();
  else if constexpr (n == 1) { auto& [a] = s; return std::tie(a); }
  else if constexpr (n == 2) { auto& [a, b] = s; return std::tie(a, b); }
  else if constexpr (n == 3) { auto& [a, b, c] = s; return std::tie(a, b, c); }
  else if constexpr (n == 4) { auto& [a, b, c, d] = s; return std::tie(a, b, c, d); }
  else if constexpr (n == 5) { auto& [a, b, c, d, e] = s; return std::tie(a, b, c, d, e); }
  else if constexpr (n == 6) { auto& [a, b, c, d, e, f] = s; return std::tie(a, b, c, d, e, f); }
  else if constexpr (n == 7) { auto& [a, b, c, d, e, f, g] = s; return std::tie(a, b, c, d, e, f, g); }
  else if constexpr (n == 8) { auto& [a, b, c, d, e, f, g, h] = s; return std::tie(a, b, c, d, e, f, g, h); }
  else if constexpr (n == 9) { auto& [a, b, c, d, e, f, g, h, i] = s; return std::tie(a, b, c, d, e, f, g, h, i); }
  else if constexpr (n == 10) { auto& [a, b, c, d, e, f, g, h, i, j] = s; return std::tie(a, b, c, d, e, f, g, h, i, j); }
  else if constexpr (n == 11) { auto& [a, b, c, d, e, f, g, h, i, j, k] = s; return std::tie(a, b, c, d, e, f, g, h, i, j, k); }
  else { auto& [a, b, c, d, e, f, g, h, i, j, k, l] = s; return std::tie(a, b, c, d, e, f, g, h, i, j, k, l); }
  // clang-format on
}

}  // namespace detail

/// Calls fn for each Tensor of s, in order: s is a Tensor, a std::vector, array, pair or tuple of such, or an
/// aggregate whose members are such.
template <class S, class Fn>
void for_each_tensor(S& s, Fn&& fn) {
  using T = std::remove_const_t<S>;
  if constexpr (std::is_same_v<T, Tensor>) {
    fn(s);
  } else if constexpr (requires {
                         s.begin();
                         s.end();
                       }) {
    for (auto& element : s) for_each_tensor(element, fn);
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    std::apply([&](auto&... members) { (for_each_tensor(members, fn), ...); }, s);
  } else {
    static_assert(std::is_aggregate_v<T>, "a state is a Tensor or an aggregate of states");
    std::apply([&](auto&... members) { (for_each_tensor(members, fn), ...); }, detail::tie_members(s));
  }
}

/// The tensors of s, in order.
template <class S>
std::vector<Tensor> tensors_of(const S& s) {
  std::vector<Tensor> tensors;
  for_each_tensor(s, [&](const Tensor& t) { tensors.push_back(t); });
  return tensors;
}

/// A copy of s with its tensors replaced, in order.
template <class S>
S with_tensors(S s, const std::vector<Tensor>& tensors) {
  size_t i = 0;
  for_each_tensor(s, [&](Tensor& t) { t = tensors.at(i++); });
  return s;
}

/// The tensors as the struct S, whose members are as many.
template <class S>
S struct_of(const std::vector<Tensor>& tensors, Where where) {
  const size_t count = tensors_of(S()).size();
  if (count != tensors.size())
    fail("a state of " + std::to_string(count) + " tensors is needed, not of " +
             std::to_string(tensors.size()),
         where);
  return with_tensors(S(), tensors);
}

}  // namespace rondo
