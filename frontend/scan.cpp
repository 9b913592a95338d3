#include "frontend/scan.h"

#include <fmt/format.h>

#include "frontend/ops.h"
#include "frontend/region.h"
#include "support/error.h"

namespace rondo::detail {

ScanBody::ScanBody(std::vector<Tensor> init, std::vector<Tensor> xs, std::optional<Dim> count,
                   ScanOptions options, Where where)
    : init_(std::move(init)),
      xs_(std::move(xs)),
      count_(std::move(count)),
      options_(std::move(options)),
      where_(where) {
  Region& outer = Region::current(where);
  for (const Tensor& t : init_) outer.use(t, where);
  for (const Tensor& x : xs_) {
    outer.use(x, where);
    if (x.rank() == 0) fail(fmt::format("scan: {} has no time dim", ir::to_string(x.type())), where);
    if (x.dim(0) != xs_[0].dim(0))
      fail(fmt::format("scan: leading dims {} and {} differ", ir::to_string(xs_[0].dim(0)),
                       ir::to_string(x.dim(0))),
           where);
  }
  if (options_.lengths) outer.use(*options_.lengths, where);
  if (xs_.empty() && !count_) fail("scan: nothing to walk over; use repeat", where);
  region_ = std::make_unique<Region>();
  for (const Tensor& t : init_) state_.push_back(region_->param(t.type(), ""));
  for (const Tensor& x : xs_)
    slices_.push_back(region_->param({x.dtype(), Shape(x.shape().begin() + 1, x.shape().end())}, ""));
}

ScanBody::~ScanBody() = default;

std::vector<Tensor> ScanBody::finish(const std::vector<Tensor>& next, const std::vector<Tensor>& ys) {
  if (next.size() != init_.size())
    fail(fmt::format("scan: the state has {} tensors before the step and {} after it", init_.size(),
                     next.size()),
         where_);
  for (size_t i = 0; i < next.size(); ++i)
    if (next[i].type() != init_[i].type())
      fail(fmt::format("scan: tensor {} of the state is {} before the step and {} after it", i,
                       ir::to_string(init_[i].type()), ir::to_string(next[i].type())),
           where_);
  std::vector<ir::Value> results, params;
  for (const Tensor& t : next) results.push_back(region_->use(t, where_));
  for (const Tensor& y : ys) results.push_back(region_->use(y, where_));
  for (const Region::Capture& capture : region_->captures()) params.push_back(capture.param);
  for (const Tensor& t : state_) params.push_back(region_->use(t, where_));
  for (const Tensor& x : slices_) params.push_back(region_->use(x, where_));
  const std::optional<ir::Value> step = region_->step_param();
  if (step) params.push_back(*step);
  const std::vector<Region::Capture> captures = region_->captures();
  auto body = std::make_shared<const ir::Func>(region_->finish(params, results));
  region_.reset();

  Region& outer = Region::current(where_);
  std::vector<ir::Value> operands;
  for (const Region::Capture& capture : captures) operands.push_back(outer.use(capture.outer, where_));
  for (const Tensor& t : init_) operands.push_back(outer.use(t, where_));
  for (const Tensor& x : xs_) operands.push_back(outer.use(x, where_));
  if (step) operands.push_back(outer.use(iota({count_ ? *count_ : xs_[0].dim(0)}, 0, where_), where_));
  ir::Attrs attrs;
  attrs.consts = static_cast<uint32_t>(captures.size());
  attrs.carries = static_cast<uint32_t>(init_.size());
  attrs.reverse = options_.reverse;
  attrs.lengths = options_.lengths.has_value();
  if (attrs.lengths) operands.push_back(outer.use(*options_.lengths, where_));
  if (count_ && !step) attrs.dim = *count_;
  std::vector<ir::Value> values;
  try {
    values = outer.builder().emit_scan(std::move(operands), std::move(attrs), std::move(body));
  } catch (const Error& e) {
    throw Error(e.what() + LibraryCall::place(where_));
  }
  std::vector<Tensor> tensors;
  for (ir::Value v : values) tensors.push_back(outer.tensor(v));
  return tensors;
}

}  // namespace rondo::detail
