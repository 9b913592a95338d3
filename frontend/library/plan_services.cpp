#include "frontend/library/plan_services.h"

#include <string>
#include <utility>

namespace rondo::library {

namespace {

using codegen::EntryParam;
using codegen::EntryPlace;
using codegen::Service;
using ir::Poly;
using Step = Service::Step;

EntryParam block(const char* name, const Poly& bytes, uint32_t align = kAlign) {
  return {EntryParam::Kind::pointer, name, DType::f32, bytes, align};
}

/// Fills what training changes.
Service init(const Plan& plan, bool initial_weights) {
  Service init{"init", {}, {}};
  if (initial_weights) {
    init.params.push_back(block("weights", plan.weights.bytes));
    init.steps.push_back(Step::copy({0, {}}, {}, plan.weights.bytes));
  }
  if (plan.optimizer.items.empty()) return init;
  init.params.push_back(block("optimizer", plan.optimizer.bytes));
  init.steps.push_back(Step::zero({static_cast<uint32_t>(init.params.size() - 1), {}}, plan.optimizer.bytes));
  return init;
}

/// A saved state is the hash of the model, the dims, and the state itself.
void add_state_services(const Layout& state, uint64_t hash, std::vector<Service>& services) {
  const std::vector<std::string> dims = state.dims();
  std::vector<EntryParam> params = {block("state", state.bytes)};
  for (const std::string& dim : dims) params.push_back({EntryParam::Kind::dim, dim, DType::i32, {}, 1});
  services.push_back({"reset", params, {Step::zero({0, {}}, state.bytes)}});

  params.push_back(block("saved", state.bytes + Poly(8), 1));
  const auto saved = static_cast<uint32_t>(params.size() - 1);
  std::vector<Poly> words = {static_cast<int64_t>(hash)};
  for (const std::string& dim : dims) words.emplace_back(ir::Dim(dim));
  Service save{"save", params, {}}, restore{"restore", params, {}};
  for (size_t i = 0; i < words.size(); ++i) {
    const EntryPlace place{saved, Poly(static_cast<int64_t>(8 * i))};
    save.steps.push_back(Step::put(place, words[i]));
    restore.steps.push_back(Step::expect(place, words[i]));
  }
  const EntryPlace rest{saved, Poly(static_cast<int64_t>(8 * words.size()))};
  save.steps.push_back(Step::copy(rest, {0, {}}, state.bytes));
  restore.steps.push_back(Step::copy({0, {}}, rest, state.bytes));
  services.push_back(std::move(save));
  services.push_back(std::move(restore));
}

}  // namespace

std::vector<Service> plan_services(const Plan& plan, bool initial_weights, uint64_t hash) {
  std::vector<Service> services;
  if (plan.weights_change)
    if (Service start = init(plan, initial_weights); !start.steps.empty())
      services.push_back(std::move(start));
  if (plan.prepares())
    services.push_back({"prepare",
                        {block("weights", plan.weights.bytes), block("prepared", kAlign)},
                        {Step::prepare({1, {}}, {0, {}})}});
  if (!plan.state.items.empty()) add_state_services(plan.state, hash, services);
  return services;
}

}  // namespace rondo::library
