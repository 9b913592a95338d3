#include "frontend/sampling.h"

#include "frontend/scan.h"

namespace rondo {

Tensor sample(Operand logits, Operand temperature, Operand seed, Operand count) {
  LibraryCall call("sample", logits.where());
  const Tensor u = max(random_uniform(seed, count, logits.tensor().shape()), 0x1p-32);  // log needs u > 0
  return argmax(logits - temperature * log(-log(u)));
}

// The k-th largest is found by halving an interval [lo, hi) of p = exp(x - max x), which lies in [0, 1]: at
// least k elements are at lo or above, fewer than k at hi. V comparisons a halving, and nothing is sorted.
Tensor top_k(Operand logits, Operand k) {
  LibraryCall call("top_k", logits.where());
  struct Interval {
    Tensor lo, hi;
  };
  constexpr int64_t kHalvings = 32;
  const Tensor x = logits;
  const Dim symbols = x.dim(-1, logits.where());
  const Tensor p = exp(x - expand(reduce_max(x, -1), -1, symbols));
  const Tensor checked = check_ids(k, symbols.size() + 1), all = equal(checked, 0);
  const Tensor wanted = select(all, static_cast<double>(symbols.size()), cast(checked, x.dtype()));
  const Shape rows(x.shape().begin(), x.shape().end() - 1);
  const Interval start{zeros(rows), constant(2, rows)};
  const Interval found = repeat(start, kHalvings, [&](const Interval& at) -> Interval {
    const Tensor middle = (at.lo + at.hi) / 2;
    const Tensor above = sum(select(less(p, expand(middle, -1, symbols)), zeros(p.shape()), 1), -1);
    const Tensor enough = less(wanted - 0.5, above);
    return {select(enough, middle, at.lo), select(enough, at.hi, middle)};
  });
  return select(less(p, expand(found.lo, -1, symbols)), constant(-1e30, x.shape()), x);
}

}  // namespace rondo
