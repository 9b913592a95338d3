#include "ir/evaluator.h"
#include "ir/ops/ops.h"
#include "ir/ops/rules.h"

// Op's comment in func.h says what a scan means. It has no gradient rule of one op: its gradient is a pass of
// its own.

namespace rondo::ir {
namespace {

void require_param(const ScanView& s, Value param, const Type& type, std::string_view what, uint32_t i) {
  if (s.body.type(param) != type)
    reject("{} {} is {}, the body's parameter is {}", what, i, to_string(type),
           to_string(s.body.type(param)));
}

Types infer_scan(const Func&, const Op& op, TypeSpan in) {
  const Attrs& a = op.attrs;
  if (!op.body) reject("has no body");
  if (uint64_t{a.consts} + a.carries > in.size())
    reject("{} consts and {} carries, but {} operands", a.consts, a.carries, in.size());
  if (op.body->params.size() != in.size())
    reject("{} operands, but {} parameters of the body", in.size(), op.body->params.size());
  if (op.body->results.size() < a.carries)
    reject("{} carries, but {} results of the body", a.carries, op.body->results.size());
  if (op.body->results.empty()) reject("has no results");
  const ScanView s(op);
  for (uint32_t i = 0; i < s.consts; ++i) require_param(s, s.const_param(i), in[i], "const", i);
  for (uint32_t i = 0; i < s.carries; ++i) require_param(s, s.carry_param(i), in[s.consts + i], "carry", i);
  Dim trip = a.dim;
  for (uint32_t i = 0; i < s.xs; ++i) {
    Type x = in[s.consts + s.carries + i];
    if (x.rank() == 0) reject("x {} is a scalar and has no leading dim", i);
    if (i == 0) trip = x.shape[0];
    if (x.shape[0] != trip)
      reject("x {} has {} steps, x 0 has {}", i, to_string(x.shape[0]), to_string(trip));
    x.shape.erase(x.shape.begin());
    require_param(s, s.x_param(i), x, "the slice of x", i);
  }
  if (s.xs && a.dim != Dim() && a.dim != trip)
    reject("xs have {} steps, the trip count is {}", to_string(trip), to_string(a.dim));
  Types out;
  for (uint32_t i = 0; i < s.carries; ++i) {
    out.push_back(in[s.consts + i]);
    if (s.body.type(s.next(i)) != out.back())
      reject("carry {} is {}, the body yields {}", i, to_string(out.back()),
             to_string(s.body.type(s.next(i))));
  }
  for (uint32_t i = 0; i < s.ys; ++i) {
    Type y = s.body.type(s.y_value(i));
    y.shape.insert(y.shape.begin(), trip);
    out.push_back(std::move(y));
  }
  return out;
}

void eval_scan(const EvalContext& c) {
  const ScanView s(c.op);
  const int64_t trip = ir::bind(trip_count(c.func, c.op), c.dims);
  std::vector<Array> carries, slices;
  for (uint32_t i = 0; i < s.carries; ++i) carries.push_back(*c.in[s.consts + i]);
  for (uint32_t i = 0; i < s.xs; ++i) {
    const Array& x = *c.in[s.consts + s.carries + i];
    slices.push_back({x.dtype, {x.shape.begin() + 1, x.shape.end()}, {}});
  }
  for (int64_t step = 0; step < trip; ++step) {
    const int64_t t = c.op.attrs.reverse ? trip - 1 - step : step;
    std::vector<const Array*> args(c.in.begin(), c.in.begin() + s.consts);
    for (const Array& carry : carries) args.push_back(&carry);
    for (uint32_t i = 0; i < s.xs; ++i) {
      const int64_t width = count_of(slices[i].shape);
      const auto begin = c.in[s.consts + s.carries + i]->data.begin() + t * width;
      slices[i].data.assign(begin, begin + width);
      args.push_back(&slices[i]);
    }
    std::vector<Array> results = evaluate(s.body, std::span<const Array* const>(args), c.dims);
    for (uint32_t i = 0; i < s.ys; ++i) {
      const auto& y = results[s.carries + i].data;
      std::copy(y.begin(), y.end(), c.out[s.carries + i].data.begin() + t * static_cast<int64_t>(y.size()));
    }
    results.resize(s.carries);
    carries = std::move(results);
  }
  for (uint32_t i = 0; i < s.carries; ++i) c.out[i].data = std::move(carries[i].data);
}

}  // namespace

const std::array<OpDef, kScanOps>& scan_ops() {
  static const std::array<OpDef, kScanOps> ops = {{{.kind = OpKind::scan,
                                                    .name = "scan",
                                                    .arity = -1,
                                                    .cls = OpClass::scan,
                                                    .attrs = {Attr::reverse, Attr::dim},
                                                    .infer = infer_scan,
                                                    .eval = eval_scan,
                                                    .grad = nullptr,
                                                    .lower = nullptr}}};
  return ops;
}

}  // namespace rondo::ir
