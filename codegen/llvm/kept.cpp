#include "codegen/llvm/kept.h"

#include <algorithm>
#include <cstdlib>

namespace rondo::codegen {

using namespace ir;

std::optional<KeptValues::Place> KeptValues::place_of(const Access& access, const Scope& scope) {
  if (access.row != kNone) return std::nullopt;
  Place place{access.buffer, access.offset, {}, 1, nullptr};
  for (size_t v = 0; v < scope.variables.size(); ++v) {
    const Poly stride = stride_of(access, v);
    if (stride.is_zero()) continue;
    const auto* at = llvm::dyn_cast<llvm::ConstantInt>(scope.variables[v]);
    if (!at) return std::nullopt;
    place.first += stride * Poly(at->getSExtValue());
    if (scope.lanes == 1 || static_cast<int>(v) != scope.lane_variable) continue;
    if (stride != Poly(1)) return std::nullopt;
    place.lanes = scope.lanes;
    place.mask = scope.mask;
  }
  for (const auto& [loop, stride] : access.outer) place.loops[loop] += stride;
  return place;
}

llvm::Value* KeptValues::find(const Place& place) const {
  const auto entries = entries_.find(place.buffer);
  if (entries == entries_.end()) return nullptr;
  const auto entry = std::ranges::find(entries->second, place, &Entry::place);
  return entry == entries->second.end() ? nullptr : entry->value;
}

void KeptValues::loaded(BufferId buffer, const std::optional<Place>& place, llvm::Value* v) {
  uses_[buffer].loaded = true;
  if (place && f_.depth() == depth_) entries_[buffer].push_back({*place, v});
}

void KeptValues::stored(BufferId buffer, const std::optional<Place>& place, llvm::Value* v,
                        std::vector<llvm::Instruction*> code) {
  forget(buffer, place);
  if (place && f_.depth() == depth_) entries_[buffer].push_back({*place, v});
  std::vector<llvm::Instruction*>& stores = uses_[buffer].stores;
  stores.insert(stores.end(), code.begin(), code.end());
}

bool KeptValues::apart(const Place& a, const Place& b) {
  const Poly distance = b.first - a.first;
  if (a.loops != b.loops || !distance.is_constant()) return false;
  const int64_t d = distance.constant();
  return d >= static_cast<int64_t>(a.lanes) || -d >= static_cast<int64_t>(b.lanes);
}

void KeptValues::forget(BufferId buffer, const std::optional<Place>& place) {
  std::erase_if(entries_[buffer], [&](const Entry& e) { return !place || !apart(e.place, *place); });
}

void KeptValues::remove_stores() {
  for (BufferId id : own_) {
    if (uses_[id].loaded) continue;
    for (llvm::Instruction* store : uses_[id].stores) store->eraseFromParent();
  }
}

}  // namespace rondo::codegen
