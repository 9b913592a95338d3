// Models that several tests share.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "rondo/rondo.h"

namespace rondo::test {

/// A cell and an output layer, over numbers or ids.
template <class Cell>
struct CellModel : Model {
  Cell cell;
  Linear head;

  CellModel(DType dtype, int64_t out, const std::function<Cell(Model&)>& make)
      : Model(dtype), cell(make(*this)), head(*this, "head", cell.out, out) {}
  typename Cell::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<typename Cell::State, Tensor> step(const typename Cell::State& s, Tensor x) const {
    auto next = cell(s, x);
    return {next, head(next.h)};
  }
};

/// Layers one after the other, and an output layer.
struct StackModel : Model {
  Stack stack;
  Linear head;

  StackModel(DType dtype, int64_t hidden, int64_t out, const std::function<std::vector<Layer>(Model&)>& make)
      : Model(dtype), stack{make(*this)}, head(*this, "head", hidden, out) {}
  Stack::State initial(Dim batch) const { return stack.initial(batch); }
  std::pair<Stack::State, Tensor> step(const Stack::State& s, Tensor x) const {
    auto [next, h] = stack(s, x);
    return {next, head(h)};
  }
};

}  // namespace rondo::test
