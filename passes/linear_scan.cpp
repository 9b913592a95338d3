// A carry  h_t = a_t h_{t-1} + b_t  is not sequential: the map of many steps is of the same form, with the
// product of all a for a, so that stretches of time can run side by side (Martin and Cundy 2018,
// "Parallelizing linear recurrent neural nets over sequence length").
//
// A scan with such a carry becomes three. The first has no carry and makes a and b of all steps; the second
// has no other op than  a h + b;  the third is the rest, with h_{t-1} and h_t for xs. The first, and the
// third where no carry is left, are work for hoist-scan. The pass repeats until no such carry is left: one
// may stand in the b of another. It runs on any scan, so on a gradient's as well: the cotangent of h is of
// the same form.
#include <algorithm>
#include <optional>

#include "ir/op_def.h"
#include "passes/copier.h"
#include "passes/passes.h"
#include "passes/rewrite_scans.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// What a value of a body is to one carry h.
enum class Form : char {
  free,    // needs no carry
  affine,  // a h + b, where a and b need no carry
  other,
};

/// The operands, as bits, of which the op is linear together where the rest are free; 0: of none such.
uint32_t linear_operands(const Op& op, const std::vector<Form>& of) {
  const OpDef& def = def_of(op.kind);
  if (def.cls != OpClass::pointwise) return 0;
  uint32_t affine = 0, all = 0;
  for (size_t i = 0; i < op.operands.size(); ++i) {
    const Form form = of[op.operands[i].id];
    if (form == Form::other) return 0;
    all |= 1u << i;
    if (form == Form::affine) affine |= 1u << i;
  }
  if (def.linear) return all;
  for (const uint32_t set : def.linear_in)
    if ((affine & ~set) == 0) return set;
  return 0;
}

Form form_of(const Op& op, const std::vector<Form>& of) {
  if (std::ranges::all_of(op.operands, [&](Value v) { return of[v.id] == Form::free; })) return Form::free;
  return linear_operands(op, of) != 0 ? Form::affine : Form::other;
}

/// For each value of the body, what it is to carry `carry`.
std::vector<Form> forms_of(const ScanView& scan, uint32_t carry) {
  std::vector<Form> forms(scan.body.values.size(), Form::free);
  for (uint32_t i = 0; i < scan.carries; ++i) forms[scan.carry_param(i).id] = Form::other;
  forms[scan.carry_param(carry).id] = Form::affine;
  for (const Op& op : scan.body.ops) {
    const Form form = form_of(op, forms);
    for (uint32_t i = 0; i < op.result_count; ++i) forms[op.result(i).id] = form;
  }
  return forms;
}

/// a h + b, in the body of the first scan; Value{} for 0.
struct Affine {
  Value a, b;
};

class CarrySplitter {
 public:
  CarrySplitter(Builder& b, const Func& func, const Op& op, std::vector<Value> operands, uint32_t carry,
                std::vector<Form> forms)
      : b_(b),
        func_(func),
        scan_(op),
        operands_(std::move(operands)),
        carry_(carry),
        steps_(trip_count(func, op)),
        forms_(std::move(forms)) {}

  std::vector<Value> run(int64_t chunks) {
    const std::vector<Value> ab = emit_coefficients();
    const std::vector<Value> h = emit_recurrence(ab, chunks);
    std::vector<Value> results = emit_rest(h[1], h[2]);
    results.insert(results.begin() + carry_, h[0]);
    return results;
  }

 private:
  const std::string& name() const { return scan_.body.value_name(scan_.carry_param(carry_)); }

  std::vector<Value> emit(std::vector<Value> operands, Attrs attrs, Builder body, std::vector<Value> results,
                          std::vector<std::string> names) {
    if (results.empty()) return {};
    attrs.reverse = scan_.op.attrs.reverse;
    if (operands.size() == attrs.consts + attrs.carries) attrs.dim = steps_;
    return b_.emit_scan(std::move(operands), std::move(attrs),
                        std::make_shared<Func>(std::move(body).finish(std::move(results))), std::move(names));
  }

  /// a and b of all steps.
  std::vector<Value> emit_coefficients() {
    Builder body(scan_.body.name);
    ValueMap map(scan_.body);
    std::vector<Value> operands;
    for (uint32_t i = 0; i < operands_.size(); ++i) {
      if (i >= scan_.consts && i < scan_.consts + scan_.carries) continue;
      const Value v = scan_.body.params[i];
      map[v] = body.param(scan_.body.type(v), scan_.body.value_name(v));
      operands.push_back(operands_[i]);
    }
    std::vector<Affine> affine(scan_.body.values.size());
    const Value h = scan_.carry_param(carry_);
    affine[h.id] = {body.constant(scan_.body.type(h), 1), {}};
    for (const Op& op : scan_.body.ops) {
      const Form form = forms_[op.result().id];
      if (form == Form::free) map.copy(body, op);
      if (form == Form::affine) affine[op.result().id] = coefficients(body, map, affine, op);
    }
    const Affine next = affine[scan_.next(carry_).id];
    Attrs attrs;
    attrs.consts = scan_.consts;
    return emit(std::move(operands), attrs, std::move(body), {next.a, or_zeros(body, next.b, next.a)},
                {name() + ".a", name() + ".b"});
  }

  static Value or_zeros(Builder& body, Value v, Value like) { return v ? v : body.like(like, 0); }

  Affine coefficients(Builder& body, const ValueMap& map, const std::vector<Affine>& affine,
                      const Op& op) const {
    const uint32_t linear = linear_operands(op, forms_);
    auto part = [&](Value Affine::*of) {
      std::vector<Value> operands = map.operands(op);
      for (size_t i = 0; i < operands.size(); ++i) {
        const Value v = op.operands[i];
        if (forms_[v.id] == Form::affine)
          operands[i] = affine[v.id].*of;
        else if ((linear >> i & 1) != 0 && of == &Affine::a)
          operands[i] = {};
      }
      return apply(body, op, linear, std::move(operands));
    };
    return {part(&Affine::a), part(&Affine::b)};
  }

  /// The op over these operands. Of those in which it is linear, Value{} stands for 0; if all are, so is it.
  static Value apply(Builder& body, const Op& op, uint32_t linear, std::vector<Value> operands) {
    Value some;
    for (size_t i = 0; i < operands.size(); ++i)
      if ((linear >> i & 1) != 0 && operands[i]) some = operands[i];
    if (!some) return {};
    const OpDef& def = def_of(op.kind);
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i]) continue;
      if (i < def.at_zero.size() && def.at_zero[i] == AtZero::other) return operands[other_operand(op, i)];
      operands[i] = body.like(some, 0);
    }
    return body.emit(op.kind, std::move(operands), op.attrs);
  }

  /// h at the end, before each step and after it.
  std::vector<Value> emit_recurrence(const std::vector<Value>& ab, int64_t chunks) {
    Builder body(scan_.body.name);
    const Type& type = scan_.body.type(scan_.carry_param(carry_));
    const Value h = body.param(type, name()), a = body.param(type, "a"), b = body.param(type, "b");
    const Value next = body.add(body.mul(a, h), b);
    Attrs attrs;
    attrs.carries = 1;
    attrs.chunks = chunks;
    const std::string& stacked = scan_.body.value_name(scan_.next(carry_));
    return emit({operands_[scan_.consts + carry_], ab[0], ab[1]}, attrs, std::move(body), {next, h, next},
                {func_.value_name(scan_.op.result(carry_)), "", stacked.empty() ? "" : stacked + "s"});
  }

  /// The results but for the carry.
  std::vector<Value> emit_rest(Value before, Value after) {
    Builder body(scan_.body.name);
    ValueMap map(scan_.body);
    std::vector<Value> operands;
    Attrs attrs;
    attrs.consts = scan_.consts;
    attrs.carries = scan_.carries - 1;
    auto add_param = [&](Value v, Value operand) {
      map[v] = body.param(scan_.body.type(v), scan_.body.value_name(v));
      operands.push_back(operand);
    };
    for (uint32_t i = 0; i < operands_.size(); ++i)
      if (i != scan_.consts + carry_) add_param(scan_.body.params[i], operands_[i]);
    add_param(scan_.carry_param(carry_), before);
    add_param(scan_.next(carry_), after);
    for (const Op& op : scan_.body.ops)
      if (op.result() != scan_.next(carry_)) map.copy(body, op);
    std::vector<Value> results;
    std::vector<std::string> names;
    for (uint32_t i = 0; i < scan_.op.result_count; ++i) {
      if (i == carry_) continue;
      results.push_back(map[scan_.body.results[i]]);
      names.push_back(func_.value_name(scan_.op.result(i)));
    }
    return emit(std::move(operands), attrs, std::move(body), std::move(results), std::move(names));
  }

  Builder& b_;
  const Func& func_;
  const ScanView scan_;
  const std::vector<Value> operands_;
  const uint32_t carry_;
  const Dim steps_;
  const std::vector<Form> forms_;  // of the values of the body
};

}  // namespace

Func linear_scan(const Func& func, const Options& options) {
  bool changed = false;
  Func next =
      rewrite_scans(func, [&](Builder& b, const Func& outer, const Op& op, std::vector<Value> operands) {
        const ScanView scan(op);
        for (uint32_t i = 0; i < scan.carries && !op.attrs.chunks && !op.attrs.lengths; ++i) {
          std::vector<Form> forms = forms_of(scan, i);
          const Value h = scan.next(i);
          if (forms[h.id] != Form::affine || h == scan.carry_param(i) || !is_float(scan.body.type(h).dtype))
            continue;
          changed = true;
          return CarrySplitter(b, outer, op, std::move(operands), i, std::move(forms)).run(options.chunks);
        }
        return b.copy(outer, op, std::move(operands));
      });
  return changed ? linear_scan(next, options) : next;
}

}  // namespace rondo::passes
