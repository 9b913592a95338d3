#include "tests/ops/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/arrays.h"
#include "ir/text.h"

namespace rondo::test {
namespace {

OpCase make_case(const OpRow& row, const std::string& float_type) {
  std::string text = fmt::format("func @f({}) -> ({}) {{\n  %r = {}\n  return %r\n}}\n", row.params,
                                 row.op.substr(row.op.rfind(" : ") + 3), row.op);
  for (size_t at; (at = text.find("F[")) != std::string::npos;) text.replace(at, 1, float_type);
  ir::Func func = ir::parse(text);
  return {&row, std::move(text), std::move(func)};
}

}  // namespace

std::vector<OpCase> cases_of(ir::OpKind kind) {
  std::vector<OpCase> cases;
  for (const OpRow& row : op_rows()) {
    OpCase c = make_case(row, "f64");
    if (c.func.ops.at(0).kind != kind) continue;
    cases.push_back(std::move(c));
    if (row.op.find("F[") != std::string::npos || row.params.find("F[") != std::string::npos)
      cases.push_back(make_case(row, "f32"));
  }
  return cases;
}

std::vector<ir::Array> inputs_of(const OpCase& c) {
  const double lo = c.row->lo, hi = c.row->hi;
  const auto values = static_cast<int64_t>(hi - lo) + 1;
  std::vector<ir::Array> inputs = ir::random_inputs(c.func, row_dims(), 17, std::max<int64_t>(values, 1));
  for (ir::Array& a : inputs)
    for (double& x : a.data) {
      if (is_float(a.dtype)) x = static_cast<float>(lo + (x + 1) / 2 * (hi - lo));
      if (a.dtype == DType::i32) x += lo;
    }
  return inputs;
}

}  // namespace rondo::test
