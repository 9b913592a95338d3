#include <fmt/format.h>

#include <algorithm>

#include "ir/op_def.h"
#include "passes/deviation.h"
#include "passes/passes.h"
#include "passes/region.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

Region::Region(const Func& source, Builder& forward, std::vector<Value> args, const Flags& params,
               const Flags& results)
    : source_(source), map_(source.values.size()), varied_(varied_values(source, params)) {
  const Flags useful = useful_values(source, results);
  for (size_t i = 0; i < args.size(); ++i) map_[source.params[i].id] = args[i];
  for (const Op& op : source.ops) {
    std::vector<Value> operands, outputs;
    for (Value v : op.operands) operands.push_back(map_[v.id]);
    Flags in, out;
    if (op.kind == OpKind::scan) {
      for (Value v : op.operands) in.push_back(varied_[v.id]);
      for (uint32_t i = 0; i < op.result_count; ++i) out.push_back(useful[op.result(i).id]);
    }
    const bool active = std::count(in.begin(), in.end(), 0) < static_cast<long>(in.size()) &&
                        std::count(out.begin(), out.end(), 0) < static_cast<long>(out.size());
    if (active) {
      const ScanView scan(op);
      scans_[&op] =
          forward_scan(forward, source, op, std::move(operands), varied_body_params(scan, std::move(in)),
                       useful_body_results(scan, std::move(out)), outputs);
    } else {
      outputs = forward.copy(source, op, std::move(operands));
    }
    for (uint32_t i = 0; i < op.result_count; ++i) map_[op.result(i).id] = outputs[i];
  }
}

void Region::accumulate(Builder& back, std::vector<Value>& d, Value v, Value contribution) const {
  if (!contribution || !varied_[v.id]) return;
  Value& sum = d[v.id];
  sum = sum ? back.add(sum, contribution) : contribution;
}

std::vector<Value> Region::backward(Builder& back, const std::vector<Value>& result_cotangents,
                                    const Primal& primal) const {
  std::vector<Value> d(source_.values.size());
  for (size_t i = 0; i < source_.results.size(); ++i)
    accumulate(back, d, source_.results[i], result_cotangents[i]);
  for (size_t k = source_.ops.size(); k-- > 0;) backward_op(back, source_.ops[k], d, primal);
  std::vector<Value> out;
  for (Value v : source_.params) out.push_back(d[v.id]);
  return out;
}

void Region::backward_op(Builder& back, const Op& op, std::vector<Value>& d, const Primal& primal) const {
  bool any = false;
  for (uint32_t i = 0; i < op.result_count; ++i) {
    const Value v = op.result(i);
    if (!d[v.id]) continue;
    any = true;
    const std::string& name = source_.value_name(v);
    if (!name.empty() && back.func().value_name(d[v.id]).empty()) back.set_name(d[v.id], "d_" + name);
  }
  if (!any) return;
  if (auto scan = scans_.find(&op); scan != scans_.end())
    return backward_scan(back, op, scan->second, d, primal);
  const std::vector<Value> cotangents{d[op.result().id]};
  if (square(back, op, cotangents[0], d, primal)) return;
  const std::function<Value(Value)> of_source = [&](Value v) { return primal(map_[v.id]); };
  const std::vector<Value> contributions = def_of(op.kind).grad({back, source_, op, cotangents, of_source});
  for (size_t i = 0; i < op.operands.size(); ++i) accumulate(back, d, op.operands[i], contributions[i]);
}

/// x gets 2 d x of its square's cotangent d, doubled where it is narrow, if it is that of a sum. Deviations
/// from a mean, c = x - mean(x), have the mean 0, and so have their multiples: where the sum of their squares
/// has the cotangent s, x gets 2 s c alone, and nothing has to be taken from it again.
bool Region::square(Builder& back, const Op& op, Value cotangent, std::vector<Value>& d,
                    const Primal& primal) const {
  if (op.kind != OpKind::mul || op.operands[0] != op.operands[1]) return false;
  const Value c = op.operands[0];
  const Op* of_sum = back.func().def(cotangent);
  Value twice, x = c;
  if (of_sum && of_sum->kind == OpKind::broadcast) {
    const std::vector<int64_t> kept = of_sum->attrs.axes;
    const Value s = of_sum->operands[0];
    twice = back.broadcast(back.add(s, s), back.type(cotangent).shape, kept);
    if (const Value deviated = deviating(source_, c, kept)) x = deviated;
  } else {
    twice = back.add(cotangent, cotangent);
  }
  accumulate(back, d, x, back.mul(twice, primal(map_[c.id])));
  return true;
}

namespace {

/// The params to differentiate by: those named, or all float ones.
std::vector<uint32_t> params_of(const Func& func, const Options& options) {
  std::vector<uint32_t> wrt;
  for (const std::string& name : options.wrt) {
    const auto it = std::find_if(func.params.begin(), func.params.end(),
                                 [&](Value v) { return func.value_name(v) == name; });
    if (it == func.params.end())
      throw Error(fmt::format("rondo: grad: {} has no param `{}`", func.name, name));
    if (!is_float(func.type(*it).dtype))
      throw Error(fmt::format("rondo: grad: param `{}` of {} is {}: only floats have a gradient", name,
                              func.name, to_string(func.type(*it))));
    wrt.push_back(static_cast<uint32_t>(it - func.params.begin()));
  }
  if (options.wrt.empty())
    for (uint32_t i = 0; i < func.params.size(); ++i)
      if (is_float(func.type(func.params[i]).dtype)) wrt.push_back(i);
  return wrt;
}

/// Appends the gradients by `wrt` to the results of func, given the cotangents of its results that `seed`
/// makes.
Func differentiate(const Func& func, const std::vector<uint32_t>& wrt, const Flags& seeded,
                   const std::function<Value(Builder&, size_t result)>& seed, Builder b) {
  std::vector<Value> args(b.func().params.begin(),
                          b.func().params.begin() + static_cast<long>(func.params.size()));
  Flags varied(func.params.size());
  for (uint32_t i : wrt) varied[i] = true;
  const Region region(func, b, args, varied, seeded);
  std::vector<Value> results, cotangents(func.results.size());
  for (size_t i = 0; i < func.results.size(); ++i) {
    results.push_back(region.forward_value(func.results[i]));
    if (seeded[i]) cotangents[i] = seed(b, i);
  }
  const std::vector<Value> d = region.backward(b, cotangents, [](Value v) { return v; });
  for (uint32_t i : wrt) {
    const Value gradient = d[i] ? d[i] : b.like(args[i], 0);
    const std::string& name = func.value_name(func.params[i]);
    if (!name.empty() && b.func().value_name(gradient).empty()) b.set_name(gradient, "d_" + name);
    results.push_back(gradient);
  }
  return std::move(b).finish(std::move(results));
}

}  // namespace

Func grad(const Func& with_lengths, const Options& options) {
  const Func func = mask_lengths(with_lengths);
  if (func.results.empty() || !is_float(func.type(func.results[0]).dtype) ||
      func.type(func.results[0]).rank() != 0)
    throw Error(fmt::format("rondo: grad: the first result of {} is {}, not a float scalar", func.name,
                            func.results.empty() ? "missing" : to_string(func.type(func.results[0]))));
  Builder b(func.name);
  for (Value v : func.params) b.param(func.type(v), func.value_name(v));
  Flags seeded(func.results.size());
  seeded[0] = true;
  const auto one = [&](Builder& to, size_t) { return to.constant(func.type(func.results[0]), 1); };
  return differentiate(func, params_of(func, options), seeded, one, std::move(b));
}

Func vjp(const Func& with_lengths, const Options& options) {
  const Func func = mask_lengths(with_lengths);
  Builder b(func.name);
  for (Value v : func.params) b.param(func.type(v), func.value_name(v));
  Flags seeded(func.results.size());
  std::vector<Value> cotangents(func.results.size());
  for (size_t i = 0; i < func.results.size(); ++i) {
    const Value v = func.results[i];
    if (!is_float(func.type(v).dtype)) continue;
    const std::string& name = func.value_name(v);
    seeded[i] = true;
    cotangents[i] = b.param(func.type(v), name.empty() ? fmt::format("d_{}", i) : "d_" + name);
  }
  const auto given = [&](Builder&, size_t result) { return cotangents[result]; };
  return differentiate(func, params_of(func, options), seeded, given, std::move(b));
}

}  // namespace rondo::passes
