#include "ir/verifier.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ir/op_def.h"
#include "ir/text.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

class Verifier {
 public:
  explicit Verifier(const Func& func) : func_(func), defined_(func.values.size()) {}

  std::vector<std::string> run() && {
    for (Value p : func_.params) define(p, -1, [&] { return fmt::format("param {}", p.id); });
    for (size_t i = 0; i < func_.ops.size(); ++i) op(func_.ops[i], static_cast<int32_t>(i));
    for (size_t v = 0; v < defined_.size(); ++v)
      if (!defined_[v]) report("single-definition", fmt::format("value {} has no definition", v));
    for (Value r : func_.results)
      if (!is_defined(r)) report("results", fmt::format("value {}", r.id));
    return std::move(violations_);
  }

 private:
  void report(std::string_view rule, const std::string& what) {
    violations_.push_back(fmt::format("{}: {}", rule, what));
  }
  bool is_defined(Value v) const { return v.id < defined_.size() && defined_[v.id]; }

  template <class F>
  void define(Value v, int32_t by, F describe) {
    if (v.id >= defined_.size() || defined_[v.id] || func_.values[v.id].op != by)
      report("single-definition", describe());
    else
      defined_[v.id] = true;
  }

  void op(const Op& op, int32_t index) {
    const OpDef& def = def_of(op.kind);
    auto text = [&] { return print(func_, op); };
    bool sound = true;  // may its type rule see it?
    for (Value v : op.operands)
      if (!is_defined(v)) {
        report("defined-before-use", text());
        sound = false;
      }
    if (def.arity >= 0 && op.operands.size() != static_cast<size_t>(def.arity)) {
      report("arity", text());
      sound = false;
    }
    if ((def.cls == OpClass::scan) != (op.body != nullptr)) {
      report("isolated", text());
      sound = false;
    }
    if (op.body) sound &= body(op);
    for (uint32_t i = 0; i < op.result_count; ++i) define(op.result(i), index, text);
    if (sound) types(def, op);
  }

  /// A body is a function of its own: it has no way to name a value of another one.
  bool body(const Op& op) {
    const std::vector<std::string> inside = Verifier(*op.body).run();
    for (const std::string& violation : inside) report("isolated", "in the body of a scan: " + violation);
    return inside.empty();
  }

  void types(const OpDef& def, const Op& op) {
    std::vector<Type> in;
    for (Value v : op.operands) in.push_back(func_.type(v));
    try {
      const std::vector<Type> out = def.infer(func_, op, in);
      bool same = out.size() == op.result_count;
      for (uint32_t i = 0; same && i < op.result_count; ++i)
        same = op.result(i).id < func_.values.size() && func_.type(op.result(i)) == out[i];
      if (!same) report("types", print(func_, op));
    } catch (const Error& e) {
      report("types", fmt::format("{} ({})", print(func_, op), e.what()));
    }
  }

  const Func& func_;
  std::vector<bool> defined_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> verify(const Func& func) { return Verifier(func).run(); }

void check(const Func& func, const std::string& when) {
  const std::vector<std::string> violations = verify(func);
  RONDO_CHECK(violations.empty(), fmt::format("{}: {}\n{}", when, fmt::join(violations, "\n"), print(func)));
}

}  // namespace rondo::ir
