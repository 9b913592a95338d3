#include "ir/evaluator.h"
#include "ir/ops/ops.h"
#include "ir/ops/rules.h"

// Op's comment in func.h says what a scan means. It has no gradient rule of one op: its gradient is a pass of
// its own.

namespace rondo::ir {
namespace {

constexpr int64_t kMostChunks = 64;

void require_param(const ScanView& s, Value param, const Type& type, std::string_view what, uint32_t i) {
  if (s.body.type(param) != type)
    reject("{} {} is {}, the body's parameter is {}", what, i, to_string(type),
           to_string(s.body.type(param)));
}

/// The type that the body's param has for an x.
Type slice_of(const ScanView& s, Value param, Type x, const Dim& trip, uint32_t i) {
  const int64_t axis = std::max<int64_t>(s.window_axis(param), 0);
  const Dim& steps = s.is_window(param) ? s.op.attrs.dim : trip;
  if (x.rank() == 0) reject("x {} is a scalar and has no leading dim", i);
  if (x.rank() <= axis) reject("x {} has no dim {} to take windows of", i, axis);
  if (x.shape[axis] != steps)
    reject("x {} has {} steps, the scan has {}", i, to_string(x.shape[axis]), to_string(steps));
  if (s.is_window(param))
    x.shape[axis] = s.op.attrs.window;
  else
    x.shape.erase(x.shape.begin());
  return x;
}

void require_windows(const Attrs& a) {
  if (!a.window.is_named()) return;
  if (!a.longest.is_named() && a.longest.size() < 1)
    reject("windows have at least one step, not {}", to_string(a.longest));
  if (a.lengths || a.chunks) reject("a scan of windows has no {}", a.lengths ? "lengths" : "chunks");
}

/// With lengths i32[B], what belongs to one row has B in front.
void require_rows(const ScanView& s, const Dim& rows, TypeSpan in) {
  auto require = [&](std::string_view what, uint32_t i, const Type& t) {
    if (t.rank() == 0 || t.shape[0] != rows)
      reject("lengths are i32[{0}], so {1} {2} has {0} as its leading dim; it is {3}", to_string(rows), what,
             i, to_string(t));
  };
  for (uint32_t i = 0; i < s.carries; ++i) require("carry", i, in[s.consts + i]);
  for (uint32_t i = 0; i < s.xs; ++i) {
    const Type& slice = s.body.type(s.x_param(i));
    if (is_float(slice.dtype)) require("the slice of x", i, slice);
  }
  for (uint32_t i = 0; i < s.ys; ++i) require("y", i, s.body.type(s.y_value(i)));
}

Types infer_scan(const Func&, const Op& op, TypeSpan in) {
  const Attrs& a = op.attrs;
  if (!op.body) reject("has no body");
  if (uint64_t{a.consts} + a.carries + a.lengths > in.size())
    reject("{} consts and {} carries{}, but {} operands", a.consts, a.carries,
           a.lengths ? " and lengths" : "", in.size());
  const Type* lengths = a.lengths ? &in.back() : nullptr;
  if (lengths && (lengths->dtype != DType::i32 || lengths->rank() != 1))
    reject("lengths are i32[B], not {}", to_string(*lengths));
  in = in.first(in.size() - a.lengths);
  if (op.body->params.size() != in.size())
    reject("{} operands, but {} parameters of the body", in.size(), op.body->params.size());
  if (op.body->results.size() < a.carries)
    reject("{} carries, but {} results of the body", a.carries, op.body->results.size());
  if (op.body->results.empty()) reject("has no results");
  if (a.chunks < 0 || a.chunks > kMostChunks)
    reject("{} chunks of time; there may be 0 to {}", a.chunks, kMostChunks);
  const ScanView s(op);
  for (uint32_t i = 0; i < s.consts; ++i) require_param(s, s.const_param(i), in[i], "const", i);
  for (uint32_t i = 0; i < s.carries; ++i) require_param(s, s.carry_param(i), in[s.consts + i], "carry", i);
  require_windows(a);
  Dim trip = s.windows() ? quotient(a.dim, a.longest) : a.dim;
  if (s.xs && !s.windows()) {
    const Type& x = in[s.consts + s.carries];
    if (x.rank() > 0) trip = x.shape[0];
    if (a.dim != Dim() && a.dim != trip)
      reject("xs have {} steps, the trip count is {}", to_string(trip), to_string(a.dim));
  }
  for (uint32_t i = 0; i < s.xs; ++i)
    require_param(s, s.x_param(i), slice_of(s, s.x_param(i), in[s.consts + s.carries + i], trip, i),
                  "the slice of x", i);
  if (lengths) require_rows(s, lengths->shape[0], in);
  Types out;
  for (uint32_t i = 0; i < s.carries; ++i) {
    out.push_back(in[s.consts + i]);
    if (s.body.type(s.next(i)) != out.back())
      reject("carry {} is {}, the body yields {}", i, to_string(out.back()),
             to_string(s.body.type(s.next(i))));
  }
  for (uint32_t i = 0; i < s.ys; ++i) {
    Type y = s.body.type(s.y_value(i));
    if (s.is_window(s.y_value(i)))
      y.shape[s.window_axis(s.y_value(i))] = a.dim;
    else
      y.shape.insert(y.shape.begin(), trip);
    out.push_back(std::move(y));
  }
  return out;
}

/// Which rows take part in a step; all of them where there are no lengths.
class ActiveRows {
 public:
  ActiveRows(const Array* lengths, int64_t trip) : lengths_(lengths) {
    for (int64_t b = 0; lengths_ && b < lengths_->count(); ++b)
      if (lengths_->data[b] < 0 || lengths_->data[b] > static_cast<double>(trip))
        reject("rondo: scan: the length of row {} is {}, outside [0, {}]", b, lengths_->data[b], trip);
  }

  /// Rows that are beyond their length at step t become those of `other`, or zeros.
  void replace_ended(Array& a, int64_t t, const Array* other = nullptr) const {
    for (int64_t b = 0; lengths_ && b < lengths_->count(); ++b) {
      if (static_cast<double>(t) < lengths_->data[b]) continue;
      const int64_t width = a.count() / lengths_->count();
      const auto row = a.data.begin() + b * width;
      if (other)
        std::copy_n(other->data.begin() + b * width, width, row);
      else
        std::fill_n(row, width, 0.0);
    }
  }

 private:
  const Array* lengths_;
};

/// What each run of the body gets of the xs and gives of the ys.
class Slices {
 public:
  Slices(const EvalContext& c, const ScanView& s)
      : scan_(s), dims_(c.dims), trip_(ir::bind(trip_count(c.func, c.op), c.dims)) {
    if (!s.windows()) return;
    steps_ = ir::bind(c.op.attrs.dim, c.dims);
    longest_ = ir::bind(c.op.attrs.longest, c.dims);
  }

  int64_t trip() const { return trip_; }
  /// The dims of run t.
  const DimValues& dims(int64_t t) {
    if (scan_.windows()) dims_[scan_.op.attrs.window.name()] = std::min(longest_, steps_ - t * longest_);
    return dims_;
  }

  /// Calls f(position in all, position in the slice, elements) for each run of elements that v, a slice of
  /// `all` in run t, has in a row.
  template <class F>
  void for_each_part(Value v, int64_t t, std::span<const int64_t> all, std::span<const int64_t> slice,
                     F f) const {
    const int64_t axis = std::max<int64_t>(scan_.window_axis(v), 0), parts = count_of(all.first(axis));
    const int64_t inner = count_of(all.subspan(axis + 1)), size = parts ? count_of(slice) / parts : 0;
    const int64_t first = scan_.is_window(v) ? t * longest_ : t;
    for (int64_t part = 0; part < parts; ++part) f((part * all[axis] + first) * inner, part * size, size);
  }

 private:
  const ScanView& scan_;
  DimValues dims_;
  int64_t trip_, steps_ = 0, longest_ = 0;
};

void eval_scan(const EvalContext& c) {
  const ScanView s(c.op);
  Slices runs(c, s);
  const int64_t trip = runs.trip();
  const ActiveRows rows(s.lengths() ? c.in.back() : nullptr, trip);
  std::vector<Array> carries, slices;
  for (uint32_t i = 0; i < s.carries; ++i) carries.push_back(*c.in[s.consts + i]);
  for (uint32_t i = 0; i < s.xs; ++i) slices.push_back({s.body.type(s.x_param(i)).dtype, {}, {}});
  for (int64_t step = 0; step < trip; ++step) {
    const int64_t t = c.op.attrs.reverse ? trip - 1 - step : step;
    std::vector<const Array*> args(c.in.begin(), c.in.begin() + s.consts);
    for (const Array& carry : carries) args.push_back(&carry);
    const DimValues& dims = runs.dims(t);
    for (uint32_t i = 0; i < s.xs; ++i) {
      const Array& x = *c.in[s.consts + s.carries + i];
      slices[i].shape = ir::bind(s.body.type(s.x_param(i)).shape, dims);
      slices[i].data.resize(count_of(slices[i].shape));
      runs.for_each_part(s.x_param(i), t, x.shape, slices[i].shape, [&](int64_t from, int64_t to, int64_t n) {
        std::copy_n(x.data.begin() + from, n, slices[i].data.begin() + to);
      });
      if (is_float(slices[i].dtype)) rows.replace_ended(slices[i], t);
      args.push_back(&slices[i]);
    }
    std::vector<Array> results = evaluate(s.body, std::span<const Array* const>(args), dims);
    for (uint32_t i = 0; i < s.ys; ++i) {
      Array& y = results[s.carries + i];
      rows.replace_ended(y, t);
      Array& all = c.out[s.carries + i];
      runs.for_each_part(s.y_value(i), t, all.shape, y.shape, [&](int64_t to, int64_t from, int64_t n) {
        std::copy_n(y.data.begin() + from, n, all.data.begin() + to);
      });
    }
    results.resize(s.carries);
    for (uint32_t i = 0; i < s.carries; ++i) rows.replace_ended(results[i], t, &carries[i]);
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
