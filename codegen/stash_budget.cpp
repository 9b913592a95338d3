#include "codegen/stash_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "ir/type.h"
#include "support/environment.h"
#include "support/error.h"

namespace rondo::codegen {
namespace {

constexpr size_t kMostDims = 32;
/// A window that caches hold is read back from there.
constexpr int64_t kCached = int64_t{4} << 20;
using Dims = std::array<int64_t, kMostDims>;

bool names(const std::vector<std::string>& all, const std::string& name) {
  return std::ranges::find(all, name) != all.end();
}

/// The dims of `of` for a call with those of budget.whole; dims of steps times `share`.
Dims dims_of(const StashBudget& budget, const Executable& of, const int64_t* dims, int64_t longest,
             int64_t share = 1) {
  Dims result{};
  const std::vector<std::string>&from = budget.whole->signature().dims, &to = of.signature().dims;
  for (size_t i = 0; i < to.size(); ++i) {
    const int64_t value =
        to[i] == budget.longest ? longest : dims[std::ranges::find(from, to[i]) - from.begin()];
    result[i] = value * (to[i] == budget.longest || names(budget.steps, to[i]) ? share : 1);
  }
  return result;
}

/// Bytes that are there because of the steps.
int64_t growth(const StashBudget& budget, const Executable& of, const int64_t* dims, int64_t longest) {
  const Dims all = dims_of(budget, of, dims, longest), none = dims_of(budget, of, dims, longest, 0);
  return static_cast<int64_t>(of.scratch_bytes(all.data()) - of.scratch_bytes(none.data()));
}

int64_t most_steps(const StashBudget& budget, const int64_t* dims) {
  int64_t steps = 0;
  const std::vector<std::string>& all = budget.whole->signature().dims;
  for (size_t i = 0; i < all.size(); ++i)
    if (names(budget.steps, all[i])) steps = std::max(steps, dims[i]);
  return steps;
}

/// Calls visit(longest) for numbers of windows that rise by a quarter, until it returns true.
template <class Visit>
void for_windows(int64_t steps, Visit visit) {
  int64_t longest = 0;
  for (int64_t windows = 1; windows <= steps; windows = std::max(windows + 1, windows + windows / 4)) {
    const int64_t next = ir::windows_of(steps, windows);
    if (next != longest && visit(longest = next)) return;
  }
}

std::string told(const StashBudget& budget, const int64_t* dims) {
  std::string text = budget.whole->signature().name + ":";
  const std::vector<std::string>& all = budget.whole->signature().dims;
  for (size_t i = 0; i < all.size(); ++i) text += fmt::format(" {} = {},", all[i], dims[i]);
  return text;
}

class WithinBudget : public Executable {
 public:
  explicit WithinBudget(StashBudget budget) : budget_(std::move(budget)) {
    RONDO_CHECK(budget_.windows->signature().dims.size() <= kMostDims, "dims of " + signature().name);
  }

  const StashBudget& budget() const { return budget_; }
  const Signature& signature() const override { return budget_.whole->signature(); }

  size_t scratch_bytes(const int64_t* dims) const override {
    const std::optional<StashChoice> choice = choose_stash(budget_, dims);
    if (!choice) fail(dims);
    if (tells_) tell(*choice, dims);
    return of(*choice).scratch_bytes(dims_of(budget_, of(*choice), dims, choice->longest).data());
  }

  void call(void* const* args, const int64_t* dims, void* scratch) const override {
    const std::optional<StashChoice> choice = choose_stash(budget_, dims);
    of(*choice).call(args, dims_of(budget_, of(*choice), dims, choice->longest).data(), scratch);
  }

 private:
  const Executable& of(const StashChoice& choice) const {
    return choice.longest ? *budget_.windows : *budget_.whole;
  }

  void tell(const StashChoice& c, const int64_t* dims) const {
    const std::string how = c.longest ? fmt::format(
                                            "windows of {} steps, which the gradient computes again, "
                                            "and {} bytes for them; without, {} bytes",
                                            c.longest, c.bytes, c.whole_bytes)
                                      : fmt::format("{} bytes for its steps", c.bytes);
    fmt::print(stderr, "{} {}\n", told(budget_, dims), how);
  }

  [[noreturn]] void fail(const int64_t* dims) const {
    int64_t least = growth(budget_, *budget_.whole, dims, 0);
    for_windows(most_steps(budget_, dims), [&](int64_t longest) {
      least = std::min(least, growth(budget_, *budget_.windows, dims, longest));
      return false;
    });
    throw Error(fmt::format("rondo: {} stash_bytes of {} are not enough: it takes {}", told(budget_, dims),
                            budget_.bytes, least));
  }

  StashBudget budget_;
  bool tells_ = environment("RONDO_TIME") == "1";
};

}  // namespace

std::optional<StashChoice> choose_stash(const StashBudget& budget, const int64_t* dims) {
  StashChoice choice;
  choice.bytes = choice.whole_bytes = growth(budget, *budget.whole, dims, 0);
  if (choice.bytes <= budget.bytes) return choice;
  std::optional<StashChoice> fewest;
  for_windows(most_steps(budget, dims), [&](int64_t longest) {
    choice.bytes = growth(budget, *budget.windows, dims, choice.longest = longest);
    const bool fits = choice.bytes <= budget.bytes, cached = choice.bytes <= kCached;
    if (fits && (cached || !fewest)) fewest = choice;
    return fits && cached;
  });
  return fewest;
}

std::shared_ptr<const Executable> within_budget(StashBudget budget) {
  return std::make_shared<WithinBudget>(std::move(budget));
}

const StashBudget* stash_budget_of(const Executable& executable) {
  const auto* chosen = dynamic_cast<const WithinBudget*>(&executable);
  return chosen ? &chosen->budget() : nullptr;
}

}  // namespace rondo::codegen
