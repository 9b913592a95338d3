// Recurrence: `scan` carries a state of the user's own type through time.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "frontend/state.h"
#include "frontend/tensor.h"

namespace rondo {

class Region;

struct ScanOptions {
  bool reverse = false;  // from the last step to the first; y_t still stands at index t
  /// i32[B]: row b takes part in its first lengths[b] steps only, from 0 to T. Beyond, its state stays and
  /// its y is zero; in reverse it starts at its own last step. What stands in xs beyond a row's length does
  /// not matter. State, y and float xs have B as the first dim of one step.
  std::optional<Tensor> lengths = {};
};

namespace detail {

/// The body of a scan while it is traced: from its construction to `finish`, ops go into the body.
class ScanBody {
 public:
  /// Where there are no xs, count is the number of steps.
  ScanBody(std::vector<Tensor> init, std::vector<Tensor> xs, std::optional<Dim> count, ScanOptions options,
           Where where);
  ~ScanBody();

  /// Inside the body: the state before the step, and the slices of xs at the step.
  const std::vector<Tensor>& state() const { return state_; }
  const std::vector<Tensor>& slices() const { return slices_; }
  /// Closes the body with the state after the step and the ys. Outside: the final state, then the stacked ys.
  std::vector<Tensor> finish(const std::vector<Tensor>& next, const std::vector<Tensor>& ys);

 private:
  std::vector<Tensor> init_, xs_;
  std::optional<Dim> count_;
  ScanOptions options_;
  Where where_;
  std::unique_ptr<Region> region_;
  std::vector<Tensor> state_, slices_;
};

template <class S, class Result>
auto finish_scan(ScanBody& body, const S& init, const Result& result);

}  // namespace detail

/// For each t: (state, y_t) = step(state, x_t). Returns the final state and the ys stacked along a new
/// leading dim T.
///
/// xs are a Tensor or a struct of Tensors, each with leading dim T; so are the ys. step returns a pair of the
/// next state and y, or the next state alone; then scan returns the final state alone. Tensors and parameters
/// of the functions around may be used in step. A cell is such a step: its errors name the place of the scan.
template <class S, class X, class Step>
auto scan(const S& init, const X& xs, Step&& step, ScanOptions options = {}, Where where = Where::here()) {
  detail::ScanBody body(tensors_of(init), tensors_of(xs), std::nullopt, options, where);
  const S state = with_tensors(init, body.state());
  const X x = with_tensors(xs, body.slices());
  if constexpr (std::is_same_v<X, Tensor> && requires { typename std::remove_cvref_t<Step>::State; }) {
    return detail::finish_scan(body, init, step(state, Operand(x, where)));
  } else {
    return detail::finish_scan(body, init, step(state, x));
  }
}

/// `count` times: (state, y_t) = step(state). As scan, without xs.
template <class S, class Step>
auto repeat(const S& init, Dim count, Step&& step, Where where = Where::here()) {
  detail::ScanBody body(tensors_of(init), {}, std::move(count), {}, where);
  return detail::finish_scan(body, init, step(with_tensors(init, body.state())));
}

namespace detail {

template <class S, class Result>
auto finish_scan(ScanBody& body, const S& init, const Result& result) {
  if constexpr (std::is_same_v<Result, S>) {
    return with_tensors(init, body.finish(tensors_of(result), {}));
  } else {
    const auto& [next, ys] = result;
    static_assert(
        std::is_same_v<std::remove_cvref_t<decltype(next)>, S>,
        "the step of a scan returns the next state, of the type of the first, alone or in a pair with y");
    const std::vector<Tensor> results = body.finish(tensors_of(next), tensors_of(ys));
    const auto first_y = results.begin() + static_cast<std::ptrdiff_t>(body.state().size());
    return std::pair(with_tensors(init, results), with_tensors(ys, {first_y, results.end()}));
  }
}

}  // namespace detail

/// xs one step later: `first`, then all but the last of xs.
inline Tensor delayed(const Tensor& xs, const Tensor& first, Where where = Where::here()) {
  return scan(
             first, xs, [](const Tensor& before, const Tensor& x) { return std::pair(x, before); }, {}, where)
      .second;
}

}  // namespace rondo
