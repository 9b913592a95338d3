// Uses the C++ wrappers of the libraries amp, bare, which has no weights of its own, and learner, which
// trains. Exit code: which check failed.
#include <algorithm>
#include <array>
#include <vector>

#include "amp.hpp"
#include "bare.hpp"
#include "learner.hpp"

namespace {

/// The C header's way to have memory is one in C++ as well.
bool takes_static_memory() {
  static AMP_ALIGNED unsigned char state[AMP_STATE_BYTES], scratch[AMP_STEP_SCRATCH_BYTES];
  float x = 0, y = 0;
  return amp_reset(state) == AMP_OK && amp_step(state, scratch, &x, &y) == AMP_OK;
}

/// Streams share weights that the caller brings, prepared; what they read changes when others are taken.
bool takes_weights(std::span<const float> x) {
  bare::Memory weights(BARE_WEIGHTS_BYTES);
  bare::Prepared prepared(weights.get());
  bare::Stream one(prepared), two(prepared);
  if (!prepared || !one || bare::Prepared(nullptr) || bare::Stream(bare::Prepared(nullptr))) return false;
  const auto output_of = [&](bare::Stream& stream) {
    float y = -1;
    return stream.step(x.first(1), {&y, 1}) == bare::Status::ok ? y : -1;
  };
  if (output_of(one) != 0) return false;  // all weights are zero
  float* numbers = static_cast<float*>(weights.get());
  std::fill_n(numbers, BARE_WEIGHTS_BYTES / sizeof(float), 0.1f);
  if (output_of(one) != 0 || prepared.take(weights.get()) != bare::Status::ok) return false;
  one.reset();
  return output_of(one) > 0 && output_of(one) != output_of(two);
}

/// The memory of a training step grows with its steps, so a stream has a bound of them.
bool learns(std::span<const float> x) {
  learner::Memory weights(LEARNER_WEIGHTS_BYTES), optimizer(LEARNER_OPTIMIZER_BYTES);
  learner_init(weights.get(), optimizer.get());
  const auto steps = static_cast<int64_t>(x.size());
  learner::Stream stream(weights.get(), optimizer.get(), steps);
  const auto train = [&](int64_t count, float& loss) {
    stream.reset();
    return stream.train_step(count, x, x, 1e-2f, {&loss, 1});
  };
  float first = 0, last = 0;
  if (train(steps + 1, first) != learner::Status::bad_dim || train(steps, first) != learner::Status::ok)
    return false;
  for (int update = 0; update < 20; ++update) train(steps, last);
  return last < first;
}

}  // namespace

int main() {
  amp::Stream stream;
  if (!stream) return 1;
  std::array<float, 5> x = {0.1f, -0.2f, 0.3f, 0.4f, -0.5f}, steps{}, y{};
  for (size_t t = 0; t < 5; ++t)
    if (stream.step({&x[t], 1}, {&steps[t], 1}) != amp::Status::ok) return 2;
  if (stream.reset() != amp::Status::ok || stream.run(5, x, y) != amp::Status::ok || y != steps) return 3;
  if (stream.run(4, x, y) != amp::Status::bad_size) return 4;
  if (stream.run(-1, {}, {}) != amp::Status::bad_dim) return 5;

  std::vector<std::byte> saved(stream.saved_bytes());
  stream.reset();
  stream.run(3, std::span(x).first(3), std::span(y).first(3));
  if (stream.save(saved) != amp::Status::ok) return 6;
  amp::Stream other;
  if (other.restore(saved) != amp::Status::ok) return 7;
  if (other.run(2, std::span(x).last(2), std::span(y).last(2)) != amp::Status::ok || y != steps) return 8;
  saved[0] ^= std::byte{1};
  if (other.restore(saved) != amp::Status::bad_save) return 9;
  if (!takes_static_memory()) return 10;
  if (!takes_weights(x)) return 11;
  return learns(x) ? 0 : 12;
}
