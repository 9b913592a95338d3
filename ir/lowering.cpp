#include "ir/lowering.h"

namespace rondo::ir {

Index operator+(const Index& a, const Index& b) {
  Index sum = a;
  sum.offset += b.offset;
  if (sum.coef.size() < b.coef.size()) sum.coef.resize(b.coef.size());
  for (size_t i = 0; i < b.coef.size(); ++i) sum.coef[i] += b.coef[i];
  return sum;
}

Index operator*(Index i, int64_t factor) {
  i.offset *= factor;
  for (int64_t& c : i.coef) c *= factor;
  return i;
}

}  // namespace rondo::ir
