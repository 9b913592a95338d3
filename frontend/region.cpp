#include "frontend/region.h"

#include <fmt/format.h>

#include <atomic>

#include "frontend/param.h"
#include "support/error.h"

namespace rondo {
namespace {

thread_local Region* innermost = nullptr;

uint64_t next_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

Region::Region(std::string name, DType dtype)
    : id_(next_id()), outer_(nullptr), dtype_(dtype), builder_(std::move(name)) {
  if (innermost) throw Error("rondo: a function cannot be traced while another one is");
  innermost = this;
}

Region::Region() : id_(next_id()), outer_(innermost), dtype_(innermost->dtype_), builder_("") {
  innermost = this;
}

Region::~Region() { innermost = outer_; }

Region& Region::current(Where where) {
  if (!innermost) fail("a tensor is computed outside of a function", where);
  return *innermost;
}

Region& Region::outermost() {
  Region* region = this;
  while (region->outer_) region = region->outer_;
  return *region;
}

Region::Within::Within(Region& region) : before_(innermost) { innermost = &region; }

Region::Within::~Within() { innermost = before_; }

Tensor Region::step() {
  if (!step_) step_ = builder_.param({DType::i32, {}}, "t");
  return tensor(*step_);
}

Region::Apart::Apart() : before_(innermost) { innermost = nullptr; }

Region::Apart::~Apart() { innermost = before_; }

Tensor Region::param(Type type, std::string name) {
  return tensor(builder_.param(std::move(type), std::move(name)));
}

Tensor Region::param(const Param& param, Where where) {
  for (const auto& [known, value] : params_) {
    if (known == param) return tensor(value);
    if (known.name() == param.name()) fail(fmt::format("two parameters are named `{}`", param.name()), where);
  }
  Shape shape(param.shape().begin(), param.shape().end());
  ir::Value value = builder_.param({dtype_, std::move(shape)}, param.name());
  params_.emplace_back(param, value);
  return tensor(value);
}

ir::Value Region::use(const Tensor& tensor, Where where) {
  if (tensor.region_ == id_) return tensor.value_;
  if (tensor.region_ == 0) fail("a tensor without a value is used", where);
  const std::pair key{tensor.region_, tensor.value_};
  if (auto known = captured_.find(key); known != captured_.end()) return known->second;
  if (!outer_) fail("a tensor is used outside of the scan or function that computes it", where);
  ir::Value outer = outer_->use(tensor, where);
  ir::Value here = builder_.param(tensor.type(), outer_->builder_.func().value_name(outer));
  captures_.push_back({outer_->tensor(outer), here});
  return captured_[key] = here;
}

ir::Func Region::finish(const std::vector<ir::Value>& params, const std::vector<ir::Value>& results) {
  const ir::Func traced = std::move(builder_).finish(results);
  RONDO_CHECK(params.size() == traced.params.size(), "each param has one place");
  ir::Builder ordered(traced.name);
  std::map<ir::Value, ir::Value> moved;
  for (ir::Value v : params) moved[v] = ordered.param(traced.type(v), traced.value_name(v));
  std::vector<ir::Value> args;
  for (ir::Value v : traced.params) args.push_back(moved.at(v));
  std::vector<ir::Value> final_results = ordered.inline_func(traced, args);
  return std::move(ordered).finish(std::move(final_results));
}

Tensor emit(Where where, const std::vector<Operand>& operands, const EmitOps& ops) {
  Region& region = Region::current(where);
  std::vector<ir::Value> values;
  for (const Operand& operand : operands) values.push_back(region.use(operand.tensor(), operand.where()));
  ir::Value result;
  try {
    result = ops(region.builder(), values);
  } catch (const Error& e) {
    throw Error(e.what() + LibraryCall::place(where));
  }
  return region.tensor(result);
}

}  // namespace rondo
