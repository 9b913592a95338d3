#include "frontend/truncated.h"

#include <fmt/format.h>

#include "support/error.h"

namespace rondo {

TruncatedBptt::Window TruncatedBptt::window(int64_t update) const {
  if (every < 1 || through < every)
    throw Error(fmt::format("rondo: truncated bptt: every {} steps through {}; takes 1 <= every <= through",
                            every, through));
  auto begin_before = [&](int64_t end) { return std::max<int64_t>(0, end - through); };
  const int64_t end = (update + 1) * every;
  return {begin_before(end), end, begin_before(end + every) - begin_before(end)};
}

void TruncatedBptt::prepare(Program& program, const Window& window) const {
  program.resize({{"T", window.steps()}});
  program.set_scalar("counted", static_cast<double>(every));
  program.set_scalar("advance", static_cast<double>(window.advance));
}

}  // namespace rondo
