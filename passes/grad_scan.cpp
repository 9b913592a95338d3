// The gradient of a scan. With the body  s', y = f(C, s, x)  walked forwards, reverse mode walks
//
//   d_s, (d_C, d_x) = f'(C, s, x)^T (d_s', d_y)
//
// backwards: the cotangents of the carries are carries of one scan in the other direction, those of the
// consts are carries that accumulate, those of the xs are ys. What f' needs of the forward walk is passed on
// as xs: the stash.
#include "ir/op_def.h"
#include "passes/liveness.h"
#include "passes/region.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// How the reverse body gets each value of the forward body.
enum class Source : char { none, const_param, x_param, recomputed, stashed };

/// A scan of windows keeps the carries at the start of each window alone; all else is made again from them.
std::vector<Source> sources_in_windows(const Func& body, const Attrs& scan, Flags& needed) {
  std::vector<Source> source(body.values.size(), Source::recomputed);
  for (size_t i = 0; i < body.params.size(); ++i)
    source[body.params[i].id] = i < scan.consts                  ? Source::const_param
                                : i < scan.consts + scan.carries ? Source::stashed
                                                                 : Source::x_param;
  for (size_t k = body.ops.size(); k-- > 0;)
    if (any_result(body.ops[k], needed))
      for (Value v : body.ops[k].operands) needed[v.id] = true;
  return source;
}

/// What an op waits for that is narrower than its result, as the mean that a normalisation takes from its
/// elements: operands of broadcasts that are not at hand. None if it waits for anything else.
std::vector<Value> narrow_operands(const Func& body, const Op& op, const std::vector<Source>& source) {
  std::vector<Value> narrow;
  if (!def_of(op.kind).cheap) return {};
  for (Value v : op.operands) {
    if (source[v.id] != Source::none) continue;
    const Op* from = body.def(v);
    if (!from || from->kind != OpKind::broadcast ||
        body.type(v).rank() == body.type(from->operands[0]).rank())
      return {};
    narrow.push_back(v);
  }
  return narrow;
}

/// Decides for the values that are `needed`, which this closes over the operands of recomputed ops. A value
/// is recomputed if its op is a leaf, or cheap with all operands at hand; anything else is stashed, or what
/// is narrower and enough to make it again.
std::vector<Source> choose_sources(const Func& body, const Attrs& scan, Flags& needed) {
  if (scan.window.is_named()) return sources_in_windows(body, scan, needed);
  std::vector<Source> source(body.values.size(), Source::none);
  for (size_t i = 0; i < body.params.size(); ++i) {
    const bool carry = i >= scan.consts && i < scan.consts + scan.carries;
    if (!carry) source[body.params[i].id] = i < scan.consts ? Source::const_param : Source::x_param;
  }
  for (size_t i = scan.carries; i < body.results.size(); ++i) {
    Source& s = source[body.results[i].id];
    if (s == Source::none) s = Source::stashed;  // a y already
  }
  for (uint32_t id = 0; id < body.values.size(); ++id) {
    if (source[id] != Source::none) continue;
    const Op* op = body.def({id});
    bool at_hand = op && op->kind != OpKind::scan && (op->operands.empty() || def_of(op->kind).cheap);
    for (size_t i = 0; at_hand && i < op->operands.size(); ++i)
      at_hand = source[op->operands[i].id] != Source::none;
    if (at_hand) {
      source[id] = Source::recomputed;
    } else if (needed[id]) {
      const std::vector<Value> narrow = op ? narrow_operands(body, *op, source) : std::vector<Value>();
      for (Value v : narrow) {
        const Value stashed = body.def(v)->operands[0];
        source[v.id] = Source::recomputed;
        if (source[stashed.id] == Source::none) source[stashed.id] = Source::stashed;
      }
      source[id] = narrow.empty() ? Source::stashed : Source::recomputed;
    }
  }
  for (uint32_t id = static_cast<uint32_t>(body.values.size()); id-- > 0;)
    if (needed[id] && source[id] == Source::recomputed)
      for (Value v : body.def({id})->operands) needed[v.id] = true;
  return source;
}

/// The derivative of the body by itself: params are one for every value of the forward body, then the
/// cotangents; results are the cotangents in the order of a reverse body (carries, sums of consts, xs).
struct Derivative {
  Func func{};
  std::vector<uint32_t> const_grads, x_grads;
};

Derivative derive_body(const Region& region, const Func& forward_body, const ScanView& scan,
                       const ScanRecord& record) {
  Derivative out;
  Builder b(scan.body.name);
  std::vector<Value> primals;
  for (const auto& value : forward_body.values) primals.push_back(b.param(value.type, value.name));
  std::vector<Value> seeds(scan.body.results.size());
  auto seed = [&](uint32_t result) {
    const Value v = scan.body.results[result];
    seeds[result] = b.param(scan.body.type(v), "d_" + scan.body.value_name(v));
  };
  for (uint32_t i : record.carries) seed(i);
  for (uint32_t i : record.ys) seed(scan.carries + i);
  const std::vector<Value> d = region.backward(b, seeds, [&](Value v) { return primals[v.id]; });
  std::vector<Value> results;
  for (uint32_t i : record.carries) {
    const Value carry = d[scan.consts + i];
    results.push_back(carry ? carry : b.constant(scan.body.type(scan.carry_param(i)), 0));
  }
  auto collect = [&](uint32_t first, uint32_t count, std::vector<uint32_t>& which) {
    for (uint32_t i = 0; i < count; ++i) {
      if (!d[first + i]) continue;
      which.push_back(i);
      results.push_back(d[first + i]);
    }
  };
  collect(0, scan.consts, out.const_grads);
  collect(scan.consts + scan.carries, scan.xs, out.x_grads);
  out.func = std::move(b).finish(std::move(results));
  return out;
}

/// "h1" for the carry of "d_h1"; nothing for nothing.
std::string cotangent_name(const Func& func, Value v) {
  const std::string& name = func.value_name(v);
  return name.empty() ? "" : "d_" + name;
}

/// Builds the reverse body: params are the consts, the cotangents of the carries, the sums of the consts'
/// cotangents, then the cotangents of the ys, the xs and the stash.
class ReverseBody {
 public:
  ReverseBody(const Func& forward_body, const ScanView& scan, const ScanRecord& record)
      : forward_(forward_body),
        scan_(scan),
        record_(record),
        b_(scan.body.name),
        map_(forward_body.values.size()) {}

  void add_param(Value v) { map_[v.id] = b_.param(forward_.type(v), forward_.value_name(v)); }

  void add_cotangent_params() {
    for (uint32_t i : record_.carries) {
      const Value v = scan_.carry_param(i);
      cotangents_.push_back(b_.param(scan_.body.type(v), cotangent_name(scan_.body, scan_.next(i))));
    }
    for (uint32_t i : record_.const_grads) {
      const Value v = scan_.const_param(i);
      sums_.push_back(b_.param(scan_.body.type(v), cotangent_name(scan_.body, v)));
    }
    for (uint32_t i : record_.ys) {
      const Value v = scan_.y_value(i);
      cotangents_.push_back(b_.param(scan_.body.type(v), cotangent_name(scan_.body, v)));
    }
  }

  std::shared_ptr<const Func> finish(const Func& derivative, const std::vector<Source>& source,
                                     const Flags& needed) && {
    for (const Op& op : forward_.ops) {
      if (!any_result(op, needed) || source[op.result().id] != Source::recomputed) continue;
      std::vector<Value> operands;
      for (Value v : op.operands) operands.push_back(map_[v.id]);
      const std::vector<Value> made = b_.copy(forward_, op, std::move(operands));
      for (uint32_t i = 0; i < op.result_count; ++i) map_[op.result(i).id] = made[i];
    }
    std::vector<Value> args = map_;
    args.insert(args.end(), cotangents_.begin(), cotangents_.end());
    std::vector<Value> results = inline_live(derivative, args);
    for (size_t i = 0; i < sums_.size(); ++i) {
      Value& sum = results[record_.carries.size() + i];
      sum = b_.add(sums_[i], sum);
    }
    return std::make_shared<Func>(std::move(b_).finish(std::move(results)));
  }

 private:
  /// As Builder::inline_func, without what no result needs: dead ops may use primals that are not at hand.
  std::vector<Value> inline_live(const Func& func, const std::vector<Value>& args) {
    const Flags live = live_values(func);
    std::vector<Value> map(func.values.size());
    for (size_t i = 0; i < args.size(); ++i) map[func.params[i].id] = args[i];
    for (const Op& op : func.ops) {
      if (!any_result(op, live)) continue;
      std::vector<Value> operands;
      for (Value v : op.operands) operands.push_back(map[v.id]);
      const std::vector<Value> outputs = b_.copy(func, op, std::move(operands));
      for (uint32_t i = 0; i < op.result_count; ++i) map[op.result(i).id] = outputs[i];
    }
    std::vector<Value> results;
    for (Value v : func.results) results.push_back(map[v.id]);
    return results;
  }

  const Func& forward_;
  const ScanView& scan_;
  const ScanRecord& record_;
  Builder b_;
  std::vector<Value> map_;         // of the forward body -> of the reverse body
  std::vector<Value> cotangents_;  // of the carries, then of the ys
  std::vector<Value> sums_;
};

/// The forward scan's body with the stash among its ys.
struct Stash {
  std::vector<Value> values;     // of the body
  std::vector<uint32_t> result;  // which result of the scan holds each
};

/// Adds to the results of the body what the reverse body needs and is no y yet.
Stash add_stash(Func& body, const Attrs& scan, const std::vector<Source>& source, const Flags& needed,
                std::vector<std::string>& names) {
  constexpr uint32_t kNoResult = ~0u;
  std::vector<uint32_t> result_of(body.values.size(), kNoResult);
  for (uint32_t i = scan.carries; i < body.results.size(); ++i) result_of[body.results[i].id] = i;
  Stash stash;
  for (uint32_t id = 0; id < body.values.size(); ++id) {
    if (!needed[id] || source[id] != Source::stashed) continue;
    if (result_of[id] == kNoResult) {
      result_of[id] = static_cast<uint32_t>(body.results.size());
      body.results.push_back({id});
      const std::string& name = body.value_name({id});
      names.push_back(name.empty() ? "" : name + "s");
    }
    stash.values.push_back({id});
    stash.result.push_back(result_of[id]);
  }
  return stash;
}

ScanRecord active_parts(const ScanView& scan, const Flags& params, const Flags& results) {
  ScanRecord record;
  const Flags varied = varied_values(scan.body, params);
  for (uint32_t i = 0; i < scan.carries; ++i)
    if (varied[scan.carry_param(i).id] && results[i]) record.carries.push_back(i);
  for (uint32_t i = 0; i < scan.ys; ++i)
    if (varied[scan.y_value(i).id] && results[scan.carries + i]) record.ys.push_back(i);
  return record;
}

}  // namespace

ScanRecord forward_scan(Builder& forward, const Func& func, const Op& op, std::vector<Value> operands,
                        const Flags& params, const Flags& results, std::vector<Value>& results_out) {
  const ScanView scan(op);
  Builder fb(scan.body.name);
  std::vector<Value> args;
  for (Value v : scan.body.params) args.push_back(fb.param(scan.body.type(v), scan.body.value_name(v)));
  const Region region(scan.body, fb, std::move(args), params, results);
  std::vector<Value> body_results;
  for (Value v : scan.body.results) body_results.push_back(region.forward_value(v));
  Func body = std::move(fb).finish(std::move(body_results));

  ScanRecord record = active_parts(scan, params, results);
  const Derivative derivative = derive_body(region, body, scan, record);
  record.const_grads = derivative.const_grads;
  record.x_grads = derivative.x_grads;

  Flags needed = live_values(derivative.func);
  needed.resize(body.values.size());  // the derivative's first params are the forward body's values
  const std::vector<Source> source = choose_sources(body, op.attrs, needed);
  std::vector<std::string> names;
  for (uint32_t i = 0; i < op.result_count; ++i) names.push_back(func.value_name(op.result(i)));
  const Stash stash = add_stash(body, op.attrs, source, needed, names);

  ReverseBody reverse(body, scan, record);
  for (uint32_t i = 0; i < scan.consts; ++i) {
    if (!needed[body.params[i].id]) continue;
    reverse.add_param(body.params[i]);
    record.consts.push_back(operands[i]);
  }
  reverse.add_cotangent_params();
  for (uint32_t i = scan.consts + scan.carries; i < operands.size(); ++i) {
    if (!needed[body.params[i].id]) continue;
    reverse.add_param(body.params[i]);
    record.xs.push_back(operands[i]);
  }
  for (Value v : stash.values) reverse.add_param(v);
  record.reverse_body = std::move(reverse).finish(derivative.func, source, needed);

  std::vector<Value> outputs = forward.emit_scan(std::move(operands), op.attrs,
                                                 std::make_shared<Func>(std::move(body)), std::move(names));
  for (uint32_t result : stash.result) record.xs.push_back(outputs[result]);
  results_out.assign(outputs.begin(), outputs.begin() + op.result_count);
  return record;
}

void Region::backward_scan(Builder& back, const Op& op, const ScanRecord& record, std::vector<Value>& d,
                           const Primal& primal) const {
  const ScanView scan(op);
  auto cotangent = [&](Value v) { return d[v.id] ? d[v.id] : back.constant(source_.type(v), 0); };
  Attrs attrs;
  attrs.reverse = !op.attrs.reverse;
  attrs.window = op.attrs.window;
  attrs.longest = op.attrs.longest;
  attrs.consts = static_cast<uint32_t>(record.consts.size());
  attrs.carries = static_cast<uint32_t>(record.carries.size() + record.const_grads.size());
  std::vector<Value> operands;
  std::vector<std::string> names;
  for (Value v : record.consts) operands.push_back(primal(v));
  for (uint32_t i : record.carries) {
    operands.push_back(cotangent(scan.final_carry(i)));
    names.push_back(cotangent_name(source_, scan.init(i)));
  }
  for (uint32_t i : record.const_grads) {
    operands.push_back(back.constant(source_.type(scan.const_operand(i)), 0));
    names.push_back(cotangent_name(source_, scan.const_operand(i)));
  }
  for (uint32_t i : record.ys) operands.push_back(cotangent(scan.y(i)));
  for (Value v : record.xs) operands.push_back(primal(v));
  for (uint32_t i : record.x_grads) names.push_back(cotangent_name(source_, scan.x(i)));
  if (scan.windows())
    attrs.dim = op.attrs.dim;
  else if (operands.size() == attrs.consts + attrs.carries)
    attrs.dim = trip_count(source_, op);
  const std::vector<Value> results =
      back.emit_scan(std::move(operands), attrs, record.reverse_body, std::move(names));
  size_t next = 0;
  for (uint32_t i : record.carries) accumulate(back, d, scan.init(i), results[next++]);
  for (uint32_t i : record.const_grads) accumulate(back, d, scan.const_operand(i), results[next++]);
  for (uint32_t i : record.x_grads) accumulate(back, d, scan.x(i), results[next++]);
}

}  // namespace rondo::passes
